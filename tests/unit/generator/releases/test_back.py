from __future__ import annotations

from typing import Any, cast

import pytest

from flowrex import keys
from flowrex.backup_state import BackupState
from flowrex.consul import ConsulClient
from flowrex.errors import HardStop, UsageError
from flowrex.nomad import NomadClient
from flowrex.testing.consul import FakeConsul
from generator.deploy import deploy
from generator.keeping import stands
from generator.release import Release
from generator.releases import back
from generator.releases.back import Losses, Way
from generator.standing import standings
from tests.unit.generator.releases.made import record
from tests.unit.generator.rolling import Rig, spec, step

NAMES = ["backend", "worker", "nginx"]


@pytest.fixture
def rig() -> Rig:
    """One with a first release of everything."""
    rig = Rig()
    for name in NAMES:
        rig.in_service(spec(name, release="1.0.0"))
    return rig


def now(rig: Rig, number: int, **more: Any) -> Release:
    return record(number, stands=stands(cast(NomadClient, rig.nomad), NAMES), **more)


def way(rig: Rig, release: Release) -> Way:
    return back.way(standings(cast(NomadClient, rig.nomad), NAMES), release, "prod")


def found(rig: Rig, release: Release) -> dict[str, int | None]:
    return {
        one.name: None if version is None else version.version
        for one, version in way(rig, release).targets
    }


def test_only_what_differs_goes_back(rig: Rig) -> None:
    first = now(rig, 1)
    rig.in_service(spec(release="1.1.0"))
    rig.in_service(spec("nginx", release="1.1.0"))
    assert found(rig, first) == {"backend": 0, "nginx": 0}


def test_a_count_alone_is_no_difference(rig: Rig) -> None:
    first = now(rig, 1)
    rig.in_service(spec(release="1.1.0"))
    rig.nomad.jobs.scale("worker", "worker", 7)
    assert found(rig, first) == {"backend": 0}


def test_a_job_that_was_not_there_or_was_stopped_stays(rig: Rig) -> None:
    rig.nomad.jobs.stop("worker")
    first = now(rig, 1)
    first = record(1, stands={name: first.stands[name] for name in ("backend", "worker")})
    rig.in_service(spec(release="1.1.0"))
    rig.in_service(spec("worker", release="1.1.0"))
    assert found(rig, first) == {"backend": 0}
    assert way(rig, first).stays == ("worker", "nginx")


def test_where_a_canary_waits_beside_the_version_it_is_given_up(rig: Rig) -> None:
    first = now(rig, 1)
    deploy(rig.watch(), step(rig.nomad, spec(release="1.1.0")), promote=False)
    assert found(rig, first) == {"backend": None}


def test_where_a_canary_waits_beside_another_version_that_is_made_anew(rig: Rig) -> None:
    first = now(rig, 1)
    rig.in_service(spec(release="1.1.0"))
    deploy(rig.watch(), step(rig.nomad, spec(release="1.2.0")), promote=False)
    assert found(rig, first) == {"backend": 0}


def test_what_nomad_has_forgotten_can_not_come_back(rig: Rig) -> None:
    first = now(rig, 1)
    rig.in_service(spec(release="1.1.0"))
    rig.nomad.jobs.stop("nginx", purge=True)
    with pytest.raises(UsageError, match="Nomad has forgotten nginx version 0") as caught:
        way(rig, first)
    assert f"flowrexctl releases show prod {first.id}" in (caught.value.hint or "")


def test_what_was_never_healthy_can_not_come_back(rig: Rig) -> None:
    rig.nomad.add_version(spec(release="1.1.0"))
    second = now(rig, 2)
    with pytest.raises(UsageError, match="backend version 1 was never healthy"):
        way(rig, second)


def test_what_runs_already_is_an_error(rig: Rig) -> None:
    with pytest.raises(UsageError, match="is what runs already"):
        way(rig, now(rig, 1))


def test_a_record_of_an_older_tool_does_not_say_what_ran(rig: Rig) -> None:
    with pytest.raises(UsageError, match="does not say which versions ran") as caught:
        way(rig, record(1, "1.4.0"))
    assert "flowrexctl rollback prod --to 1.4.0" in (caught.value.hint or "")


def schema(*names: str, **irreversible: str) -> dict[str, Any]:
    chain = {name: irreversible.get(f"m{name}", "") for name in names}
    return {"revision": names[-1], "irreversible": chain}


def lost(rig: Rig, *records: Release, back_to: int = 0) -> Losses:
    """Return what is lost when the backend goes back to the version of a record."""
    (backend,) = standings(cast(NomadClient, rig.nomad), ["backend"])
    target = next(one for one in backend.versions if one.version == back_to)
    return back.losses(sorted(records, key=lambda one: one.id, reverse=True), [(backend, target)])


@pytest.fixture
def history(rig: Rig) -> list[Release]:
    """Three releases; each of the later two had a migration, the second an irreversible one."""
    first = now(rig, 1, schema=schema("1"))
    rig.in_service(spec(release="1.1.0"))
    second = now(rig, 2, schema=schema("1", "2", m2="drops a column"), backup="pre_deploy_2")
    rig.in_service(spec(release="1.2.0"))
    third = now(rig, 3, schema=schema("1", "2", "3", m2="drops a column"), backup="pre_deploy_3")
    return [first, second, third]


def test_the_migrations_since_are_lost(rig: Rig, history: list[Release]) -> None:
    assert lost(rig, *history).migrations == {"2": "drops a column", "3": ""}
    assert lost(rig, *history).irreversible == {"2": "drops a column"}
    assert lost(rig, *history, back_to=1).migrations == {"3": ""}
    assert lost(rig, *history, back_to=2) == Losses({}, "", history[2].ended or "")


