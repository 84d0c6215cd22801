import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.dev import proc, process
from generator.dev.process import Command, Identity

MARKER = ("FLOWREX_DEV_CLUSTER", "/some/cluster")
READY = "import signal, sys; {setup}; print('ready', flush=True); signal.pause()"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Identity]]:
    identities: list[Identity] = []
    yield identities
    for identity in identities:
        process.send(identity, signal.SIGKILL)


def python(tmp_path: Path, setup: str = "pass") -> Command:
    return Command("probe", (sys.executable, "-c", READY.format(setup=setup)), cwd=tmp_path)


def start(command: Command, tmp_path: Path) -> Identity:
    log = tmp_path / "probe.log"
    identity = process.spawn(command, log=log, marker=MARKER)
    while "ready" not in log.read_text():
        assert process.alive(identity), log.read_text()
    return identity


def test_a_started_server_is_alive_marked_and_in_its_own_session(
    tmp_path: Path, started: list[Identity]
) -> None:
    identity = start(python(tmp_path), tmp_path)
    started.append(identity)
    assert process.alive(identity)
    assert proc.environ_value(identity.pid, MARKER[0]) == MARKER[1]
    assert os.getsid(identity.pid) == identity.pid
    assert proc.working_directory(identity.pid) == str(tmp_path)


def test_the_same_pid_of_another_start_or_another_boot_is_another_process() -> None:
    mine = process.identify(os.getpid())
    assert mine is not None
    assert process.alive(mine)
    assert not process.alive(replace(mine, started=mine.started - 1))
    assert not process.alive(replace(mine, boot_id="another-boot"))


def test_a_signal_never_reaches_another_process_with_the_same_pid() -> None:
    mine = process.identify(os.getpid())
    assert mine is not None
    # It would end this very test run.
    assert process.send(replace(mine, started=mine.started - 1), signal.SIGKILL) is False


def test_stopping_asks_first(tmp_path: Path, started: list[Identity]) -> None:
    identity = start(python(tmp_path), tmp_path)
    started.append(identity)
    assert process.stop(identity, grace_s=10) is True
    assert not process.alive(identity)


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path, started: list[Identity]) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    identity = start(python(tmp_path, deaf), tmp_path)
    started.append(identity)
    assert process.stop(identity, grace_s=0.05) is False
    assert not process.alive(identity)


def test_a_frozen_server_is_stopped_too(tmp_path: Path, started: list[Identity]) -> None:
    identity = start(python(tmp_path), tmp_path)
    started.append(identity)
    process.send(identity, signal.SIGSTOP)
    assert process.stop(identity, grace_s=10) is True


def test_an_ended_child_that_nobody_waited_for_is_not_alive(tmp_path: Path) -> None:
    identity = start(python(tmp_path), tmp_path)
    process.send(identity, signal.SIGKILL)
    assert process.wait_gone([identity], 5) == []
    seen = proc.process(identity.pid)
    assert seen is None or seen.zombie


def test_a_server_gets_none_of_the_shells_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/x")
    monkeypatch.setenv("VAULT_TOKEN", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    environ = process.plain_environ(MARKER, {"EXTRA": "1"})
    assert set(environ) <= {"HOME", "LANG", "TZ", "PATH", MARKER[0], "EXTRA"}
    assert "/usr/sbin" in environ["PATH"].split(":")


def test_a_missing_program_is_a_sentence(tmp_path: Path) -> None:
    command = Command("consul-1", ("/no/such/consul",), cwd=tmp_path)
    with pytest.raises(ConfigurationError, match=r"consul-1 can't be started.*no/such/consul"):
        process.spawn(command, log=tmp_path / "log", marker=MARKER)


def test_a_log_goes_on_where_it_was(tmp_path: Path, started: list[Identity]) -> None:
    (tmp_path / "probe.log").write_text("before\n")
    started.append(start(python(tmp_path), tmp_path))
    assert (tmp_path / "probe.log").read_text() == "before\nready\n"
