"""Somebody's own programs: who may have written them, what they are told, how they end."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex import hooks
from flowrex.errors import ConfigurationError

DOCUMENT = {"event": "x", "reason": "orders\0 doubled; rm -rf $HOME"}
ENVIRON = hooks.environ({"FLOWREX_REASON": "orders\0 doubled; rm -rf $HOME"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "emergency.d"
    folder.mkdir(mode=0o755)
    return folder


def hook(folder: Path, name: str, script: str, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def run(path: Path, *, timeout_s: float = 10, keep: int = 1000) -> hooks.Result:
    return hooks.run(path, DOCUMENT, ENVIRON, timeout_s=timeout_s, keep=keep)


def test_they_are_run_in_the_order_of_their_names_without_leftovers(folder: Path) -> None:
    for name in ("20-b", "10-a", "30-c.bak", ".hidden", "40-d~", "50-e.dpkg-new", "10-a.sh"):
        hook(folder, name, "")
    assert hooks.names(folder) == ["10-a", "10-a.sh", "20-b"]


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert hooks.names(tmp_path / "none") == []
    assert hooks.listed(tmp_path / "none") == []


def test_one_that_can_not_be_looked_at_is_not_taken_for_one_without_hooks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("#!/bin/sh")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "link"):
        with pytest.raises(ConfigurationError, match=f"{name}: its hooks can't be looked at"):
            hooks.listed(tmp_path / name)
        assert hooks.names(tmp_path / name) == []
        assert name in caplog.records[-1].reason  # type: ignore[attr-defined]


def test_one_that_can_not_be_read_is_not_taken_for_one_without_hooks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "iterdir", _forbidden)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        hooks.listed(folder)


def _forbidden(_: Path) -> Iterator[Path]:
    raise PermissionError(errno.EACCES, "Permission denied")  # root, too, reads any folder


def test_it_is_told_on_standard_input_and_in_its_environment(folder: Path) -> None:
    path = hook(folder, "a", "cat; env | sort; pwd")
    result = run(path, keep=10_000)
    assert result.ok
    first, rest = result.output.split("\n", 1)
    assert json.loads(first) == DOCUMENT
    environ = dict(line.split("=", 1) for line in rest.splitlines() if "=" in line)
    assert environ["FLOWREX_REASON"] == "orders doubled; rm -rf $HOME"
    assert rest.splitlines()[-1] == "/"


def test_it_runs_where_it_is_told_to(folder: Path) -> None:
    result = hooks.run(
        hook(folder, "a", "pwd"), {}, hooks.environ({}), timeout_s=10, keep=99, cwd=folder
    )
    assert result.output == f"{folder}\n"


def test_nothing_of_the_callers_own_environment_reaches_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    assert "CREDENTIALS" not in run(hook(folder, "a", "env")).output


def test_one_that_does_not_read_its_input_is_no_failure(folder: Path) -> None:
    assert run(hook(folder, "a", "exec true")).ok


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("exit 3", "ended with 3"),
        ("kill -9 $$", "was killed by signal 9"),
    ],
)
def test_one_that_fails_says_how(folder: Path, script: str, sentence: str) -> None:
    result = run(hook(folder, "a", script))
    assert (result.ok, result.sentence) == (False, sentence)


def test_one_that_hangs_is_killed_with_all_that_it_has_started(folder: Path) -> None:
    path = hook(folder, "a", "sleep 600 & echo $!; wait")
    started = time.monotonic()
    result = run(path, timeout_s=0.3)
    assert time.monotonic() - started < 5
    assert result.sentence == "was killed after 0 s"
    child = int(result.output)
    assert not _runs(child)


def test_what_it_leaves_behind_is_killed_too(folder: Path) -> None:
    result = run(hook(folder, "a", "sleep 600 & echo $!"))
    assert result.ok
    assert not _runs(int(result.output))


def test_its_output_is_bounded_and_all_of_it_is_read(folder: Path) -> None:
    result = run(hook(folder, "a", "head -c 3000000 /dev/zero | tr '\\0' x"), keep=10)
    assert result.ok
    assert result.output == "x" * 10 + "\n(2999990 bytes more)"


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (0o775, "can be written by others (mode 0775)"),
        (0o757, "can be written by others (mode 0757)"),
        (0o644, "is not executable"),
    ],
)
def test_one_that_others_may_change_or_that_is_no_program_is_not_run(
    folder: Path, mode: int, says: str
) -> None:
    path = hook(folder, "a", f"touch {folder}/ran", mode)
    result = run(path)
    assert not result.ok
    assert says in result.sentence
    assert not (folder / "ran").exists()


def test_one_in_a_folder_that_others_may_write_is_not_run(folder: Path) -> None:
    path = hook(folder, "a", "true")
    folder.chmod(0o777)
    assert "can be written by others" in run(path).sentence


def test_one_of_another_user_is_not_run(folder: Path) -> None:
    path = hook(folder, "a", "true")
    if os.getuid() == 0:
        os.chown(path, 4242, -1)
        assert "belongs to user 4242" in run(path).sentence
    else:
        result = hooks.run(path, DOCUMENT, ENVIRON, timeout_s=1, keep=1, uid=4242)
        assert f"belongs to user {os.getuid()}" in result.sentence


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = hook(tmp_path, "outside", "true")
    (folder / "a").symlink_to(outside)
    assert "leads out of its folder" in run(folder / "a").sentence


def test_one_that_is_gone_or_no_program_at_all_says_so(folder: Path) -> None:
    assert "No such file" in run(folder / "gone").sentence
    path = folder / "b"
    path.write_bytes(b"\x00\x01")
    path.chmod(0o755)
    assert "could not be started" in run(path).sentence


def _runs(pid: int) -> bool:
    """Tell whether a process is still there after the moment that a signal takes."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1]
        except OSError:
            return False
        if state.startswith("Z"):
            return False
        time.sleep(0.005)
    return True
