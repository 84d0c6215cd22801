"""Whether it is known which images a release would run: a tag alone names any of them, or none."""

from __future__ import annotations

from collections.abc import Collection

from flowrex.errors import ConfigurationError
from generator.environment import Environment

# The jobs that run an image of the release's own. nginx' is none: `nginx.image_version`.
IMAGES = {
    "migrate": "app",
    "backend": "app",
    "worker": "app",
    "frontend": "frontend",
    "retention": "app",
}


def unpinned(environment: Environment, jobs: Collection[str]) -> dict[str, str]:
    """Return the jobs whose image has no digest, to that image's name. Pure.

    A local environment builds for itself, and may run what it has built without a push.

    Args:
        environment: the settings, with the digests of the build's manifest.
        jobs: which.
    """
    if environment.platform.driver != "docker" or environment.platform.local:
        return {}
    release = environment.release
    return {
        job: release.reference(IMAGES[job])
        for job in jobs
        if job in IMAGES and IMAGES[job] not in release.digests
    }


def hint(environment: Environment) -> str:
    """Return what to type where an image has no digest."""
    name, version = environment.name, environment.release.version
    return (
        f"Build and push it: flowrexctl build --version {version} --images {name} --push {name}. "
        "Where that was elsewhere, put its dist/flowrex-images-*.json into dist/, or name the "
        "digests in release.digests."
    )


def demand(environment: Environment, jobs: Collection[str]) -> None:
    """Refuse a release whose images nobody has pushed.

    Args:
        environment: the settings.
        jobs: the jobs that would run.

    Raises:
        ConfigurationError: an image has no digest.
    """
    found = unpinned(environment, jobs)
    if found:
        images = ", ".join(dict.fromkeys(found.values()))
        raise ConfigurationError(
            f"the digest of {images} is not known, so that nobody can tell what would run",
            hint=hint(environment),
        )
