"""tools/venv, with a python3 and an apt-get that only note how they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster import ROOT

# Knows of venvs once python3-venv is there; what it makes has pip only when it was let finish.
PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit 0 ;;
*ensurepip*) [ -e "$MACHINE/python3-venv" ] ;;
"-m venv --clear "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; touch "$4/pip" ;;
"-m pip "*) echo "$*" >> "$MACHINE/pip"; [ -e "$(dirname "$0")/../pip" ] ;;
esac
"""
APT = """#!/bin/sh
echo "$*" >> "$MACHINE/apt"
[ -z "${REFUSES:-}" ] || exit 100
case "$*" in *install*python3-venv*) touch "$MACHINE/python3-venv" ;; esac
"""


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.put("python3", PYTHON)
        self.put("id", "#!/bin/sh\necho ${USER_ID:-0}\n")
        self.put("sudo", "#!/bin/sh\nexit 1\n")

    def put(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def venv(self, **environ: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return subprocess.run(
            [ROOT / "tools/venv", "python3", self.folder / "venv"],
            env={"PATH": path, "MACHINE": str(self.folder), **environ},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

    def noted(self, program: str) -> str:
        note = self.folder / program
        return note.read_text() if note.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_package_that_debian_parts_from_python_is_installed(machine: Machine) -> None:
    machine.put("apt-get", APT)
    done = machine.venv()
    assert done.returncode == 0, done.stderr
    assert "install --no-install-recommends python3 python3-venv" in machine.noted("apt")
    assert "-e ." in machine.noted("pip")


def test_nothing_is_installed_where_nothing_is_missing(machine: Machine) -> None:
    machine.put("apt-get", APT)
    (machine.folder / "python3-venv").touch()
    assert machine.venv().returncode == 0
    assert machine.noted("apt") == ""


@pytest.mark.parametrize("environ", [{"USER_ID": "1000"}, {"REFUSES": "yes"}])
def test_who_may_not_install_is_told_the_package(machine: Machine, environ: dict[str, str]) -> None:
    machine.put("apt-get", APT)
    done = machine.venv(**environ)
    assert done.returncode == 3
    assert "apt-get install python3-venv" in done.stderr
    assert machine.noted("pip") == ""


def test_an_environment_that_was_left_half_made_is_made_anew(machine: Machine) -> None:
    (machine.folder / "python3-venv").touch()
    assert machine.venv().returncode == 0
    (machine.folder / "venv/pip").unlink()
    assert machine.venv().returncode == 0
    assert (machine.folder / "venv/pip").exists()
