"""System packages: nothing is called when all is there; otherwise installed, or a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.dev import packages
from generator.dev.packages import Package, ensure_packages
from generator.dev.servers.progress import Lines, Silent
from tests.cluster import eventually, heed_interruptions

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WANTED = (Package("made-up", "made-up-program", ("made-up-service",)),)


class System:
    """A machine whose package manager works, unless `fails` says what it says instead."""

    def __init__(self, folder: Path, *, apt: bool = True, sudo: bool = False) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.environ = {"PATH": str(self.bin)}
        self.calls: list[list[str]] = []
        self.fails = ""
        self.brings = "made-up-program"
        self.asks_password = False
        for name in ["apt-get"] * apt + ["sudo"] * sudo:
            self.put(name)

    def put(self, name: str) -> None:
        (self.bin / name).write_text("#!/bin/sh\n")
        (self.bin / name).chmod(0o755)

    def run(
        self, command: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(command))
        if command[-1] == "true":
            return subprocess.CompletedProcess(command, int(self.asks_password), "", "")
        if self.fails:
            return subprocess.CompletedProcess(command, 100, "", self.fails)
        self.put(self.brings)
        return subprocess.CompletedProcess(command, 0, "", "")


def install(system: System, *, root: bool = True) -> tuple[Package, ...]:
    return ensure_packages(
        WANTED, environ=system.environ, progress=Silent(), root=root, run=system.run
    )


def test_nothing_is_called_when_the_program_is_there(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.put("made-up-program")

    assert install(system) == ()
    assert system.calls == []


def test_root_installs_what_is_missing(tmp_path: Path) -> None:
    system = System(tmp_path)

    assert install(system) == WANTED
    ((shell, _, script, _, services, *names),) = system.calls
    assert shell == "sh"
    assert "RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive" in script
    assert (services, names) == ("made-up-service", ["made-up"])


def test_a_user_whose_sudo_asks_for_no_password_installs_by_it(tmp_path: Path) -> None:
    system = System(tmp_path, sudo=True)

    install(system, root=False)

    assert system.calls[0] == ["sudo", "-n", "true"]
    assert system.calls[1][:3] == ["sudo", "-n", "sh"]


@pytest.mark.parametrize("sudo", [False, True])
def test_a_user_who_may_not_gets_the_names_and_the_command(tmp_path: Path, sudo: bool) -> None:
    system = System(tmp_path, sudo=sudo)
    system.asks_password = True

    with pytest.raises(ConfigurationError, match="made-up-program is missing") as refused:
        install(system, root=False)
    assert refused.value.hint == "Type: sudo apt-get update && sudo apt-get install made-up"


def test_a_system_without_apt_gets_the_names(tmp_path: Path) -> None:
    system = System(tmp_path, apt=False)

    with pytest.raises(ConfigurationError, match="made-up-program is missing") as refused:
        install(system)
    assert "what Debian calls made-up" in (refused.value.hint or "")
    assert system.calls == []


def test_a_failure_says_what_apt_said_last(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.fails = "Reading lists\nE: Unable to locate package made-up\n"

    with pytest.raises(ConfigurationError, match="E: Unable to locate package made-up"):
        install(system)


def test_a_package_that_does_not_bring_the_program_is_an_error(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.brings = "something-else"

    with pytest.raises(ConfigurationError, match="still missing"):
        install(system)


class Installation:
    """The script that installs, in a folder instead of /, with an apt-get that takes its time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.policy = root / "usr/sbin/policy-rc.d"
        self.policy.parent.mkdir(parents=True)
        system = System(root)
        (system.bin / "apt-get").write_text(
            f"#!/bin/sh\n[ $1 = -q ] && cp {self.policy} {root}/seen\nsleep ${{SLOW:-0}}\n"
        )
        self.path = f"{system.bin}:{os.environ['PATH']}"

    def start(self, slow: str = "0") -> subprocess.Popen[bytes]:
        script = packages._INSTALL
        for place in ("/usr/sbin", "/etc/postgresql-common", "/run/systemd"):
            script = script.replace(place, f"{self.root}{place}")
        return subprocess.Popen(
            ["sh", "-c", script, "install", "", "postgresql"],
            env={"PATH": self.path, "SLOW": slow},
            start_new_session=True,
            preexec_fn=heed_interruptions,
        )

    def left(self) -> list[Path]:
        return [
            one for name in ("usr", "etc") for one in (self.root / name).rglob("*") if one.is_file()
        ]


def test_an_installation_starts_no_service_and_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    assert installation.start().wait(timeout=10) == 0
    assert "exit 101" in (tmp_path / "seen").read_text()
    assert installation.left() == []


@pytest.mark.parametrize("number", INTERRUPTIONS)
def test_an_interrupted_installation_leaves_nothing_of_its_own(
    tmp_path: Path, number: signal.Signals
) -> None:
    installation = Installation(tmp_path)
    shell = installation.start(slow="1")
    # A shell that is between two commands may miss an interrupt, and go on to the next.
    eventually((tmp_path / "seen").exists, every=0.01)
    os.killpg(shell.pid, number)
    assert shell.wait(timeout=10) != 0
    assert installation.left() == []


def test_what_a_killed_installation_left_is_removed_by_the_next(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    shell = installation.start(slow="30")
    eventually((tmp_path / "seen").exists, every=0.01)
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait(timeout=10)
    assert installation.policy in installation.left()
    assert installation.start().wait(timeout=10) == 0
    assert installation.left() == []


def test_a_policy_of_the_machines_own_stays(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.policy.write_text("#!/bin/sh\nexit 0\n")
    assert installation.start().wait(timeout=10) == 0
    assert installation.policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_progress_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = System(tmp_path)

    ensure_packages(WANTED, environ=system.environ, progress=Lines(), root=True, run=system.run)

    assert capsys.readouterr().err == "Installing system packages: made-up … installed\n"


def test_a_program_off_a_user_s_path_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(tmp_path)
    system.put("nginx")
    monkeypatch.setattr(packages, "_SYSTEM_FOLDERS", (str(system.bin),))

    assert packages.find("nginx", {"PATH": "/nowhere"}) == system.bin / "nginx"
