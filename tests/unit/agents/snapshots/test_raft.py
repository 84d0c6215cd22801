"""A Raft snapshot is whole, or it is none."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator

import pytest

from agents.snapshots.raft import check
from agents.snapshots.source import SnapshotBroken

STATE = b"state of the cluster " * 5000


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def sums(files: dict[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in files.items()]
    return "".join(lines).encode()


def snapshot(**changed: bytes) -> bytes:
    files = {"meta.json": b"{}", "state.bin": STATE}
    whole = {**files, "SHA256SUMS": sums(files)}
    return archive({**whole, **{name.replace("_", "."): text for name, text in changed.items()}})


def pieces(content: bytes, size: int = 1000) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_a_whole_one_is_good_however_it_is_cut(size: int) -> None:
    content = snapshot()
    left = pieces(content, size)
    check(left)
    assert next(left, None) is None, "what is not read is not proved"


def test_a_changed_state_is_found() -> None:
    with pytest.raises(SnapshotBroken, match=r"state\.bin"):
        check(pieces(snapshot(state_bin=STATE + b"x")))


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.98])
def test_one_that_was_cut_off_is_found(kept: float) -> None:
    content = snapshot()
    cut = content[: int(len(content) * kept) if kept < 1 else int(kept)]
    with pytest.raises(SnapshotBroken):
        check(pieces(cut))


def test_one_without_checksums_is_none() -> None:
    with pytest.raises(SnapshotBroken, match="no state, or no checksum"):
        check(pieces(archive({"state.bin": STATE})))


def test_one_without_a_state_is_none() -> None:
    with pytest.raises(SnapshotBroken, match="no state"):
        check(pieces(archive({"SHA256SUMS": sums({"state.bin": STATE})})))


def test_an_error_page_is_no_snapshot() -> None:
    with pytest.raises(SnapshotBroken, match="can't be unpacked"):
        check(pieces(b"<html>502 Bad Gateway</html>"))
