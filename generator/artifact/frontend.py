"""Makes the frontend's artifact: Next's standalone output, built once for what it is made from."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator import git
from generator.artifact import archive, made, node
from generator.artifact.inputs import source_date, version_of
from generator.artifact.made import Artifact
from generator.artifact.node import Node

FOLDER = "frontend"
LOCK = "package-lock.json"

# Made by a build or an editor, or not in what runs.
_LEFT_OUT = frozenset({"node_modules", ".next", ".server", ".tests", "tests", "next-env.d.ts"})
_LEFT_OUT_SUFFIXES = frozenset({".tsbuildinfo", ".orig", ".rej", ".swp"})
_OUTPUT = Path(".next", "standalone")
# Changed with this module, where the same sources would give another archive.
_RECIPE = "2"


def build(
    root: Path,
    version: str,
    *,
    cache: Path,
    environ: Mapping[str, str],
    tell: Callable[[str], None] = lambda text: None,
    find: Callable[[Mapping[str, str]], Node] = node.find,
) -> Artifact:
    """Make dist/flowrex-frontend-VERSION.tar.gz and its manifest.

    The bytes depend on the sources, the lock and Node's version alone. What was built of the same
    is kept and taken again.

    Args:
        root: the project.
        version: the platform's version, which is told at run time and not built in.
        cache: where packages and what was built are kept.
        environ: the process's environment; SOURCE_DATE_EPOCH in it sets the files' time.
        tell: is told what takes long.
        find: finds the Node.js that builds.

    Raises:
        UsageError: the version is no version.
        ConfigurationError: sources, the lock or Node.js are missing or wrong.
        ServerUnreachable: the packages can't be fetched.
    """
    version_of(version)
    mtime_s = source_date(environ)
    sources = _sources(root)
    builder = find(environ)
    packed = cache / f"{_key(sources, builder.version, mtime_s)}.tar.gz"
    if not packed.is_file():
        with _unpacked(sources, cache, builder, tell) as output:
            archive.write(packed, archive.tree(output, "", hidden=True), mtime_s=mtime_s)
    revision = git.revision(root, (FOLDER,))
    with made.folder(root) as dist:
        path = dist / f"flowrex-frontend-{version}.tar.gz"
        return made.keep("frontend", version, path, packed, revision=revision, node=builder.version)


def _sources(root: Path) -> dict[str, Path]:
    """Return what it is made from, by the path in its folder."""
    folder = root / FOLDER
    if not (folder / LOCK).is_file():
        raise ConfigurationError(
            f"there is no {FOLDER}/{LOCK}", path=root, hint="It is part of the project."
        )
    found: dict[str, Path] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in files:
            path = Path(parent, name)
            if name not in _LEFT_OUT and path.suffix not in _LEFT_OUT_SUFFIXES:
                found[path.relative_to(folder).as_posix()] = path
    return found


def _key(sources: Mapping[str, Path], version: str, mtime_s: int) -> str:
    told = hashlib.sha256(f"{_RECIPE} {version} {platform.machine()} {mtime_s}\0".encode())
    for name, path in sorted(sources.items()):
        told.update(f"{name}\0{archive.checksum(path)}\0".encode())
    return told.hexdigest()[:24]


@contextmanager
def _unpacked(
    sources: Mapping[str, Path], cache: Path, builder: Node, tell: Callable[[str], None]
) -> Iterator[Path]:
    """Build, and give the folder with what runs for the length of a block."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".building-", dir=cache)
    except OSError as error:
        raise ConfigurationError(
            f"can't build in {cache}: {error.strerror}",
            hint="Name another folder with FLOWREX_CACHE_DIR.",
        ) from error
    with temporary as name:
        folder = Path(name, FOLDER)
        packages = _packages(sources, cache, builder, tell)
        for relative, path in sources.items():
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / relative)
        # Links to the same files: copies would take most of the build's time.
        shutil.copytree(packages, folder / "node_modules", symlinks=True, copy_function=os.link)
        tell("compiling the frontend, once for these sources …")
        builder.npm(("run", "build"), folder)
        if not (folder / _OUTPUT / "server").is_dir():
            raise ConfigurationError(f"the build left no {_OUTPUT}", path=Path(FOLDER))
        yield folder / _OUTPUT


def _packages(
    sources: Mapping[str, Path], cache: Path, builder: Node, tell: Callable[[str], None]
) -> Path:
    """Return the folder with the lock's packages; they are installed the first time only."""
    wanted = {name: sources[name] for name in ("package.json", LOCK, ".npmrc") if name in sources}
    folder = cache / f"packages-{_key(wanted, builder.version, 0)}"
    if not folder.is_dir():
        tell("fetching the frontend's locked packages, once for this lock …")
        with tempfile.TemporaryDirectory(prefix=".installing-", dir=cache) as name:
            for relative, path in wanted.items():
                shutil.copyfile(path, Path(name, relative))
            builder.npm(("ci", "--ignore-scripts"), Path(name))
            try:
                Path(name, "node_modules").rename(folder)
            except OSError:
                # Another build of the same lock was quicker; its folder is as good.
                if not folder.is_dir():
                    raise
    return folder
