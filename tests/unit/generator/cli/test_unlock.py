from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowrex.command import output
from generator import lock
from generator.lock import hold
from tests.unit.generator.cli.running import Flowrexctl
from tests.unit.generator.rolling import Rig

FORCED = ("unlock", "dev", "--force", "--reason", "it hangs")


@pytest.fixture
def held(rig: Rig) -> Iterator[None]:
    with hold(rig.consul, "dev", "run dev", ttl_s=15):  # type: ignore[arg-type]
        yield


def is_held(rig: Rig) -> bool:
    return lock.holder(rig.consul, "dev") is not None  # type: ignore[arg-type]


def test_where_nobody_holds_it_that_is_said(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("unlock", "dev")
    assert (done.status, done.out) == (0, "Nobody holds the lock of dev.\n")
    assert flowrexctl("unlock", "dev", "--json").document["how"] is None


@pytest.mark.usefixtures("held")
def test_a_holder_that_is_there_keeps_it(flowrexctl: Flowrexctl, rig: Rig) -> None:
    done = flowrexctl("unlock", "dev")
    assert done.status == 7
    assert "`flowrexctl run dev`" in done.err
    assert is_held(rig)


@pytest.mark.usefixtures("held")
def test_it_is_taken_by_force_for_a_reason_and_for_the_right_environment(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    assert flowrexctl("unlock", "dev", "--force").status == 2
    assert flowrexctl(*FORCED).status == 2
    assert "nothing was changed" in flowrexctl(*FORCED, "--confirm", "prod").err
    assert is_held(rig)
    done = flowrexctl(*FORCED, "--confirm", "dev", "--json")
    assert done.status == 0
    assert (done.document["how"], done.document["holder"]["what"]) == ("forced", "run dev")
    assert not is_held(rig)


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(("typed", "status"), [("dev", 0), ("staging", 2), ("", 130)])
def test_a_person_types_the_name(
    flowrexctl: Flowrexctl,
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    status: int,
) -> None:
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: typed)
    assert flowrexctl(*FORCED).status == status
    assert is_held(rig) is (status != 0)
