"""An archive that was made, and the manifest beside it that says what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic
from generator.artifact import archive
from generator.artifact.packages import python_tag

_IN_MANIFEST = ("version", "sha256", "size", "python", "revision")


@dataclass(frozen=True)
class Artifact:
    """One version of the application or of the agent, as Nomad fetches it.

    Attributes:
        name: `app` or `agent`.
        version: its version.
        sha256: the archive's checksum, in hex.
        size: its length in bytes.
        python: the interpreter and platform that its packages fit.
        revision: the commit that it was built from; `+changes` where files differed from it.
        path: the archive.
        manifest: the JSON file beside it, which holds what `flowrexctl` has to know of it.
    """

    name: str
    version: str
    sha256: str
    size: int
    python: str
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
        revision=revision,
        path=path,
        manifest=path.with_name(f"flowrex-{name}-{version}.json"),
    )
    fields = {field: getattr(artifact, field) for field in _IN_MANIFEST}
    write_atomic(artifact.manifest, json.dumps(fields, indent=2) + "\n")
    return artifact


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
