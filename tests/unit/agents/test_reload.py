"""A reload takes a configuration whole, or says which settings only a restart can change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents import reload
from agents.wiring import Part
from flowrex.errors import ConfigurationError
from tests.unit.agents.conftest import Configured


def test_what_differs_is_named(configured: Configured) -> None:
    old = configured("")
    new = configured("log_level: debug\nstatus:\n  interval: 10s\n")
    assert reload.changed(old, new) == ["log_level", "status.interval"]
    reload.check(old, new, "agent.yaml")


def test_settings_that_need_a_restart_refuse_the_whole(configured: Configured) -> None:
    old = configured("")
    new = configured("log_level: debug\nhttp:\n  port: 9999\nnode: other\n")
    with pytest.raises(ConfigurationError) as caught:
        reload.check(old, new, "agent.yaml")
    assert caught.value.message == (
        "agent.yaml: node, http.port can't change while the agent runs; nothing was taken over"
    )
    assert "systemctl restart" in str(caught.value.hint)


def test_a_part_is_touched_by_its_own_sections_only(configured: Configured) -> None:
    part = Part("audit", ("s3",), lambda context: [], lambda settings: True)
    old = configured("")
    assert part.unchanged(old, configured("log_level: debug\n"))
    moved = replace(old, s3=replace(old.s3, region="eu-west-1"))
    assert not part.unchanged(old, moved)
