"""`flowrexctl build`."""

from __future__ import annotations

import os

import click

from flowrex import __version__
from flowrex.command.output import Progress, emit, show
from generator.cli.context import load_environment, project_root
from generator.cli.options import json_option, override_option


@click.command("build")
@click.option("--version", metavar="VERSION", help="Version to build, for example 1.4.0.")
@click.option(
    "--push", "push_to", metavar="ENV", help="Upload it to this environment's object store."
)
@click.option("--agent", is_flag=True, help="Make the node agent's packages instead.")
@override_option
@json_option
def command(
    version: str | None,
    push_to: str | None,
    agent: bool,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make the application's artifact, or the node agent's packages, reproducibly, in dist/.

    The same sources give the same bytes. Without --version it is the release of the environment
    that is pushed to, or this tool's own version.

    \b
    Examples:
      flowrexctl build
      flowrexctl build --version 1.4.0 --push dev
      flowrexctl build --agent --version 1.4.0
    """
    if agent:
        if push_to:
            raise click.UsageError("--agent is not pushed: nodes are given its package.")
        _agent(version or __version__, as_json=as_json)
        return
    from generator.artifact import build, push
    from generator.artifact.push import store_of
    from generator.dev.settings import read

    environment = load_environment(push_to, overrides) if push_to else None
    # A missing key is told before the work, not after it.
    store = store_of(environment, os.environ) if environment else None
    if version is None:
        version = environment.release.version if environment else __version__
    progress = Progress()
    progress(f"building {version} …")
    try:
        artifact = build(
            project_root(), version, cache=read(os.environ).cache / "packages", environ=os.environ
        )
        pushed = None
        if environment and store:
            progress(f"built {version}; uploading …")
            pushed = push(artifact, store, environment.s3.artifacts_bucket)
    finally:
        progress.clear()
    if as_json:
        document = artifact.as_document()
        if pushed:
            document |= {"url": pushed.url, "uploaded": pushed.uploaded}
        emit(document)
        return
    show(f"{artifact.path}  {artifact.size / 1e6:.1f} MB  sha256:{artifact.sha256}")
    if pushed:
        show(f"{pushed.url}  {'uploaded' if pushed.uploaded else 'was there already'}")


def _agent(version: str, *, as_json: bool) -> None:
    from generator.artifact import agent
    from generator.dev.settings import read

    progress = Progress()
    progress(f"building flowrex-agent {version} …")
    try:
        packages = agent.build(
            project_root(), version, cache=read(os.environ).cache / "packages", environ=os.environ
        )
    finally:
        progress.clear()
    if as_json:
        emit({"version": version, "packages": packages.as_documents()})
        return
    for one in (packages.tarball, packages.deb):
        show(f"{one.path}  {one.size / 1e6:.1f} MB  sha256:{one.sha256}")
