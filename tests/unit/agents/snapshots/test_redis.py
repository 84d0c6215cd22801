"""Append-only files are copied as one set, while Redis goes on writing."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from agents.snapshots.redis import check_copy, copy, parts
from agents.snapshots.source import SnapshotBroken
from flowrex.errors import ConfigurationError

MANIFEST = (
    "file appendonly.aof.2.base.rdb seq 2 type b\n"
    "file appendonly.aof.1.incr.aof seq 1 type h\n"
    "file appendonly.aof.2.incr.aof seq 2 type i\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "appendonly.aof.manifest").write_text(MANIFEST)
    (tmp_path / "appendonly.aof.2.base.rdb").write_bytes(b"base" * 300)
    (tmp_path / "appendonly.aof.2.incr.aof").write_bytes(b"*1\r\n$4\r\nPING\r\n")
    return tmp_path


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def test_a_history_file_belongs_to_nothing_any_more() -> None:
    assert parts(MANIFEST) == ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof"]


@pytest.mark.parametrize("line", ["nonsense", "file ../../etc/passwd seq 1 type b"])
def test_what_is_no_manifest_is_refused(line: str) -> None:
    with pytest.raises(SnapshotBroken):
        parts(line)


def test_all_that_the_manifest_names_is_copied(folder: Path) -> None:
    with copy(folder) as pieces:
        content = b"".join(pieces)
    found = unpacked(content)
    assert set(found) == {"appendonly.aof.manifest", *parts(MANIFEST)}
    assert found["appendonly.aof.2.base.rdb"] == b"base" * 300
    check_copy(iter([content]))


def test_what_is_written_meanwhile_is_left_to_the_next(folder: Path) -> None:
    incremental = folder / "appendonly.aof.2.incr.aof"
    before = incremental.read_bytes()
    with copy(folder) as pieces:
        first = next(pieces)
        rest = []
        for piece in pieces:
            with incremental.open("ab") as file:
                file.write(b"*1\r\n$4\r\nPING\r\n")
            rest.append(piece)
    found = unpacked(first + b"".join(rest))
    assert found["appendonly.aof.2.incr.aof"].startswith(before)


def test_a_rewrite_between_opening_and_reading_does_not_matter(folder: Path) -> None:
    with copy(folder) as pieces:
        for name in parts(MANIFEST):
            (folder / name).unlink()
        content = b"".join(pieces)
    check_copy(iter([content]))


def test_a_copy_without_one_of_its_files_is_none(folder: Path) -> None:
    with copy(folder) as pieces:
        found = unpacked(b"".join(pieces))
    del found["appendonly.aof.2.incr.aof"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in found.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    with pytest.raises(SnapshotBroken, match=r"2\.incr\.aof"):
        check_copy(iter([buffer.getvalue()]))


def test_a_folder_without_a_manifest_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="0 manifests"), copy(tmp_path) as pieces:
        next(pieces)
