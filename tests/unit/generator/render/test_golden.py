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


def rendered(environment: str) -> dict[str, str]:
    # The artifact's checksum comes from a build; here it is as good as any.
    overrides = [f"release.checksum={'0' * 64}"]
    settings = load(ROOT, environment, overrides=overrides, environ=NOWHERE)
    return {job.name: job.hcl for job in render_jobs(settings, ROOT)}


@pytest.mark.parametrize("environment", names(ROOT))
def test_jobs_are_as_they_were_reviewed(environment: str) -> None:
    for job, hcl in rendered(environment).items():
        path = GOLDEN / environment / f"{job}.nomad.hcl"
        if os.environ.get("FLOWREX_UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(hcl, encoding="utf-8")
        assert hcl == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    found = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.hcl")}
    expected = {f"{name}/{job.name}.nomad.hcl" for name in names(ROOT) for job in JOBS}
    assert found == expected


@pytest.mark.parametrize("environment", names(ROOT))
def test_the_same_input_gives_the_same_bytes(environment: str) -> None:
    assert rendered(environment) == rendered(environment)
