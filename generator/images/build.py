"""Builds the images of a version, pushes them, and writes down what came of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic
from generator import git
from generator.artifact import made
from generator.artifact.made import Artifact
from generator.environment.release import Release
from generator.images import manifest, recipe
from generator.images.builder import Builder
from generator.images.manifest import Built, Manifest
from generator.images.recipe import Recipe

# What an image differs with.
_MADE_FROM = ("app", "flowrex", "frontend", "images", "requirements/app.lock")

# Told of an image and of what is done with it just now.
Tell = Callable[[str, str], None]


def recipes(
    root: Path,
    release: Release,
    artifacts: Sequence[Artifact],
    revision: str | None,
    base: str | None,
    nginx: str,
) -> tuple[Recipe, ...]:
    """Return how each image of a release is made.

    Args:
        root: the project.
        release: its version and its registry.
        artifacts: the application and the frontend, as far as the release has them.
        revision: the commit that they are made from.
        base: the base image, or None for the Dockerfiles' own.
        nginx: the version of nginx' image, which is no part of a release.
    """
    wanted: dict[str, Mapping[str, str]] = {one.name: _made_of(root, one) for one in artifacts}
    wanted["nginx"] = {}
    versions = dict.fromkeys(wanted, release.version) | {"nginx": nginx}
    return tuple(
        recipe.recipe(
            name,
            release.reference(name, versions[name]),
            versions[name],
            revision,
            base=base,
            more=more,
        )
        for name, more in wanted.items()
    )


def _made_of(root: Path, artifact: Artifact) -> Mapping[str, str]:
    path = {"ARTIFACT": artifact.path.relative_to(root).as_posix()}
    return {**path, "PYTHON": artifact.python} if artifact.python else path


def build(
    root: Path,
    release: Release,
    artifacts: Sequence[Artifact],
    builder: Builder,
    *,
    nginx: str,
    base: str | None = None,
    options: Sequence[str] = (),
    tell: Tell,
) -> Manifest:
    """Build the images of a release and write dist/flowrex-images-VERSION.json.

    Args:
        root: the project.
        release: its version and its registry.
        artifacts: the application and the frontend of that version, in dist/.
        builder: docker or podman.
        nginx: the version of nginx' image.
        base: the base image, or None for the Dockerfiles' own.
        options: more options for the builder, as they stand.
        tell: gets the image's name, and each line that the builder says.

    Raises:
        ConfigurationError: an image can't be built.
        ServerUnreachable: the base image or the packages can't be fetched.
    """
    revision = git.revision(root, _MADE_FROM)
    images: dict[str, Built] = {}
    with tempfile.TemporaryDirectory(prefix="flowrex-images-") as folder:
        for one in recipes(root, release, artifacts, revision, base, nginx):
            id_file = Path(folder, one.name)
            command = recipe.build_command(builder.program, builder.path, one, options, id_file)
            builder.demand(command, root, partial(tell, one.name))
            found = _inspected(builder, root, one.reference)
            images[one.name] = Built(
                one.reference, _identity(id_file.read_text()), int(found.get("Size", 0))
            )
    return _written(root, Manifest(release.version, release.registry, revision, images))


def push(root: Path, built: Manifest, builder: Builder, *, tell: Tell) -> Manifest:
    """Push images, and write their digests into the manifest.

    Args:
        root: the project.
        built: what `build` returned.
        builder: docker or podman.
        tell: gets the image's name, and each line that the builder says.

    Raises:
        ServerUnreachable: the registry does not answer.
        PermissionRefused: it wants a login.
        ConfigurationError: an image can't be pushed.
    """
    digests: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="flowrex-images-") as folder:
        for name, one in built.images.items():
            digest_file = Path(folder, name)
            command = recipe.push_command(builder.program, builder.path, one.reference, digest_file)
            builder.demand(command, root, partial(tell, name))
            if digest_file.is_file():
                digests[name] = digest_file.read_text().strip()
            else:
                digests[name] = _digest(_inspected(builder, root, one.reference), one.reference)
    return _written(root, built.pushed(digests))


def _written(root: Path, built: Manifest) -> Manifest:
    with made.folder(root):
        write_atomic(
            manifest.file(root, built.version), json.dumps(built.as_document(), indent=2) + "\n"
        )
    return built


def _inspected(builder: Builder, root: Path, reference: str) -> Mapping[str, Any]:
    said = builder.demand(recipe.inspect_command(builder.path, reference), root, lambda line: None)
    try:
        (found,) = json.loads(said)
    except ValueError as error:
        raise ConfigurationError(
            f"{builder.program} does not say what {reference} is: {said[:200]}"
        ) from error
    return dict(found)


def _identity(text: str) -> str:
    """podman leaves out what kind of a sum it is."""
    name = text.strip()
    return name if ":" in name else f"sha256:{name}"


def _digest(found: Mapping[str, Any], reference: str) -> str:
    repository = reference.rpartition(":")[0]
    for one in found.get("RepoDigests") or []:
        name, _, digest = str(one).partition("@")
        if name == repository:
            return digest
    raise ConfigurationError(
        f"{reference} was pushed, and its digest is not known",
        hint="Push it with podman, or name it in release.digests.",
    )
