"""Makes the application's artifact."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from generator.artifact import archive, bytecode, made
from generator.artifact.inputs import Inputs, source_date, version_of
from generator.artifact.made import Artifact
from generator.artifact.packages import Installer, pip_install, site_packages

INPUTS = Inputs(("app", "flowrex"), Path("requirements", "app.lock"))


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
        ConfigurationError: sources or the lock are missing or wrong, or a source is no Python.
        ServerUnreachable: the packages can't be fetched.
    """
    version_of(version)
    mtime_s = source_date(environ)
    entries = INPUTS.entries(root)
    site = site_packages(root / INPUTS.lock, cache, install)
    revision = INPUTS.revision(root)
    with made.folder(root) as dist, tempfile.TemporaryDirectory(prefix="flowrex-app-") as scratch:
        entries += bytecode.compiled(entries, Path(scratch))
        entries += archive.tree(site, "site-packages", bytecode=True)
        path = dist / f"flowrex-app-{version}.tar.gz"
        return made.write("app", version, path, entries, revision=revision, mtime_s=mtime_s)
