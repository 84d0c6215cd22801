"""`flowrexctl render prod` against a bare Python, levant and nomad-pack, whole processes."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from bench import peers
from bench.measure import Command, Figure, interleaved
from generator.environment import load
from generator.render import render_jobs

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15


def settings(section: Any) -> dict[str, Any]:
    """Return a section's settings and what it derives from them, as templates see both."""
    derived = [
        name
        for name, found in vars(type(section)).items()
        if isinstance(found, property) and not name.startswith("_")
    ]
    names = [one.name for one in dataclasses.fields(section)] + derived
    values = {name: getattr(section, name) for name in names}
    return {
        name: settings(value) if dataclasses.is_dataclass(value) else value
        for name, value in values.items()
    }


def run(folder: Path, programs: dict[str, Path]) -> list[Figure]:
    environment = load(ROOT, "prod", environ={"FLOWREX_DEV_DIR": "/nonexistent"})
    jobs = render_jobs(environment, ROOT)
    document = settings(environment) | {"environment": environment.name}
    (folder / "settings.json").write_text(json.dumps(document, default=dict))
    templates = peers.levant_templates(jobs, folder)
    packs = folder / "packs"
    packs.mkdir()
    python, flowrexctl = sys.executable, Path(sys.executable).with_name("flowrexctl")
    bare = [python, str(ROOT / "bench/bare_render.py"), str(folder / "settings.json"), str(ROOT)]
    bare += [job.name for job in jobs]
    levant = str(programs["levant"])
    nomad_pack = str(programs["nomad-pack"])
    times = interleaved(
        {
            "flowrexctl": [Command([str(flowrexctl), "render", "prod"], cwd=ROOT)],
            "bare": [Command(bare, cwd=ROOT)],
            "levant": [Command([levant, "render", str(t)], cwd=folder) for t in templates],
            "nomad-pack": [
                Command([nomad_pack, "render", str(peers.pack(job, packs))]) for job in jobs
            ],
        },
        ROUNDS,
    )
    ours = times["flowrexctl"]
    floor = ours / times["bare"]
    return [
        Figure(
            f"render prod, {len(jobs)} jobs, against bare Python with click and jinja2",
            f"{ours * 1e3:.0f} ms / {times['bare'] * 1e3:.0f} ms = {floor:.2f}",
            "at most 1.5",
            floor <= 1.5,
        ),
        *(
            Figure(
                f"render prod, {len(jobs)} jobs, against {name} job by job",
                f"{ours * 1e3:.0f} ms / {times[name] * 1e3:.0f} ms = {ours / times[name]:.2f}",
            )
            for name in ("levant", "nomad-pack")
        ),
    ]
