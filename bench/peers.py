"""The peers, built from bench/peers, and the same jobs in their own template languages."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from generator.dev.servers import Progress
from generator.dev.servers.cache import Machine
from generator.dev.servers.install import MODULES as SERVERS
from generator.dev.servers.toolchain import choose, environment
from generator.render import RenderedJob

MODULES = Path(__file__).parent / "peers"
PACKAGES = {
    "levant": "github.com/hashicorp/levant",
    "nomad-pack": "github.com/hashicorp/nomad-pack",
}


def build(folder: Path, cache: Path, progress: Progress) -> dict[str, Path]:
    """Build the peers into `folder` and return their programs by name."""
    go = choose(
        SERVERS / "nomad",
        cache=cache,
        machine=Machine.this(),
        environ=os.environ,
        progress=progress,
    )
    programs = {}
    for name, package in PACKAGES.items():
        programs[name] = folder / name
        subprocess.run(
            [str(go.command), "build", "-trimpath", "-o", str(programs[name]), package],
            cwd=MODULES / name,
            env=environment(go, os.environ),
            check=True,
        )
    return programs


# Both peers' templates have [[ ]] as delimiters; these values become their variables.
_VARIABLES = {"release": "0.1.0", "region": "global", "datacenter": "dc1"}


# levant 0.3.3 parses jobs by itself and stops at what is newer than its parser (its issue 550), so
# that it plans a little less: no wait, no disconnect, no Vault role, no Consul identity.
_UNKNOWN_TO_LEVANT = re.compile(
    r"\n *(#[^\n]*\n *)?(?:wait|disconnect) \{[^}]*\}|\n *(role|disable_file) +=[^\n]*"
    r"|\n *consul \{\}"
)


def levant_templates(jobs: Sequence[RenderedJob], folder: Path) -> list[Path]:
    """Write each job as a template of levant's, and its variable file; return the templates."""
    (folder / "levant.yaml").write_text(
        "".join(f'{name}: "{value}"\n' for name, value in _VARIABLES.items())
    )
    paths = []
    for job in jobs:
        text = _UNKNOWN_TO_LEVANT.sub("", job.hcl)
        for name, value in _VARIABLES.items():
            text = text.replace(f'"{value}"', f'"[[ .{name} ]]"')
        paths.append(folder / f"{job.name}.nomad")
        paths[-1].write_text(text)
    return paths


def pack(job: RenderedJob, folder: Path) -> Path:
    """Write one job as a pack of nomad-pack's and return its folder."""
    root = folder / job.name
    (root / "templates").mkdir(parents=True)
    (root / "metadata.hcl").write_text(
        f'app {{\n  url = ""\n}}\n\npack {{\n  name        = "{job.name}"\n'
        '  description = "bench"\n  version     = "0.0.1"\n}\n'
    )
    (root / "variables.hcl").write_text(
        "\n".join(
            f'variable "{name}" {{\n  type    = string\n  default = "{value}"\n}}\n'
            for name, value in _VARIABLES.items()
        )
    )
    # It refuses a job that it did not deploy itself, so that it plans the same one as a new one.
    text = job.hcl.replace(f'\njob "{job.name}" {{', f'\njob "pack-{job.name}" {{')
    for name, value in _VARIABLES.items():
        text = text.replace(f'"{value}"', f'"[[ var "{name}" . ]]"')
    (root / "templates" / f"{job.name}.nomad.tpl").write_text(text)
    return root
