"""What a running cluster tells `flowrexctl` about itself: a layer over the environment dev."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.dev import packages
from generator.dev.layout import HOST, Layout


def document(
    layout: Layout,
    *,
    python: str,
    nginx: str | None,
    node: str | None = None,
    watching: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the settings that only this cluster knows.

    Args:
        layout: the cluster.
        python: the interpreter that runs the application.
        nginx: the nginx program, where there is one.
        node: the Node.js program, where there is one.
        watching: the programs of the jobs that watch the platform, by section, as far as there are.
    """
    platform = {"python": python}
    if nginx is not None:
        platform["nginx"] = nginx
    if node is not None:
        platform["node"] = node
    watched: dict[str, dict[str, Any]] = {
        section: {"program": program} for section, program in (watching or {}).items()
    }
    for section, port in (("prometheus", layout.prometheus), ("alertmanager", layout.alertmanager)):
        watched.setdefault(section, {})["port"] = port
    return {
        **watched,
        "platform": platform,
        "servers": {
            "nomad": layout.nomad_address,
            "consul": layout.consul_address,
            "vault": layout.vault_address,
        },
        "postgres": {"host": HOST, "port": layout.postgres},
        "redis": {"host": HOST, "port": layout.redis},
        "s3": {"endpoint": layout.s3_address},
        "nginx": {"port": layout.nginx, "tls": {"port": layout.nginx_tls}},
        "frontend": {"api": f"http://{HOST}:{layout.nginx}"},
        "agent": {
            "consul": layout.nodes[-1].consul_address,
            "allocations_dir": str(layout.allocations(layout.nodes[-1])),
            "state_dir": str(layout.data("agent-job")),
            "port": layout.agent_job,
        },
    }


def interpreter() -> str:
    """Return the interpreter under this virtual environment: a task must not depend on `.venv`."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return str(Path(base).resolve())


def write(layout: Layout) -> None:
    """Write the cluster's layer."""
    import yaml

    from flowrex.files import write_atomic

    watching = {
        section: str(found)
        for section, program in packages.WATCHING.items()
        if (found := packages.find(program, os.environ))
    }
    settings = document(
        layout,
        python=interpreter(),
        nginx=shutil.which("nginx"),
        node=shutil.which("node"),
        watching=watching,
    )
    text = "# Written by `flowrexctl dev up`; changes are lost.\n" + yaml.safe_dump(
        settings, sort_keys=True
    )
    write_atomic(layout.environment_file, text)
