"""`flowrexctl dev setup`: what the cluster needs on this machine."""

from __future__ import annotations

import os

import click

from flowrex.command.output import emit, show
from generator.cli.options import json_option


@click.command("setup")
@click.option(
    "--load",
    is_flag=True,
    help="Also what only tests and benchmarks need: wrk, debootstrap, systemd-nspawn, podman.",
)
@json_option
def setup(load: bool, as_json: bool) -> None:
    """Install the system packages and the servers that are missing; start nothing.

    A second set-up at the same time waits for the first. One that is interrupted goes on where it
    was.

    \b
    Examples:
      flowrexctl dev setup
      flowrexctl dev setup --load
    """
    from generator.dev import packages, servers
    from generator.dev.settings import read
    from generator.dev.up import BINARIES

    progress = servers.Lines()
    wanted = packages.CLUSTER + (packages.LOAD if load else ())
    installed = packages.ensure_packages(wanted, environ=os.environ, progress=progress)
    found = servers.ensure(
        BINARIES, cache=read(os.environ).cache, environ=os.environ, progress=progress
    )
    if as_json:
        emit(
            {
                "packages_installed": [package.name for package in installed],
                "servers": [binary.as_document() for binary in found.values()],
            },
            0,
        )
    else:
        show(f"{len(wanted)} system packages and {len(found)} servers are here.")