def test_the_backup_is_the_last_from_before_the_first_migration(
    rig: Rig, history: list[Release]
) -> None:
    assert lost(rig, *history).backup == "pre_deploy_2"
    assert lost(rig, *history, back_to=1).backup == "pre_deploy_3"


def test_what_is_lost_is_said_and_the_way_to_bring_it_back(
    rig: Rig, history: list[Release]
) -> None:
    losses = lost(rig, *history)
    assert losses.sentences() == [
        "The schema stays as it is, with what ran since: 3. The release works on it.",
        "Migration 2 can't be taken back: drops a column",
    ]
    with pytest.raises(HardStop, match=r"2 \(drops a column\)") as caught:
        back.require_reversible(losses, "prod", "flowrex", "flowrexctl rollback prod 1.0.0")
    assert caught.value.exit_status == 7
    assert (caught.value.hint or "").splitlines() == [
        "Bring the data from before it back: "
        "flowrexctl restore prod --to pre_deploy_2 --database flowrex",
        "Go back all the same: flowrexctl rollback prod 1.0.0 --accept-irreversible",
    ]
    back.require_reversible(lost(rig, *history, back_to=1), "prod", "flowrex", "")


def restored(number: int, said: str | None, **more: Any) -> Release:
    came = {"backup": "scheduled_1", "source": "logical", "database": "flowrex", "revision": said}
    return record(number, kind="restore", restored=came, **more)


def test_what_a_restore_undid_is_not_lost_any_more(rig: Rig, history: list[Release]) -> None:
    losses = lost(rig, *history, restored(4, "1", schema=schema("1")))
    assert (losses.migrations, losses.backup, losses.lacking) == ({}, "", ())
    assert losses.sentences() == [
        "The database was restored since, on 2026-03-04T12:05:00+00:00 by kim@desk, from "
        "scheduled_1; its schema was 1 then."
    ]
    back.require_reversible(losses, "prod", "flowrex", "")


def test_what_the_release_relies_on_and_a_restore_took_away_is_said(
    rig: Rig, history: list[Release]
) -> None:
    losses = lost(rig, *history, restored(4, "1", schema=schema("1")), back_to=2)
    assert losses.lacking == ("2", "3")
    assert losses.sentences()[1:] == [
        "It lacks what the release relies on: 2, 3. The job migrate brings it."
    ]


def test_what_was_migrated_again_after_a_restore_is_lost_and_has_a_backup_of_its_own(
    rig: Rig, history: list[Release]
) -> None:
    rig.in_service(spec(release="1.3.0"))
    again = now(rig, 5, schema=schema("1", "2", m2="drops a column"), backup="pre_deploy_5")
    losses = lost(rig, *history, restored(4, "1", schema=schema("1")), again)
    assert (losses.irreversible, losses.backup) == ({"2": "drops a column"}, "pre_deploy_5")


def test_where_a_restore_left_an_unknown_schema_the_one_from_before_counts(
    rig: Rig, history: list[Release]
) -> None:
    losses = lost(rig, *history, restored(4, None, schema=history[2].schema))
    assert losses.irreversible == {"2": "drops a column"}
    assert losses.sentences()[0].endswith("from scheduled_1; which schema it has is not known.")


def test_a_restore_from_before_the_release_is_not_told(rig: Rig, history: list[Release]) -> None:
    first = restored(0, "1", schema=schema("1"))
    assert lost(rig, first, *history).restored is None


def test_there_is_no_way_back_to_a_restore(rig: Rig) -> None:
    with pytest.raises(UsageError, match="is a restore of the database, and no release"):
        way(rig, restored(4, "1"))


def test_of_a_canary_that_is_given_up_nothing_is_lost(rig: Rig, history: list[Release]) -> None:
    (backend,) = standings(cast(NomadClient, rig.nomad), ["backend"])
    assert back.losses(history[::-1], [(backend, None)]) == Losses({})


def test_what_no_record_says_is_not_known(rig: Rig, history: list[Release]) -> None:
    assert lost(rig, history[2]).migrations is None, "no record left that version"
    assert lost(rig, record(1, stands=history[0].stands), history[1]).migrations is None
    assert lost(rig, history[2]).sentences() == [
        "Which migrations ran since is not recorded. They are not taken back."
    ]


def test_where_no_migration_was_ever_recorded_nothing_is_said(rig: Rig) -> None:
    assert lost(rig, now(rig, 1)).sentences() == []
    assert lost(rig).sentences() == []


@pytest.mark.parametrize(
    ("good", "newest", "expected"),
    [
        ("pre_deploy_a", "scheduled_b", "pre_deploy_a"),
        ("scheduled_a", "pre_deploy_b", "pre_deploy_b"),
        ("scheduled_a", "scheduled_b", ""),
        ("", "", ""),
    ],
)
def test_a_published_backup_is_named_where_no_record_names_one(
    good: str, newest: str, expected: str
) -> None:
    consul = FakeConsul()
    at = "2026-03-02T00:00:00+00:00"
    state = BackupState("flowrex", "n1", at, 2, newest, at, good, at if good else "")
    consul.kv_put(keys.backups("flowrex"), state.encode())
    irreversible = Losses({"2": "why"}, since="2026-03-01T12:00:00+01:00")
    client = cast(ConsulClient, consul)
    assert back.with_published(irreversible, client, "flowrex").backup == expected
    later = Losses({"2": "why"}, since="2026-03-02T01:00:00+00:00")
    assert back.with_published(later, client, "flowrex").backup == "", "it is older"
    assert back.with_published(Losses({"2": ""}), client, "flowrex").backup == ""
