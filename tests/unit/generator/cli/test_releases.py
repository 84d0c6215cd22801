from __future__ import annotations

from typing import Any

import pytest

from flowrex import keys
from tests.unit.generator.cli.running import Flowrexctl
from tests.unit.generator.rolling import Rig, spec


@pytest.fixture
def two(rig: Rig, flowrexctl: Flowrexctl, wanted: dict[str, dict[str, Any]]) -> None:
    """A first release, and one of another backend whose canary was promoted."""
    assert flowrexctl("run", "dev", "--yes", "--reason", "the first").status == 0
    wanted["backend"] = spec(release="1.1.0")
    assert flowrexctl("run", "dev", "--yes").status == 9
    assert flowrexctl("promote", "dev", "--reason", "looks good").status == 0


def test_where_nothing_was_released_there_is_nothing_to_list(flowrexctl: Flowrexctl) -> None:
    assert flowrexctl("releases", "dev").out == "No release of dev is recorded.\n"
    assert flowrexctl("releases", "dev", "--json").document["releases"] == []


@pytest.mark.usefixtures("two")
def test_the_newest_comes_first(flowrexctl: Flowrexctl) -> None:
    lines = flowrexctl("releases", "dev").out.splitlines()
    assert [" promote " in lines[1], " promoted " in lines[2], " done " in lines[3]] == [True] * 3
    assert flowrexctl("releases", "list", "dev").out.splitlines() == lines
    limited = flowrexctl("releases", "dev", "--limit", "1").out.splitlines()
    assert [line.split() for line in limited] == [line.split() for line in lines[:2]]


@pytest.mark.usefixtures("two")
def test_the_list_as_a_document(flowrexctl: Flowrexctl) -> None:
    found = flowrexctl("releases", "dev", "--json").document["releases"]
    assert [(one["kind"], one["ended_as"], one["reason"]) for one in found] == [
        ("promote", "done", "looks good"),
        ("run", "promoted", None),
        ("run", "done", "the first"),
    ]
    assert found[0]["completes"] == found[1]["id"]
    assert found[0]["stands"]["backend"]["version"] == 1
    assert found[0]["stands"]["worker"]["version"] == 0, "it was not part of the promotion"


@pytest.mark.usefixtures("two")
def test_one_is_shown_by_its_version(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("releases", "show", "dev", "1.1.0")
    assert done.status == 0
    assert "promote of 1.1.0, done" in done.out
    assert "reason    looks good" in done.out
    document = flowrexctl("releases", "show", "dev", "1.1.0", "--json").document
    assert document["kept"] == dict.fromkeys(("migrate", "backend", "worker", "nginx"), True)


@pytest.mark.usefixtures("two")
def test_one_is_shown_where_nomad_is_away_too(flowrexctl: Flowrexctl, rig: Rig) -> None:
    rig.nomad.down = True
    done = flowrexctl("releases", "show", "dev", "1.1.0")
    assert done.status == 0
    assert "is not known" in done.err


@pytest.mark.usefixtures("two")
def test_one_whose_job_is_gone_is_not_kept(flowrexctl: Flowrexctl, rig: Rig) -> None:
    rig.nomad.jobs.stop("worker", purge=True)
    document = flowrexctl("releases", "show", "dev", "1.1.0", "--json").document
    assert document["kept"]["worker"] is False
    assert document["kept"]["backend"] is True


@pytest.mark.usefixtures("two")
def test_two_are_compared(flowrexctl: Flowrexctl, rig: Rig) -> None:
    ids = [entry.key.rsplit("/", 1)[1] for entry in rig.consul.kv_list(keys.releases("dev"))]
    done = flowrexctl("releases", "diff", "dev", ids[0], "1.1.0")
    assert done.status == 0
    assert "backend: version 0 → 1" in done.out
    assert "meta release: '1.0.0' → '1.1.0'" in done.out
    assert "worker: version 0, the same" in done.out
    document = flowrexctl("releases", "diff", "dev", ids[0], "1.1.0", "--json").document
    backend = next(one for one in document["jobs"] if one["job"] == "backend")
    assert backend["changes"][0]["new"] == "1.1.0"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("verb", [("show",), ("diff", "1.1.0")])
def test_one_that_is_not_known_is_an_error(flowrexctl: Flowrexctl, verb: tuple[str, ...]) -> None:
    done = flowrexctl("releases", verb[0], "dev", *verb[1:], "1.1.1")
    assert done.status == 2
    assert "Did you mean 1.1.0?" in done.err


def test_consul_out_of_reach(flowrexctl: Flowrexctl, rig: Rig) -> None:
    rig.consul.down = True
    assert flowrexctl("releases", "dev").status == 6
