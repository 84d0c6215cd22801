"""Makes the artifact and the manifest that says what it is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError, UsageError
from flowrex.files import write_atomic
from generator.artifact import archive
from generator.artifact.packages import Installer, pip_install, python_tag, site_packages

# What the archive's root holds besides site-packages.
SOURCES = ("app", "flowrex")
LOCK = Path("requirements", "app.lock")

_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?")


@dataclass(frozen=True)
class Artifact:
    """One built version.

    Attributes:
        version: the application's version.
        sha256: the archive's checksum, in hex.
        size: its length in bytes.
        python: the interpreter and platform that its packages fit.
        revision: the commit that it was built from; `+changes` where files differed from it.
        path: the archive.
        manifest: the JSON file beside it, which holds the fields above.
    """

    version: str
    sha256: str
    size: int
    python: str
    revision: str | None
    path: Path
    manifest: Path

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {**asdict(self), "path": str(self.path), "manifest": str(self.manifest)}

    @property
    def key(self) -> str:
        """The name under which the object store keeps it: never two contents under one name."""
        return f"app/{self.version}/{self.sha256}/{self.path.name}"


def build(
    root: Path,
    version: str,
    *,
    cache: Path,
    environ: Mapping[str, str],
    install: Installer = pip_install,
) -> Artifact:
    """Make dist/flowrex-app-VERSION.tar.gz and its manifest.

    The bytes depend on the sources, the lock, the interpreter's version and the platform alone:
    two builds in different places at different times agree.

    Args:
        root: the project.
        version: the application's version, as 1.2.3 or 1.2.3-rc.1.
        cache: where installed packages are kept between builds.
        environ: the process's environment; SOURCE_DATE_EPOCH in it sets the files' time.
        install: installs a lock into an empty folder.

    Raises:
        UsageError: the version is no version.
        ConfigurationError: sources or the lock are missing or wrong.
        ServerUnreachable: the packages can't be fetched.
    """
    version_of(version)
    mtime_s = source_date(environ)
    entries = []
    for name in SOURCES:
        if not (root / name).is_dir():
            raise ConfigurationError(f"there is no folder {name}", path=root)
        entries += archive.tree(root / name, name)
    site = site_packages(root / LOCK, cache, install)
    entries += archive.tree(site, "site-packages")
    dist = root / "dist"
    try:
        return _written(root, dist, version, entries, mtime_s)
    except OSError as error:
        raise ConfigurationError(
            f"the artifact can't be written: {error.strerror}",
            path=dist,
            hint="Make room, or give yourself the right to write there; nothing half-made is left.",
        ) from error


def _written(
    root: Path, dist: Path, version: str, entries: Sequence[archive.Entry], mtime_s: int
) -> Artifact:
    dist.mkdir(exist_ok=True)
    path = dist / f"flowrex-app-{version}.tar.gz"
    sha256, size = archive.write(path, entries, mtime_s=mtime_s)
    artifact = Artifact(
        version=version,
        sha256=sha256,
        size=size,
        python=python_tag(),
        revision=_revision(root),
        path=path,
        manifest=dist / f"flowrex-app-{version}.json",
    )
    _write_manifest(artifact)
    return artifact


def _write_manifest(artifact: Artifact) -> None:
    fields = {
        name: getattr(artifact, name)
        for name in ("version", "sha256", "size", "python", "revision")
    }
    write_atomic(artifact.manifest, json.dumps(fields, indent=2) + "\n")


def version_of(text: str) -> None:
    """Refuse what is no version.

    Raises:
        UsageError: it is none.
    """
    if not _VERSION.fullmatch(text):
        raise UsageError(
            f"{text!r} is no version; expected one such as 1.4.0 or 1.4.0-rc.1",
            hint="flowrexctl build --version 1.4.0",
        )


def source_date(environ: Mapping[str, str]) -> int:
    """Return the time that every file of an archive gets, in seconds since 1970.

    Args:
        environ: SOURCE_DATE_EPOCH in it sets it.

    Raises:
        ConfigurationError: SOURCE_DATE_EPOCH is no number.
    """
    given = environ.get("SOURCE_DATE_EPOCH", "").strip()
    if not given:
        return archive.EPOCH_S
    if not (given.isascii() and given.isdecimal()):
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH is {given!r}; expected seconds since 1970, or nothing"
        )
    return int(given)


def _revision(root: Path) -> str | None:
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(root, "status", "--porcelain", "--", *SOURCES, str(LOCK))
    return f"{commit}+changes" if changed else commit


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
