from __future__ import annotations

import pytest

from generator import released
from generator.cli import context
from generator.environment import Environment
from tests.unit.generator.cli.running import Flowrexctl
from tests.unit.generator.rolling import Rig, spec


@pytest.fixture(autouse=True)
def deployed(flowrexctl: Flowrexctl) -> None:
    assert flowrexctl("run", "dev", "--yes").status == 0


def test_its_exit_status_is_for_ci(flowrexctl: Flowrexctl, rig: Rig) -> None:
    assert flowrexctl("drift", "dev", "--detailed-exitcode").status == 0
    rig.in_service(spec(release="by hand"))
    assert flowrexctl("drift", "dev", "--detailed-exitcode").status == 1
    assert flowrexctl("drift", "dev").status == 0
    rig.nomad.down = True
    assert flowrexctl("drift", "dev", "--detailed-exitcode").status == 255
    assert flowrexctl("drift", "dev").status == 6


def test_a_count_counts_where_that_is_asked(flowrexctl: Flowrexctl, rig: Rig) -> None:
    rig.nomad.jobs.scale("backend", "backend", 9)
    for _ in range(3):
        rig.nomad.tick()
    done = flowrexctl("drift", "dev", "--detailed-exitcode")
    assert done.status == 0
    assert "only its count differs" in done.out
    assert "count: '9' → '2'" in done.out
    assert flowrexctl("drift", "dev", "--detailed-exitcode", "--counts").status == 1


def test_other_jobs_are_told_where_no_job_is_named(flowrexctl: Flowrexctl, rig: Rig) -> None:
    rig.in_service(spec("miner"))
    assert "miner: no template of this environment makes it" in flowrexctl("drift", "dev").out
    assert flowrexctl("drift", "dev", "--detailed-exitcode").status == 1
    assert flowrexctl("drift", "dev", "--detailed-exitcode", "--only-ours").status == 0
    document = flowrexctl("drift", "dev", "backend", "--json").document
    assert [one["job"] for one in document["jobs"]] == ["backend"]
    assert document["drift"] is False


def test_it_may_compare_with_what_was_released_last(
    flowrexctl: Flowrexctl, monkeypatch: pytest.MonkeyPatch, dev: Environment
) -> None:
    asked: list[tuple[str, ...]] = []

    def loaded(name: str, overrides: tuple[str, ...] = ()) -> Environment:
        asked.append(tuple(overrides))
        return dev

    monkeypatch.setattr(context, "load_environment", loaded)
    monkeypatch.setattr(released, "settings_of", lambda records, name: ("release.version=1.2.3",))
    done = flowrexctl("drift", "dev", "--as-released", "--set", "backend.count=2")
    assert done.status == 0
    assert asked[-1] == ("release.version=1.2.3", "backend.count=2")
