from pathlib import Path

import pytest

from flowrex.errors import UsageError
from generator.dev.layout import Layout
from generator.dev.process import Identity
from generator.dev.settings import Settings
from generator.dev.state import ClusterState, ServerRecord
from generator.dev.up import plan_layout

ROOT = Path("/state")
SERVER = ServerRecord("vault", Identity(1, 1, "boot"), 1, "1", 0.0, "f")


def settings(base: int | None = None) -> Settings:
    return Settings(ROOT, Path("/cache"), base)


def known(*, nodes: int = 1, up: bool) -> ClusterState:
    return ClusterState(Layout(ROOT, 24000, nodes), {"vault": SERVER} if up else {})


def test_three_servers_are_on_three_nodes() -> None:
    assert plan_layout(settings(), None, None, 3) == Layout(ROOT, 20000, 3, 3)


def test_a_repair_keeps_the_servers() -> None:
    there = ClusterState(Layout(ROOT, 24000, 3, 3), {"vault": SERVER})
    assert plan_layout(settings(), there, None) == Layout(ROOT, 24000, 3, 3)


@pytest.mark.parametrize(("nodes", "servers"), [(None, 2), (2, 3), (1, 3)])
def test_servers_without_a_majority_or_a_node_are_refused(nodes: int | None, servers: int) -> None:
    with pytest.raises(UsageError, match="--servers"):
        plan_layout(settings(), None, nodes, servers)


def test_servers_cant_be_added_to_a_cluster_that_is_up() -> None:
    with pytest.raises(UsageError, match="servers on 1 nodes, not on 3"):
        plan_layout(settings(), known(nodes=3, up=True), None, 3)


def test_a_first_cluster_has_one_node_at_the_usual_base() -> None:
    assert plan_layout(settings(), None, None) == Layout(ROOT, 20000, 1)


def test_the_setting_moves_it() -> None:
    assert plan_layout(settings(30000), None, 2) == Layout(ROOT, 30000, 2)


def test_a_known_cluster_stays_where_it_was_without_the_setting() -> None:
    assert plan_layout(settings(), known(up=False), None).base == 24000


def test_a_cluster_that_is_down_may_move() -> None:
    assert plan_layout(settings(30000), known(up=False), None).base == 30000


def test_a_cluster_that_is_up_may_not_move() -> None:
    with pytest.raises(UsageError, match="ports from 24000, not from 30000"):
        plan_layout(settings(30000), known(up=True), None)


def test_a_repair_keeps_the_number_of_nodes() -> None:
    assert plan_layout(settings(), known(nodes=2, up=True), None).node_count == 2


def test_a_cluster_that_was_down_starts_with_one_node() -> None:
    assert plan_layout(settings(), known(nodes=2, up=False), None).node_count == 1


def test_nodes_can_be_added_to_a_cluster_that_is_up() -> None:
    assert plan_layout(settings(), known(nodes=1, up=True), 2).node_count == 2


def test_nodes_cant_be_taken_away_from_it() -> None:
    with pytest.raises(UsageError, match="has 2 nodes, not 1"):
        plan_layout(settings(), known(nodes=2, up=True), 1)


@pytest.mark.parametrize("nodes", [0, 4, -1])
def test_a_number_of_nodes_that_does_not_fit_is_refused(nodes: int) -> None:
    with pytest.raises(UsageError, match="--nodes"):
        plan_layout(settings(), None, nodes)
