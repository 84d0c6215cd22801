"""`flowrexctl build`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from flowrex import __version__
from flowrex.command.output import Progress, emit, show
from flowrex.errors import UsageError
from generator.cli import build_images
from generator.cli.changing import recorded_push
from generator.cli.context import load_environment, project_root
from generator.cli.options import json_option, override_option

if TYPE_CHECKING:
    from flowrex.s3 import S3Client
    from generator.artifact import Pushed
    from generator.environment import Environment
    from generator.images.recipe import Program


@click.command("build")
@click.option("--version", metavar="VERSION", help="Version to build, for example 1.4.0.")
@click.option(
    "--push", "push_to", metavar="ENV", help="Upload it to this environment's object store."
)
@click.option("--agent", is_flag=True, help="Make the node agent's packages instead.")
@click.option(
    "--images", "images_of", metavar="ENV", help="Build this environment's container images too."
)
@click.option(
    "--builder", type=click.Choice(["docker", "podman"]), help="What builds them; what is there."
)
@click.option("--base", metavar="IMAGE", help="Image that they are built on: a Debian 12.")
@click.option(
    "--builder-option", "options", multiple=True, metavar="TEXT", help="Given to the builder as is."
)
@override_option
@json_option
def command(
    version: str | None,
    push_to: str | None,
    agent: bool,
    images_of: str | None,
    builder: Program | None,
    base: str | None,
    options: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make the artifacts of application and frontend, or the node agent's packages, in dist/.

    The same sources give the same bytes, and a frontend that was built before is taken again.
    Without --version it is the release, or the version of the agent, of the environment that is
    pushed to, or this tool's own version. What is pushed of the agent is its tarball, for the
    environments that run it as a job (agent.enabled).

    With --images it also builds the container images with docker or podman (docs/images.md); --push
    of the same environment puts them into its registry. Their digests are written into dist/, from
    where the environment takes them.

    --push leaves a record of who pushed what, so it needs Consul, as the verbs that deploy do.

    \b
    Examples:
      flowrexctl build
      flowrexctl build --version 1.4.0 --push dev
      flowrexctl build --agent --version 1.4.0
      flowrexctl build --agent --push prod
      flowrexctl build --images prod --push prod
      flowrexctl build --images dev --builder podman --base localhost/debian:12
    """
    if images_of:
        _refuse(images_of, push_to, agent=agent)
        build_images.run(
            images_of,
            overrides,
            build_images.Choice(version, builder, base, options, push=push_to is not None),
            as_json=as_json,
        )
        return
    from generator.artifact import build, frontend, push
    from generator.artifact.push import store_of
    from generator.dev.settings import read

    environment = load_environment(push_to, overrides) if push_to else None
    # A missing key is told before the work, not after it.
    store = store_of(environment, os.environ) if environment else None
    if version is None:
        version = _version(environment, agent=agent)
    if agent:
        _agent(version, environment, store, as_json=as_json)
        return
    progress = Progress()
    cache = read(os.environ).cache
    progress(f"building {version} …")
    try:
        root = project_root()
        made = [build(root, version, cache=cache / "packages", environ=os.environ)]
        if environment is None or environment.frontend.enabled:
            made.append(
                frontend.build(
                    root, version, cache=cache / "frontend", environ=os.environ, tell=progress
                )
            )
        pushed: list[Pushed | None] = [None] * len(made)
        if environment and store:
            progress(f"built {version}; uploading …")
            with recorded_push(environment, version) as came:
                pushed = [push(one, store, environment.s3.artifacts_bucket) for one in made]
                came["pushed"] = {one.name: one.sha256 for one in made}
    finally:
        progress.clear()
    documents = [
        {**one.as_document(), **_document(at)} for one, at in zip(made, pushed, strict=True)
    ]
    if as_json:
        more = {one.name: document for one, document in zip(made[1:], documents[1:], strict=True)}
        emit({**documents[0], **more}, 0)
        return
    for one, at in zip(made, pushed, strict=True):
        show(f"{one.path}  {one.size / 1e6:.1f} MB  sha256:{one.sha256}")
        _show(at)


def _refuse(images_of: str, push_to: str | None, *, agent: bool) -> None:
    if agent:
        raise UsageError(
            "--agent and --images do not go together",
            hint="The agent runs on the nodes, and never in a container.",
        )
    if push_to not in {None, images_of}:
        raise UsageError(
            f"images of {images_of} can't be pushed to {push_to}: its registry is in their names",
            hint=f"flowrexctl build --images {push_to} --push {push_to}",
        )


def _agent(
    version: str, environment: Environment | None, store: S3Client | None, *, as_json: bool
) -> None:
    from generator.artifact import agent, push
    from generator.dev.settings import read

    progress = Progress()
    progress(f"building flowrex-agent {version} …")
    try:
        packages = agent.build(
            project_root(), version, cache=read(os.environ).cache / "packages", environ=os.environ
        )
        pushed = None
        if environment and store:
            progress(f"built flowrex-agent {version}; uploading …")
            with recorded_push(environment, version) as came:
                pushed = push(packages.tarball, store, environment.s3.artifacts_bucket)
                came["pushed"] = {"agent": packages.tarball.sha256}
    finally:
        progress.clear()
    if as_json:
        emit({"version": version, "packages": packages.as_documents(), **_document(pushed)}, 0)
        return
    for one in (packages.tarball, packages.deb):
        show(f"{one.path}  {one.size / 1e6:.1f} MB  sha256:{one.sha256}")
    _show(pushed)


def _version(environment: Environment | None, *, agent: bool) -> str:
    if environment is None:
        return __version__
    return environment.agent.version if agent else environment.release.version


def _document(pushed: Pushed | None) -> dict[str, object]:
    return {"url": pushed.url, "uploaded": pushed.uploaded} if pushed else {}


def _show(pushed: Pushed | None) -> None:
    if pushed:
        show(f"{pushed.url}  {'uploaded' if pushed.uploaded else 'was there already'}")
