"""What is done around a change: whether there is anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator import around
from generator.environment import Environment
from generator.watch import Event


def test_without_hooks_and_channels_there_is_nothing(dev: Environment, tmp_path: Path) -> None:
    assert around.of_environment(dev, tmp_path, lambda _: None) is None


def test_hooks_that_are_no_folder_are_not_taken_for_none(dev: Environment, tmp_path: Path) -> None:
    (tmp_path / "hooks").write_text("")
    with pytest.raises(ConfigurationError, match="hooks: the hooks can't be looked at"):
        around.of_environment(dev, tmp_path, lambda _: None)


def test_what_is_wrong_with_hooks_is_only_told_where_they_may_not_refuse(
    dev: Environment, tmp_path: Path
) -> None:
    (tmp_path / "hooks").write_text("")
    told: list[Event] = []
    found = around.of_environment(dev, tmp_path, told.append, hooks_may_refuse=False)
    assert found is not None
    assert [event.what for event in told] == ["hook-failed"]
    assert "hooks can't be looked at" in told[0].text
