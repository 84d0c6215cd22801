"""Programs that the system's own packages have: PostgreSQL, Redis, nginx, Prometheus and more."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev import postgres_install
from generator.dev.servers.progress import Progress

Run = Callable[[Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]

# Debian keeps nginx in a folder that a user's PATH may lack.
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Package:
    """A system package, the program it is wanted for, and the services it would start."""

    name: str
    program: str
    services: tuple[str, ...] = ()


# The program of each job that watches the platform, by the job's section in the settings.
WATCHING = {
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "node_exporter": "prometheus-node-exporter",
    "postgres_exporter": "prometheus-postgres-exporter",
    "redis_exporter": "prometheus-redis-exporter",
    "nginx_exporter": "prometheus-nginx-exporter",
}
CLUSTER = (
    Package("postgresql", "postgres", ("postgresql",)),
    Package("pgbackrest", "pgbackrest"),
    Package("redis-server", "redis-server", ("redis-server",)),
    Package("nginx", "nginx", ("nginx",)),
    # Build and run the frontend.
    Package("nodejs", "node"),
    Package("npm", "npm"),
    # Package, program and service have one name.
    *(Package(name, name, (name,)) for name in WATCHING.values()),
)
# For tests and benchmarks: load, a machine with a systemd of its own, containers.
LOAD = (
    Package("wrk", "wrk"),
    Package("systemd-container", "systemd-nspawn"),
    Package("debootstrap", "debootstrap"),
    # Containers, and where their images are pushed to.
    Package("podman", "podman"),
    Package("runc", "runc"),
    Package("docker-registry", "docker-registry", ("docker-registry",)),
)

# The packages' services are for a system's own database and web server. Here they only bring the
# programs, so nothing is started, enabled or initialised. What is put in place for that is removed.
_INSTALL = """
set -eu
services=$1; shift
made=
trap 'rm -f $made' EXIT
# Without these a signal would end the shell past its EXIT trap.
trap 'exit 130' INT
trap 'exit 143' HUP TERM
# One that an installation left which was killed is ours as well.
if [ ! -e /usr/sbin/policy-rc.d ] || grep -q flowrexctl /usr/sbin/policy-rc.d; then
    made=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\\n# flowrexctl dev setup\\nexit 101\\n' > "$made"
    chmod 755 "$made"
fi
case " $* " in *" postgresql "*)
    mkdir -p /etc/postgresql-common/createcluster.d
    made="$made /etc/postgresql-common/createcluster.d/flowrex.conf"
    echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/flowrex.conf
esac
export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=120 update
apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
    systemctl disable --quiet $services || true
fi
"""


def find(program: str, environ: Mapping[str, str]) -> Path | None:
    """Return the path of a program on PATH or in the system's folders, or None.

    Args:
        program: for example `nginx`, `redis-server` or `postgres`.
        environ: the process's environment.
    """
    if program == "postgres":
        try:
            return postgres_install.programs() / program
        except ConfigurationError:
            return None
    path = os.pathsep.join([environ.get("PATH", ""), *_SYSTEM_FOLDERS])
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def missing(packages: Iterable[Package], environ: Mapping[str, str]) -> tuple[Package, ...]:
    """Return the packages whose program is not on this machine."""
    return tuple(package for package in packages if find(package.program, environ) is None)


def ensure_packages(
    packages: Iterable[Package],
    *,
    environ: Mapping[str, str],
    progress: Progress,
    root: bool | None = None,
    run: Run | None = None,
) -> tuple[Package, ...]:
    """Install the packages whose program is missing; with all there, nothing is called.

    Args:
        packages: `CLUSTER`, and `LOAD` for tests and benches that make load.
        environ: the process's environment.
        progress: is told what is installed.
        root: whether root asks; found out unless given.
        run: runs a command in an environment; `subprocess.run` unless given.

    Returns:
        The packages that were installed.

    Raises:
        ConfigurationError: some are missing and can't be installed from here.
    """
    wanted = missing(packages, environ)
    if not wanted:
        return ()
    run = _run if run is None else run
    names = [package.name for package in wanted]
    become = _become_root(environ, os.geteuid() == 0 if root is None else root, run)
    if become is None:
        raise ConfigurationError(
            f"{_programs(wanted)} missing on this machine, and this user can't install packages",
            hint=f"Type: {_command(names, environ)}",
        )
    services = " ".join(service for package in wanted for service in package.services)
    progress.start(f"Installing system packages: {', '.join(names)}")
    answer = run([*become, "sh", "-c", _INSTALL, "install", services, *names], environ)
    if answer.returncode != 0:
        progress.stopped()
        said = [line for line in answer.stderr.strip().splitlines() if line] or ["no reason given"]
        raise ConfigurationError(
            f"the system packages {', '.join(names)} could not be installed: {said[-1]}",
            hint=f"Type: {_command(names, environ)}",
        )
    if left := missing(wanted, environ):
        progress.stopped()
        raise ConfigurationError(
            f"{_programs(left)} still missing after the installation of {', '.join(names)}",
            hint="Put them on PATH.",
        )
    progress.done("installed")
    return wanted


def _become_root(environ: Mapping[str, str], root: bool, run: Run) -> list[str] | None:
    """Return what to put before a command to run it as root, or None where that can't be done."""
    path = environ.get("PATH", "")
    if shutil.which("apt-get", path=path) is None:
        return None
    if root:
        return []
    if shutil.which("sudo", path=path) and run(["sudo", "-n", "true"], environ).returncode == 0:
        return ["sudo", "-n"]
    return None


def _command(names: Sequence[str], environ: Mapping[str, str]) -> str:
    if shutil.which("apt-get", path=environ.get("PATH", "")):
        return f"sudo apt-get update && sudo apt-get install {' '.join(names)}"
    return f"your system's command to install what Debian calls {' '.join(names)}"


def _programs(packages: Sequence[Package]) -> str:
    names = [package.program for package in packages]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _run(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
