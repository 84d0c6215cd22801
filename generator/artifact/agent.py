"""The node agent's packages: a tarball for any Linux with systemd, and a Debian package."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.artifact import archive, bytecode, deb, made
from generator.artifact.inputs import Inputs, source_date, version_of
from generator.artifact.made import Artifact
from generator.artifact.packages import Installer, pip_install, python_tag, site_packages

INPUTS = Inputs(("agents", "flowrex"), Path("requirements", "agent.lock"))
HOME = "opt/flowrex-agent"
PROGRAM = f"/{HOME}/bin/flowrex-agent"

_SITE = f"{HOME}/site-packages"
# Descriptions of every service that there is, four fifths of the whole: only the signer is used.
_UNUSED = f"{_SITE}/botocore/data/"

_DESCRIPTION = """\
flowrex-agent runs on each node: it makes backups and proves them, ships the
audit log, and watches for emergencies.

Its Python packages are inside, exactly as its lock file names them."""
_POSTINST = """#!/bin/sh
set -e
systemd-sysusers flowrex-agent.conf
systemd-tmpfiles --create flowrex-agent.conf
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # After an upgrade, where it runs already; a new one waits for its credentials.
    if [ -n "$2" ]; then systemctl try-restart flowrex-agent || true; fi
fi
"""
_PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl stop flowrex-agent || true
fi
"""


@dataclass(frozen=True)
class Package:
    """A package that was made.

    Attributes:
        path: its file.
        sha256: its checksum, in hex.
        size: its length in bytes.
    """

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Packages:
    """What a build makes.

    Attributes:
        tarball: for a system without dpkg, and for Nomad, which fetches it as an artifact.
        deb: the Debian package.
    """

    tarball: Artifact
    deb: Package

    def as_documents(self) -> list[dict[str, object]]:
        """Return what `--json` prints of each."""
        named: tuple[tuple[str, Artifact | Package], ...] = (
            ("tarball", self.tarball),
            ("deb", self.deb),
        )
        return [
            {"kind": kind, "path": str(one.path), "sha256": one.sha256, "size": one.size}
            for kind, one in named
        ]


def build(
    root: Path,
    version: str,
    *,
    cache: Path,
    environ: Mapping[str, str],
    install: Installer = pip_install,
) -> Packages:
    """Make dist/flowrex-agent-VERSION-….tar.gz, its manifest, and …/flowrex-agent_VERSION_ARCH.deb.

    Args:
        root: the project.
        version: the agent's version.
        cache: where installed packages are kept between builds.
        environ: the process's environment; SOURCE_DATE_EPOCH in it sets the files' time.
        install: installs a lock into an empty folder.

    Raises:
        UsageError: the version is no version.
        ConfigurationError: sources or the lock are missing or wrong, or a source is no Python.
        ServerUnreachable: the packages can't be fetched.
    """
    version_of(version)
    mtime_s = source_date(environ)
    site = site_packages(root / INPUTS.lock, cache, install)
    sources = INPUTS.entries(root, f"{HOME}/")
    packages = archive.tree(site, _SITE, bytecode=True)
    revision = INPUTS.revision(root)
    with made.folder(root) as dist, tempfile.TemporaryDirectory(prefix="flowrex-agent-") as name:
        laid, scratch = Path(name, "laid"), Path(name, "compiled")
        _installed(root, laid)
        placed = _placed(laid)
        scratch.mkdir()
        entries = [
            *sources,
            *bytecode.compiled(sources, scratch),
            *(entry for entry in packages if not entry.name.startswith(_UNUSED)),
            archive.Entry(PROGRAM[1:], root / "agents/systemd/launcher", executable=True),
        ]
        placed.append(
            archive.Entry("usr/bin/flowrex-agent", root / "agents/systemd/command", executable=True)
        )
        tarball = dist / f"flowrex-agent-{version}-{python_tag()}.tar.gz"
        package = dist / f"flowrex-agent_{version}_{deb.architecture()}.deb"
        everything = [*entries, *placed]
        return Packages(
            made.write("agent", version, tarball, entries, revision=revision, mtime_s=mtime_s),
            Package(package, *deb.write(package, _control(version), everything, mtime_s=mtime_s)),
        )


def _installed(root: Path, target: Path) -> None:
    """Let the agent itself say which files it has on a system; its code is not imported here."""
    command = [sys.executable, "-m", "agents.main", "install"]
    command += ["--root", str(target), "--program", PROGRAM]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"the agent's files can't be laid out: {done.stderr.strip() or 'no reason given'}",
            path=root,
        )


def _placed(folder: Path) -> list[archive.Entry]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [archive.Entry(str(path.relative_to(folder)), path, False) for path in files]


def _control(version: str) -> deb.Control:
    return deb.Control(
        name="flowrex-agent",
        version=version,
        # The packages inside are made for this Python alone.
        depends=f"python3 (>= {_python()}), python3 (<< {_python(1)}), systemd",
        summary="Flowrex node agent: backups, audit log, emergency watch",
        description=_DESCRIPTION,
        conffiles=("/etc/flowrex/agent.yaml",),
        scripts={"postinst": _POSTINST, "prerm": _PRERM},
    )


def _python(after: int = 0) -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor + after}"
