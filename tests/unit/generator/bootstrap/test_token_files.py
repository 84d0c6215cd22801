from __future__ import annotations

from pathlib import Path

from flowrex.secret import Secret
from generator.bootstrap import token_files


def test_a_token_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    token_files.keep(folder, "operator", Secret("t"))
    assert token_files.read(folder, "operator") == Secret("t")
    assert (folder / "operator").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_token_that_was_never_kept_is_none(tmp_path: Path) -> None:
    assert token_files.read(tmp_path, "operator") is None


def test_without_a_folder_nothing_is_kept() -> None:
    token_files.keep(None, "operator", Secret("t"))
    assert token_files.read(None, "operator") is None
