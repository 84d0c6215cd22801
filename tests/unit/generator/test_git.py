from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from generator.git import files, revision


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@localhost")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a").write_text("1")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(("git", *arguments), cwd=tmp_path, check=True)
    return tmp_path


def test_a_commit_and_whether_files_differ_from_it(project: Path) -> None:
    commit = revision(project, ["jobs"])
    assert commit is not None and len(commit) == 40
    (project / "elsewhere").write_text("no matter")
    assert revision(project, ["jobs"]) == commit
    (project / "jobs" / "a").write_text("2")
    assert revision(project, ["jobs"]) == f"{commit}+changes"


def test_outside_a_work_tree_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path, ["jobs"]) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(tmp_path, ["jobs"]) is None, "without git"


def test_what_git_can_not_tell_is_not_taken_for_clean(project: Path) -> None:
    commit = revision(project, ["jobs"])
    (project / "jobs" / "a").write_text("2")
    (project / ".git" / "index").write_bytes(b"no index")
    assert revision(project, ["jobs"]) == f"{commit}+unknown"
    assert files(project) is None


def test_names_are_any_bytes(project: Path) -> None:
    name = os.fsdecode(b" \xff\n")
    (project / name).write_text("1")
    subprocess.run(("git", "config", "core.quotePath", "false"), cwd=project, check=True)
    assert str(revision(project, ["."])).endswith("+changes")
    subprocess.run(("git", "add", "."), cwd=project, check=True)
    assert sorted(files(project) or []) == [name, "jobs/a"]
