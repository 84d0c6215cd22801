"""The agent's own records: what was written stays, also where the power fails just then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agents.audit.own import OwnTrail
from flowrex.audit.record import Record
from tests.unit.flowrex.audit.trail import TIME

RECORD = Record(time=TIME, kind="operator", path="flowrexctl/run/prod")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was brought to the disk, in order."""
    found: list[Path] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_new_files_name_is_on_the_disk_with_its_first_record(
    tmp_path: Path, synced: list[Path]
) -> None:
    own = OwnTrail(tmp_path / "own")
    own.write(RECORD)
    (file,) = own.folder.iterdir()
    assert synced == [own.folder, tmp_path, file]
    own.write(RECORD)
    assert synced[3:] == [file]


def test_where_its_name_can_not_be_kept_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = OwnTrail(tmp_path / "own")

    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="Input/output"):
            own.write(RECORD)
    assert list(own.folder.iterdir()) == []
    own.write(RECORD)
    (file,) = own.folder.iterdir()
    assert len(file.read_bytes().splitlines()) == 1
