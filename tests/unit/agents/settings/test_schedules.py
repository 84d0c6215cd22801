"""A schedule that can't be kept is found before the agent starts, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.settings import load
from flowrex.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "backup:\n  schedule:\n    drill: daily\n",
            "3: backup.schedule.drill is 'daily', no cron",
        ),
        (
            "backup:\n  schedule:\n    zone: Mars\n",
            "3: backup.schedule.zone is 'Mars', no time zone",
        ),
        ('physical:\n  full: "61 2 * * 0"\n', "2: physical.full is '61 2 * * 0', no cron"),
        ('physical:\n  diff: "0 0 30 2 *"\n', "2: physical.diff is '0 0 30 2 *', no cron"),
        ("physical:\n  time_zone: Europe/Berlim\n", "2: physical.time_zone is 'Europe/Berlim', no"),
        ("physical:\n  watch_interval: 0s\n", "2: physical.watch_interval is '0s', no time at all"),
        ("physical:\n  rpo: 0s\n", "2: physical.rpo is '0s', no time at all"),
        ("physical:\n  jitter: soon\n", "2: physical.jitter is 'soon'; expected a length of time"),
        ("physical:\n  retention_days: 0\n", "2: physical.retention_days is 0; expected 1 or more"),
        ('snapshots:\n  schedule: ""\n', "2: snapshots.schedule is '', no cron expression"),
        ("snapshots:\n  time_zone: CEST\n", "2: snapshots.time_zone is 'CEST', no time zone"),
        (
            "snapshots:\n  enabled: true\n  consul: false\n  vault: false\n"
            "  nomad: {enabled: false}\n",
            "2: snapshots.enabled is true, and of none of the servers",
        ),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert f"{path}:{said}" in caught.value.message


def test_what_is_switched_off_is_checked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("physical:\n  enabled: false\n  verify: never\n")
    with pytest.raises(ConfigurationError, match=r"physical\.verify"):
        load(path)
