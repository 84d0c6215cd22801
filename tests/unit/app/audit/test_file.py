from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.audit.file import AuditFailed, AuditFile
from flowrex.audit.record import Link, Record, follow, read_link

AT = datetime(2026, 1, 1, tzinfo=UTC)


def record(number: int) -> Record:
    return Record(time=AT, kind="request", request_id=f"r{number}", method="POST", status=201)


def lines(*paths: Path) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]


def assert_chained(found: list[bytes], count: int) -> None:
    first = read_link(found[0])
    assert first is not None
    link = Link(first.link.chain)
    for line in found:
        assert line.endswith(b"\n")
        link = follow(line, link)
    assert link.seq == count


@pytest.fixture
def file(tmp_path: Path) -> Iterator[AuditFile]:
    made = AuditFile(tmp_path, "backend-1-1", rotate_bytes=2000)
    yield made
    made.close()


def test_records_are_one_chain(file: AuditFile) -> None:
    file.write([record(1), record(2)])
    file.write([record(3)])
    assert_chained(lines(file.path), 3)


def test_a_file_that_is_full_is_renamed_and_its_chain_goes_on(file: AuditFile) -> None:
    for number in range(20):
        file.write([record(number)])
    rotated = sorted(file.path.parent.glob("*.jsonl.*"))
    assert len(rotated) >= 2
    assert all(path.stat().st_size >= 2000 for path in rotated)
    assert_chained(lines(*rotated, file.path), 20)


def test_a_write_that_fails_half_way_leaves_no_half_line_and_no_gap(
    file: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write([record(1)])
    real = os.write
    with monkeypatch.context() as patched:
        answers = iter([lambda fd, data: real(fd, bytes(data)[:40]), None])

        def write(descriptor: int, data: bytes) -> int:
            if (step := next(answers)) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return step(descriptor, data)

        patched.setattr(os, "write", write)
        with pytest.raises(AuditFailed, match="No space left"):
            file.write([record(2)])
    file.write([record(3)])
    found = lines(file.path)
    assert [b'"r1"' in found[0], b'"r3"' in found[1]] == [True, True]
    assert_chained(found, 2)


def test_a_sync_that_fails_counts_as_not_written(
    file: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(AuditFailed):
            file.write([record(1)])
    file.write([record(2)])
    assert_chained(lines(file.path), 1)


def test_where_half_a_line_cant_be_taken_back_a_new_file_and_chain_begin(
    file: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write([record(1)])

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        patched.setattr(os, "ftruncate", fail)
        with pytest.raises(AuditFailed):
            file.write([record(2)])
    file.write([record(3)])
    assert b'"r3"' in lines(file.path)[0]
    assert_chained(lines(file.path), 1)


def test_a_folder_that_is_gone_is_no_room(tmp_path: Path) -> None:
    assert AuditFile(tmp_path, "x").has_room()
    assert not AuditFile(tmp_path / "gone", "x").has_room()


def test_a_line_is_on_disk_before_it_counts(
    file: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        done.append(file.path.read_text())
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    file.write([record(1)])
    assert len(done) == 1 and done[0].endswith("}\n")


def test_a_file_whose_name_could_not_be_kept_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AuditFile(tmp_path, "a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _raise_io_error)
        for _ in range(2):
            with pytest.raises(AuditFailed):
                file.write([record(1)])
    file.write([record(1)])
    assert len(file.path.read_bytes().splitlines()) == 1


def _raise_io_error(descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))
