"""What was built: a JSON file in dist/, from which an environment takes its images' digests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from flowrex.errors import ConfigurationError


@dataclass(frozen=True)
class Built:
    """One image.

    Attributes:
        reference: its whole name, with the version.
        id: its ID at the builder, `sha256:…`, which its content decides.
        size: its length in bytes, unpacked.
        digest: its digest in the registry, `sha256:…`; None where it was not pushed.
    """

    reference: str
    id: str
    size: int
    digest: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The images of one version.

    Attributes:
        version: the version.
        registry: where they come from.
        revision: the commit that they were built from; `+changes` where files differed from it.
        images: each by its name, `app`.
    """

    version: str
    registry: str
    revision: str | None
    images: Mapping[str, Built] = field(default_factory=dict)

    def as_document(self) -> dict[str, object]:
        """Return what the file holds and `--json` prints."""
        return asdict(self)

    def pushed(self, digests: Mapping[str, str]) -> Manifest:
        """Return it with the digests that the registry gave."""
        images = {
            name: replace(one, digest=digests.get(name, one.digest))
            for name, one in self.images.items()
        }
        return replace(self, images=images)


def file(root: Path, version: str) -> Path:
    """Return the manifest's file of one version.

    Args:
        root: the project.
        version: the version.
    """
    return root / "dist" / f"flowrex-images-{version}.json"


def digests(root: Path, version: str, registry: str) -> Mapping[str, str]:
    """Return the digests that were pushed, by the images' names.

    Args:
        root: the project.
        version: which version.
        registry: to where; what was pushed to another is no answer.

    Raises:
        ConfigurationError: the file is there, and is no manifest.
    """
    path = file(root, version)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["registry"] != registry:
            return {}
        found = {name: one["digest"] for name, one in document["images"].items()}
    except OSError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            "is no manifest of images",
            path=path,
            hint="Make it anew with `flowrexctl build --images ENV`.",
        ) from error
    return {name: str(digest) for name, digest in found.items() if digest}
