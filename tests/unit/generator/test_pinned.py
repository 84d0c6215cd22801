"""A release whose images nobody has pushed is refused where it matters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import generator.cli as cli
from flowrex.errors import ConfigurationError
from generator import pinned, validate
from generator.environment import Environment, load
from generator.render import select

ROOT = Path(__file__).parents[3]
DIGESTS = tuple(f"release.digests.{image}=sha256:{'0' * 64}" for image in ("app", "frontend"))


def prod(*overrides: str) -> Environment:
    return load(ROOT, "prod", overrides=("release.version=9.9.9", *overrides), environ={})


def jobs(environment: Environment) -> list[str]:
    return [job.name for job in select(environment)]


def test_an_image_without_a_digest_is_told_with_what_makes_it() -> None:
    environment = prod()
    with pytest.raises(ConfigurationError) as caught:
        pinned.demand(environment, jobs(environment))
    assert caught.value.message.startswith(
        "the digest of registry.flowrex.app/flowrex-app:9.9.9, "
        "registry.flowrex.app/flowrex-frontend:9.9.9 is not known"
    )
    assert "flowrexctl build --version 9.9.9 --images prod --push prod." in str(caught.value.hint)


@pytest.mark.parametrize(
    "overrides", [DIGESTS, ("platform.local=true",), ("platform.driver=exec",)]
)
def test_what_is_known_or_made_here_is_let_through(overrides: Sequence[str]) -> None:
    environment = prod(*overrides)
    pinned.demand(environment, jobs(environment))


def test_only_the_jobs_that_would_run_count() -> None:
    assert pinned.unpinned(prod(), ["nginx", "prometheus"]) == {}
    assert list(pinned.unpinned(prod(DIGESTS[0]), ["backend", "frontend"])) == ["frontend"]


def test_every_job_with_an_image_of_the_release_is_known() -> None:
    golden = (ROOT / "tests" / "golden" / "prod").glob("*.hcl")
    own = re.compile(r"/flowrex-(app|frontend):")
    assert {path.name.split(".")[0]: found[1] for path in golden
            if (found := own.search(path.read_text()))} == pinned.IMAGES  # fmt: skip


def test_validate_finds_it() -> None:
    report = validate.validate(prod(DIGESTS[0]), ROOT, offline=True)
    assert [(one.job, one.place) for one in report.errors] == [
        ("frontend", "image registry.flowrex.app/flowrex-frontend:9.9.9")
    ]
    assert not validate.validate(prod(*DIGESTS), ROOT, offline=True).errors


@pytest.mark.parametrize("words", [("plan", "prod"), ("run", "prod", "--yes")])
def test_plan_and_run_refuse_it_before_they_ask_nomad(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*words, "--set", "release.version=9.9.9"])
    assert left.value.code == 3
    assert "is not known, so that nobody can tell" in capsys.readouterr().err
