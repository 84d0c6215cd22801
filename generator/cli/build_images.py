"""`flowrexctl build --images`."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowrex.command.output import Progress, emit, show, table
from generator.cli.changing import recorded_push
from generator.cli.context import load_environment, project_root

if TYPE_CHECKING:
    from generator.images.manifest import Manifest
    from generator.images.recipe import Program


@dataclass(frozen=True)
class Choice:
    """What a person chose of it.

    Attributes:
        version: another version than the environment's.
        builder: docker or podman, or what is there.
        base: the image that they are built on, or the Dockerfiles' own.
        options: more options for the builder.
        push: whether they are pushed.
    """

    version: str | None
    builder: Program | None
    base: str | None
    options: Sequence[str]
    push: bool


def run(name: str, overrides: tuple[str, ...], choice: Choice, *, as_json: bool) -> None:
    """Build an environment's images, and print what they are."""
    from generator import artifact
    from generator.artifact import frontend
    from generator.dev.settings import read
    from generator.images import build, builder

    environment = load_environment(name, overrides)
    release = environment.release
    if choice.version:
        release = dataclasses.replace(release, version=choice.version)
    # A missing program is told before the work, not after it.
    found = builder.find(choice.builder, os.environ)
    root = project_root()
    progress = Progress()
    began = time.monotonic()

    def tell(image: str, line: str) -> None:
        progress(f"flowrex-{image} {time.monotonic() - began:.0f} s: {line.strip()}")

    try:
        progress(f"building {release.version} …")
        cache, version = read(os.environ).cache, release.version
        artifacts = [
            artifact.build(root, version, cache=cache / "packages", environ=os.environ),
        ]
        if environment.frontend.enabled:
            pages = frontend.build(
                root, version, cache=cache / "frontend", environ=os.environ, tell=progress
            )
            artifacts.append(pages)
        made = build.build(
            root,
            release,
            artifacts,
            found,
            nginx=environment.nginx.image_version,
            base=choice.base,
            options=choice.options,
            tell=tell,
        )
        if choice.push:
            with recorded_push(environment, release.version) as came:
                made = build.push(root, made, found, tell=tell)
                came["pushed"] = {name: one.digest for name, one in made.images.items()}
    finally:
        progress.clear()
    _show(made, as_json=as_json)


def _show(made: Manifest, *, as_json: bool) -> None:
    if as_json:
        emit(made.as_document(), 0)
        return
    rows = [
        (one.reference, f"{one.size / 1e6:.0f} MB", one.digest or f"{one.id} (not pushed)")
        for one in made.images.values()
    ]
    show(table(rows, ("IMAGE", "SIZE", "DIGEST")))
