"""flowrexctl on a fake Nomad and a fake Consul, with jobs that a test makes up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowrex.command import output
from generator import access, render
from generator.cli import context, main
from generator.environment import Environment, load
from generator.render import RenderedJob
from generator.render.catalog import JOBS
from tests.unit.generator.cli.printed import as_published
from tests.unit.generator.cli.rollout import OLD, Vault
from tests.unit.generator.cli.running import Flowrexctl, Run
from tests.unit.generator.rolling import Rig, rendered, spec

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a verb prints with --json is as docs/schemas says."""
    with as_published(monkeypatch):
        yield


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """The environment dev with nothing but what a release consists of."""
    monkeypatch.setenv("FLOWREX_DEV_DIR", str(tmp_path / "none"))
    off = [f"{job.switch}=false" for job in JOBS if job.switch]
    # There is no nginx that would answer.
    off += [f'validation.checks.{name}="off"' for name in ("running", "health", "endpoints")]
    return load(ROOT, "dev", overrides=off)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def wanted() -> dict[str, dict[str, Any]]:
    """The jobs that the templates would give; a test changes them."""
    return dict(OLD)


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def flowrexctl(
    rig: Rig,
    wanted: dict[str, dict[str, Any]],
    dev: Environment,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Flowrexctl:
    def each_job(
        environment: Environment, root: Path, names: tuple[str, ...] = ()
    ) -> tuple[RenderedJob, ...]:
        chosen = [job.name for job in render.select(environment, names)]
        return tuple(rendered(wanted[name]) for name in chosen)

    monkeypatch.setattr(render, "each_job", each_job)
    monkeypatch.setattr(access, "nomad", lambda environment: rig.nomad)
    monkeypatch.setattr(access, "consul", lambda environment: rig.consul)
    monkeypatch.setattr(access, "vault", lambda environment: vault)
    monkeypatch.setattr(context, "load_environment", lambda name, overrides=(): dev)
    monkeypatch.setattr(output, "interactive", lambda: False)

    def run(*arguments: str) -> Run:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(left.value.code, int)
        return Run(left.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def canary(rig: Rig, flowrexctl: Flowrexctl, wanted: dict[str, dict[str, Any]]) -> None:
    """A canary of the backend waits."""
    assert flowrexctl("run", "dev", "--yes").status == 0
    wanted["backend"] = spec(release="1.1.0")
    assert flowrexctl("run", "dev", "--yes").status == 9
