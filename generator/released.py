"""The settings that a release was rendered with, as far as its record tells them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowrex.errors import UsageError
from generator.release import Release

_PREFIX = "sha256:"


def settings_of(records: Sequence[Release], environment: str) -> tuple[str, ...]:
    """Return the version and the code of what was released last, each as `--set` takes it.

    Args:
        records: of an environment, the newest first.
        environment: its name, for the message.

    Raises:
        UsageError: no record says what runs.
    """
    found = next((one for one in records if (one.stands.get("backend") or {}).get("release")), None)
    if found is None:
        raise UsageError(
            f"no release of {environment} is recorded that says what runs",
            hint=f"Name the version that `flowrexctl status {environment}` shows: "
            "--set release.version=VERSION",
        )
    version = found.stands["backend"]["release"]
    return (f"release.version={version}", *_code(found))


def _code(found: Release) -> Iterator[str]:
    for job, image, checksum in (
        ("backend", "app", "release.checksum"),
        ("frontend", "frontend", "frontend.checksum"),
    ):
        for one in (found.stands.get(job) or {}).get("code") or ():
            name, _, digest = str(one).rpartition("@")
            if name:
                yield f"release.digests.{image}={digest}"
            elif digest.startswith(_PREFIX):
                yield f"{checksum}={digest.removeprefix(_PREFIX)}"
