"""A file is whole or as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.files import replacing, write_atomic


def test_it_takes_the_old_files_place(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    write_atomic(path, "new — ü", mode=0o600)
    assert path.read_text(encoding="utf-8") == "new — ü"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failure_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_yet_whole_is_readable_by_nobody_else(tmp_path: Path) -> None:
    with replacing(tmp_path / "state.json", mode=0o644) as temporary:
        assert temporary.stat().st_mode & 0o777 == 0o600
