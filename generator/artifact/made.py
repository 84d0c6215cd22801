"""An archive that was made, and the manifest beside it that says what it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.files import replacing, write_atomic
from generator.artifact import archive
from generator.artifact.packages import python_tag

_IN_MANIFEST = ("version", "sha256", "size", "python", "node", "revision")


@dataclass(frozen=True)
class Artifact:
    """One version of the application, the frontend or the agent, as Nomad fetches it.

    Attributes:
        name: `app`, `frontend` or `agent`.
        version: its version.
        sha256: the archive's checksum, in hex.
        size: its length in bytes.
        python: the interpreter and platform that its packages fit; None where it has none.
        node: the Node.js that built it; None where none did.
        revision: the commit that it was built from; `+changes` where files differed from it.
        path: the archive.
        manifest: the JSON file beside it, which holds what `flowrexctl` has to know of it.
    """

    name: str
    version: str
    sha256: str
    size: int
    python: str | None
    node: str | None
    revision: str | None
    path: Path
    manifest: Path

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        document = {**asdict(self), "path": str(self.path), "manifest": str(self.manifest)}
        del document["name"]
        return document

    @property
    def key(self) -> str:
        """The name under which the object store keeps it: never two contents under one name."""
        file = f"flowrex-{self.name}-{self.version}.tar.gz"
        return f"{self.name}/{self.version}/{self.sha256}/{file}"


def write(
    name: str,
    version: str,
    path: Path,
    entries: Iterable[archive.Entry],
    *,
    revision: str | None,
    mtime_s: int,
) -> Artifact:
    """Write an archive and its manifest, into the same folder.

    Args:
        name: `app` or `agent`.
        version: its version.
        path: the archive.
        entries: its files.
        revision: the commit that they are of.
        mtime_s: the time that every file gets, in seconds since 1970.
    """
    sha256, size = archive.write(path, entries, mtime_s=mtime_s)
    artifact = Artifact(
        name=name,
        version=version,
        sha256=sha256,
        size=size,
        python=python_tag(),
        node=None,
        revision=revision,
        path=path,
        manifest=_manifest(path, name, version),
    )
    _describe(artifact)
    return artifact


def keep(
    name: str, version: str, path: Path, packed: Path, *, revision: str | None, node: str
) -> Artifact:
    """Copy an archive that was made before, and write its manifest into the same folder.

    Args:
        name: `frontend`.
        version: its version.
        path: the archive.
        packed: the one that is copied.
        revision: the commit that its files are of.
        node: the Node.js that built it.
    """
    with replacing(path) as temporary:
        shutil.copyfile(packed, temporary)
    artifact = Artifact(
        name=name,
        version=version,
        sha256=archive.checksum(path),
        size=path.stat().st_size,
        python=None,
        node=node,
        revision=revision,
        path=path,
        manifest=_manifest(path, name, version),
    )
    _describe(artifact)
    return artifact


def _manifest(path: Path, name: str, version: str) -> Path:
    return path.with_name(f"flowrex-{name}-{version}.json")


def _describe(artifact: Artifact) -> None:
    """Write the manifest; it says nothing of a tool that had no part in it."""
    fields = {field: getattr(artifact, field) for field in _IN_MANIFEST}
    if artifact.node is None:
        del fields["node"]
    if artifact.python is None:
        del fields["python"]
    write_atomic(artifact.manifest, json.dumps(fields, indent=2) + "\n")


@contextmanager
def folder(root: Path) -> Iterator[Path]:
    """Give the project's dist/ to write into.

    Args:
        root: the project.

    Yields:
        The folder.

    Raises:
        ConfigurationError: it can't be written.
    """
    dist = root / "dist"
    try:
        dist.mkdir(exist_ok=True)
        yield dist
    except OSError as error:
        raise ConfigurationError(
            f"the artifact can't be written: {error.strerror}",
            path=dist,
            hint="Make room, or give yourself the right to write there; nothing half-made is left.",
        ) from error
