"""Which code runs: a version, and what its artifact and its images are known by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowrex.settings.declare import setting

VERSION = r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?"
SHA256 = r"[0-9a-f]{64}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """Which code runs."""

    version: str = setting("Version of the application.", pattern=VERSION)
    checksum: str | None = setting(
        "SHA-256 of the artifact, 64 hexadecimal digits. Where it is null, the manifest that "
        "`flowrexctl build` left in dist/ gives it.",
        pattern=SHA256,
    )
    registry: str = setting("Image registry and path before `/flowrex-<image>`, for containers.")
    digests: Mapping[str, str] = setting(
        "Digest (`sha256:…`) of each image, `app`, `frontend` and `nginx`, so that a moved tag "
        "changes nothing. Those of `app` and `frontend` that are not here the manifest of "
        "`flowrexctl build --images ENV --push ENV` gives."
    )
    history: int = setting("How many release records are kept.", minimum=1)

    def reference(self, name: str, version: str | None = None) -> str:
        """Return an image's name with the version, under which it is built and pushed.

        Args:
            name: `app`, for one.
            version: of an image that is no part of the release; None: the release's.
        """
        return f"{self.registry}/flowrex-{name}:{version or self.version}"

    def image(self, name: str, version: str | None = None) -> str:
        """Return what a job asks for: the name, and the digest where one is known.

        Args:
            name: `app`, for one.
            version: as of `reference`.
        """
        digest = self.digests.get(name)
        return self.reference(name, version) + (f"@{digest}" if digest else "")
