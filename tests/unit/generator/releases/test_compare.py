from __future__ import annotations

from typing import cast

import pytest

from flowrex.nomad import NomadClient
from generator.keeping import stands
from generator.release import Release
from generator.releases.compare import compare
from generator.releases.view import difference_lines
from tests.unit.generator.releases.made import record, stand
from tests.unit.generator.rolling import Rig, spec


@pytest.fixture
def rig() -> Rig:
    """One whose backend went from release 1.0.0 to 1.1.0."""
    rig = Rig()
    rig.in_service(spec(release="1.0.0"))
    rig.in_service(spec("nginx", canary=0))
    return rig


def now(rig: Rig, number: int) -> Release:
    nomad = cast(NomadClient, rig.nomad)
    return record(number, stands=stands(nomad, ["backend", "worker", "nginx"]))


def told(rig: Rig, left: Release, right: Release) -> list[str]:
    found = compare(cast(NomadClient, rig.nomad), left, right)
    return [line.text for line in difference_lines(found)]


def test_what_changed_is_told_job_by_job(rig: Rig) -> None:
    old = now(rig, 1)
    rig.in_service(spec(release="1.1.0", count=3))
    rig.in_service(spec("worker", canary=0))
    assert told(rig, old, now(rig, 2)) == [
        "backend: version 0 → 1",
        "  ~ meta release: '1.0.0' → '1.1.0'",
        "  group backend",
        "    ~ count: '2' → '3'",
        "worker: version 0, was not there",
        "nginx: version 0, the same",
    ]


def test_backwards_it_is_the_other_way_round(rig: Rig) -> None:
    old = now(rig, 1)
    rig.in_service(spec(release="1.1.0"))
    rig.in_service(spec("worker", canary=0))
    assert told(rig, now(rig, 2), old) == [
        "backend: version 1 → 0",
        "  ~ meta release: '1.1.0' → '1.0.0'",
        "nginx: version 0, the same",
        "worker: version 0, is not there any more",
    ]


def test_another_code_is_told_shortened() -> None:
    rig = Rig()
    left, right = (record(n, stands={"backend": stand(n)}) for n in (1, 2))
    assert told(rig, left, right)[:2] == [
        "backend: version 1 → 2",
        "  ~ code: sha256:111111111111 → sha256:222222222222",
    ]


def test_what_nomad_has_forgotten_is_said(rig: Rig) -> None:
    old = now(rig, 1)
    rig.in_service(spec(release="1.1.0"))
    new = now(rig, 2)
    del rig.nomad.known["backend"].versions[0]
    assert "  ! Nomad has forgotten one of the specs." in told(rig, old, new)
    rig.nomad.jobs.stop("backend", purge=True)
    assert "  ! Nomad has forgotten one of the specs." in told(rig, old, new)


def test_a_job_that_was_purged_and_counts_anew_is_another(rig: Rig) -> None:
    old = now(rig, 1)
    rig.nomad.jobs.stop("backend", purge=True)
    rig.in_service(spec(release="1.1.0"))
    assert told(rig, old, now(rig, 2))[:2] == [
        "backend: version 0 → 0",
        "  ! Nomad has forgotten one of the specs.",
    ]


def test_secrets_are_not_shown(rig: Rig) -> None:
    rig.in_service(spec(release="1.0.0", db_password="old-value-of-it"))
    old = now(rig, 1)
    rig.in_service(spec(release="1.0.0", db_password="new-value-of-it"))
    text = "\n".join(told(rig, old, now(rig, 2)))
    assert "db_password" in text
    assert "value-of-it" not in text
