"""What each environment's jobs look like, to the byte; reviewed as diffs of tests/golden/.

`make golden` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generator.environment import load, names
from generator.render import render_jobs
from generator.render.catalog import JOBS

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden"
NOWHERE = {"FLOWREX_DEV_DIR": "/nonexistent"}


# They come from a build; here they are as good as any.
BUILT = (
    *(f"{section}.checksum={'0' * 64}" for section in ("release", "frontend")),
    *(f"release.digests.{image}=sha256:{'0' * 64}" for image in ("app", "frontend", "nginx")),
)
ENVIRONMENTS = {name: load(ROOT, name, overrides=BUILT, environ=NOWHERE) for name in names(ROOT)}
# An environment and the optional jobs that it does not have: what they would be there.
OPTIONAL = {
    f"{environment}-{job.name}": (environment, job)
    for environment in ("dev", "prod")
    for job in JOBS
    if not job.on(ENVIRONMENTS[environment])
}


def rendered(environment: str) -> dict[str, str]:
    settings = ENVIRONMENTS[environment]
    return {job.name: job.hcl for job in render_jobs(settings, ROOT)}


def rendered_optional(name: str) -> dict[str, str]:
    environment, job = OPTIONAL[name]
    overrides = [f"{job.switch}=true", f"agent.checksum={'0' * 64}"]
    settings = load(ROOT, environment, overrides=overrides, environ=NOWHERE)
    return {one.name: one.hcl for one in render_jobs(settings, ROOT, [job.name])}


def compare(folder: Path, jobs: dict[str, str]) -> None:
    for job, hcl in jobs.items():
        path = folder / f"{job}.nomad.hcl"
        if os.environ.get("FLOWREX_UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(hcl, encoding="utf-8")
        assert hcl == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", names(ROOT))
def test_jobs_are_as_they_were_reviewed(environment: str) -> None:
    compare(GOLDEN / environment, rendered(environment))


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_jobs_are_as_they_were_reviewed(name: str) -> None:
    compare(GOLDEN / name, rendered_optional(name))


def test_no_golden_file_is_left_over() -> None:
    found = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.hcl")}
    expected = {
        f"{name}/{job.name}.nomad.hcl"
        for name, settings in ENVIRONMENTS.items()
        for job in JOBS
        if job.on(settings)
    }
    expected |= {f"{name}/{job.name}.nomad.hcl" for name, (_, job) in OPTIONAL.items()}
    assert found == expected


@pytest.mark.parametrize("environment", names(ROOT))
def test_the_same_input_gives_the_same_bytes(environment: str) -> None:
    assert rendered(environment) == rendered(environment)
