from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from generator.artifact import archive


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "one"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "main.py").write_text("print(1)\n")
    (folder / "deep" / "er" / "data.sql").write_text("SELECT 1")
    script = folder / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    return folder


def make(sources: Path, target: Path) -> tuple[str, int]:
    return archive.write(target, archive.tree(sources, "app"))


def test_two_places_two_times_two_umasks_the_same_bytes(sources: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "two"
    shutil.copytree(sources, copy)
    for path in [copy, *copy.rglob("*")]:
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode | 0o077 if path.is_dir() else path.stat().st_mode & 0o700)
    first, second = tmp_path / "first.tar.gz", tmp_path / "another-name.tar.gz"
    assert make(sources, first) == make(copy, second)
    assert first.read_bytes() == second.read_bytes()


def test_one_byte_changed_is_another_archive(sources: Path, tmp_path: Path) -> None:
    before = make(sources, tmp_path / "a.tar.gz")
    (sources / "main.py").write_text("print(2)\n")
    assert make(sources, tmp_path / "b.tar.gz")[0] != before[0]


def test_the_checksum_and_the_size_are_the_files_own(sources: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    digest, size = make(sources, target)
    assert digest == archive.checksum(target)
    assert size == target.stat().st_size


def test_nothing_of_the_builder_is_in_it(sources: Path, tmp_path: Path) -> None:
    make(sources, tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as opened:
        members = opened.getmembers()
    assert [member.name for member in members] == [
        "app",
        "app/deep",
        "app/deep/er",
        "app/deep/er/data.sql",
        "app/main.py",
        "app/run.sh",
    ]
    for member in members:
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == archive.EPOCH_S
    modes = {member.name: member.mode for member in members}
    assert modes["app/main.py"] == 0o644
    assert modes["app/run.sh"] == 0o755
    assert modes["app/deep"] == 0o755


@pytest.mark.parametrize(
    "leftover",
    [
        "__pycache__/main.cpython-311.pyc",
        "deep/old.pyc",
        ".env",
        ".git/config",
        "main.py~",
        "a.swp",
    ],
)
def test_leftovers_stay_out(sources: Path, leftover: str) -> None:
    path = sources / leftover
    path.parent.mkdir(exist_ok=True)
    path.write_text("leftover")
    assert f"app/{leftover}" not in {entry.name for entry in archive.tree(sources, "app")}


def test_a_failure_leaves_the_old_archive(sources: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    make(sources, target)
    before = target.read_bytes()
    gone = archive.Entry("app/gone.py", sources / "gone.py", executable=False)
    with pytest.raises(FileNotFoundError):
        archive.write(target, [gone])
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "tar" in path.name] == ["a.tar.gz"]


def test_a_long_name_is_written_as_dpkg_reads_it(tmp_path: Path) -> None:
    name = "deep/" * 40 + "file"
    (tmp_path / "file").write_text("here")
    target = tmp_path / "made.tar.gz"
    archive.write(target, [archive.Entry(name, tmp_path / "file", executable=False)])
    with tarfile.open(target) as opened:
        assert name in opened.getnames()
    # GNU's own header in front of it has the type L; PAX' has x, which dpkg refuses.
    blocks = gzip.decompress(target.read_bytes())
    kinds = {blocks[at + 156 : at + 157] for at in range(0, len(blocks), 512)}
    assert b"L" in kinds and b"x" not in kinds
