"""Which images there are, what each is made from, and the commands that make it: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Program = Literal["docker", "podman"]
PROGRAMS: tuple[Program, ...] = ("docker", "podman")

FOLDER = Path("images")
# What an image says it was made from where git does not know the project.
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recipe:
    """How one image is made.

    Attributes:
        name: the image is called `flowrex-<name>`.
        reference: its whole name, with the version.
        labels: what it says of itself, by name.
        arguments: build arguments, by name.
    """

    name: str
    reference: str
    labels: Mapping[str, str]
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def dockerfile(self) -> Path:
        """Its Dockerfile, relative to the project."""
        return FOLDER / f"{self.name}.Dockerfile"


def recipe(
    name: str,
    reference: str,
    version: str,
    revision: str | None,
    *,
    base: str | None,
    more: Mapping[str, str] | None = None,
) -> Recipe:
    """Return how an image is made.

    Args:
        name: `app`, for one.
        reference: its whole name, with the version.
        version: the version that its label says.
        revision: the commit that its label says.
        base: the image that it is built on; the Dockerfile's own where it is None.
        more: what this image alone wants to know.
    """
    labels = {
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": revision or _UNKNOWN,
    }
    arguments = {**(more or {}), **({"BASE": base} if base else {})}
    return Recipe(name, reference, labels, arguments)


def build_command(
    program: Program, path: str, one: Recipe, options: Sequence[str], id_file: Path
) -> list[str]:
    """Return the command that builds an image, to be run in the project's folder.

    Args:
        program: docker or podman.
        path: where the program is.
        one: the image.
        options: more options, as they stand.
        id_file: is to get the image's ID.
    """
    # podman's own format knows no HEALTHCHECK.
    form = ["--format", "docker"] if program == "podman" else []
    # On the command line, since podman takes a LABEL made of an argument from an older build.
    labels = [f"--label={name}={value}" for name, value in sorted(one.labels.items())]
    arguments = [f"--build-arg={name}={value}" for name, value in sorted(one.arguments.items())]
    return [
        path, "build", *form, *options, *labels, *arguments, "--file", str(one.dockerfile),
        "--tag", one.reference, "--iidfile", str(id_file), ".",
    ]  # fmt: skip


def push_command(program: Program, path: str, reference: str, digest_file: Path) -> list[str]:
    """Return the command that pushes an image.

    Args:
        program: docker or podman.
        path: where the program is.
        reference: the image.
        digest_file: is to get the digest, from podman; docker is asked for it afterwards.
    """
    digest = ["--digestfile", str(digest_file)] if program == "podman" else []
    return [path, "push", *digest, reference]


def inspect_command(path: str, reference: str) -> list[str]:
    """Return the command that tells an image's size, and the digests that registries gave it."""
    return [path, "image", "inspect", reference]
