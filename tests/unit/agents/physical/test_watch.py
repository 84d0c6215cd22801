"""What is wrong with the archive is an alarm, until it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, ServerUnreachable
from tests.unit.agents.physical.repository import FULL, backup, document
from tests.unit.agents.physical.rig import Programs, Rig
from tests.unit.agents.physical.test_archiver import QUIET

STOPPED = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
ONE = document(backup(FULL, STOPPED, wal=2))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path, Programs(info=ONE))
    made.archive(2, 3, 4)
    return made


async def test_with_all_in_order_there_is_no_alarm(rig: Rig) -> None:
    await rig.watch.look()
    assert rig.alarms.names == []
    status = rig.watch.status()
    assert (status["archived_segments"], status["missing_segments"]) == (3, 0)
    assert (rig.folder / "pgbackrest.conf").stat().st_mode & 0o007 == 0


async def test_an_archiver_that_falls_behind_is_one_until_it_has_caught_up(rig: Rig) -> None:
    rig.programs.archiver = replace(QUIET, waiting=9, oldest=QUIET.now - 600)
    await rig.watch.look()
    assert rig.alarms.names == ["archive behind"]
    rig.programs.archiver = QUIET
    await rig.watch.look()
    assert rig.alarms.names == []


async def test_a_segment_that_somebody_deleted_is_found(rig: Rig) -> None:
    rig.archive(6, 7)
    await rig.watch.look()
    assert rig.alarms.names == ["wal gap"]
    assert "000000010000000000000005" in rig.alarms.document()[0]["why"]
    assert rig.watch.status()["missing_segments"] == 1
    rig.archive(5)
    rig.watch.look_again()
    await rig.watch.look()
    assert rig.alarms.names == []


async def test_what_postgresql_was_told_is_archived_must_be_there(rig: Rig) -> None:
    rig.programs.archiver = replace(QUIET, last_wal="000000010000000000000005")
    await rig.watch.look()
    assert rig.alarms.names == ["wal gap"]


async def test_a_backup_whose_wal_is_gone_is_found(rig: Rig) -> None:
    rig.programs.info = document(backup(FULL, STOPPED, wal=1))
    await rig.watch.look()
    assert rig.alarms.names == ["wal gap"]


async def test_what_cant_be_seen_is_an_alarm_as_well(rig: Rig) -> None:
    rig.programs.fails = {verb: ServerUnreachable("away") for verb in ("psql", "info")}
    await rig.watch.look()
    assert rig.alarms.names == ["archive unseen", "archiver unseen"]
    rig.programs.fails = {}
    await rig.watch.look()
    assert rig.alarms.names == []


@pytest.mark.parametrize("verb", ["psql", "info"])
async def test_a_program_that_was_never_there_refuses_the_start(rig: Rig, verb: str) -> None:
    rig.programs.fails = {verb: ConfigurationError(f"{verb} is not installed")}
    with pytest.raises(ConfigurationError, match="not installed"):
        await rig.watch.look()


async def test_a_program_that_goes_missing_is_an_alarm_until_it_is_back(rig: Rig) -> None:
    await rig.watch.look()
    gone = ConfigurationError("it is not installed")
    rig.programs.fails = {verb: gone for verb in ("psql", "info")}
    rig.watch.look_again()
    await rig.watch.look()
    assert rig.alarms.names == ["archive unseen", "archiver unseen"]
    assert rig.alarms.document()[0]["why"] == "it is not installed"
    rig.programs.fails = {}
    await rig.watch.look()
    assert rig.alarms.names == []


async def test_the_archive_of_another_cluster_is_one(rig: Rig) -> None:
    rig.programs.archiver = replace(QUIET, system_id="1")
    await rig.watch.look()
    assert rig.alarms.names == ["another cluster"]


async def test_while_vault_is_away_the_file_that_is_there_is_used(rig: Rig) -> None:
    await rig.watch.look()
    again = Rig(rig.folder, rig.programs, keys=ServerUnreachable("Vault is sealed"))
    again.archive(2, 3, 4)
    await again.watch.look()
    assert again.alarms.names == []


async def test_without_vault_and_without_a_file_the_stanza_is_an_alarm(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Programs(info=ONE), keys=ServerUnreachable("Vault is sealed"))
    rig.archive(2, 3, 4)
    await rig.watch.look()
    assert rig.alarms.names == ["stanza"]
    assert "stanza-create" not in rig.programs.ran


async def test_a_metric_names_each_alarm(rig: Rig) -> None:
    rig.programs.archiver = replace(QUIET, waiting=9, oldest=QUIET.now - 600)
    await rig.watch.look()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in rig.watch.metrics()
        for sample in family.samples
    }
    assert found["flowrex_physical_alarm", "archive behind"] == 1
    assert found["flowrex_wal_archive_lag_seconds",] == 600
    assert found["flowrex_wal_gaps",] == 0
