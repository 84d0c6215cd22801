from __future__ import annotations

import pytest

from generator.placement import explain


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (
            {
                "NodesEvaluated": 3,
                "NodesInPool": 3,
                "DimensionExhausted": {"memory": 2},
                "ResourcesExhausted": {"a": {"MemoryMB": 512}, "b": {"MemoryMB": 256}},
            },
            "not enough memory on 2 of 3 nodes; the group asks for 768 MiB",
        ),
        (
            {
                "NodesEvaluated": 1,
                "NodesInPool": 1,
                "DimensionExhausted": {"network: reserved port collision http=80": 1},
            },
            "the static port http=80 is taken on 1 of 1 node",
        ),
        (
            {
                "NodesEvaluated": 2,
                "NodesInPool": 2,
                "ConstraintFiltered": {"${meta.entry} = true": 2},
            },
            "the constraint `${meta.entry} = true` excludes 2 of 2 nodes",
        ),
        (
            {"NodesEvaluated": 2, "ConstraintFiltered": {"missing drivers": 2}},
            "the task driver is missing or unhealthy on 2 of 2 nodes",
        ),
        (
            {"NodesEvaluated": 2, "ConstraintFiltered": {"distinct_hosts": 2}},
            "distinct_hosts leaves 2 of 2 nodes out: each already runs one",
        ),
        ({"NodesAvailable": {"dc2": 0}}, "no node is ready in datacenter dc2"),
        ({"NodePool": "gpu"}, "no ready node is in node pool gpu"),
        ({"NodesEvaluated": 1, "QuotaExhausted": ["team"]}, "quota team is used up"),
        ({"NodesEvaluated": 1}, "Nomad gives no reason"),
    ],
)
def test_a_metric_becomes_a_sentence(metric: dict[str, object], sentence: str) -> None:
    assert explain({"backend": metric}) == (f"group backend: {sentence}",)


def test_what_was_counted_together_is_told_together() -> None:
    metric = {"NodesEvaluated": 1, "DimensionExhausted": {"cpu": 1}, "CoalescedFailures": 2}
    (sentence,) = explain({"backend": metric})
    assert sentence.endswith("; 2 more of its allocations for the same reason")


def test_groups_come_in_order_and_no_failure_is_no_sentence() -> None:
    failures = {"b": {"NodesEvaluated": 1}, "a": {"NodesEvaluated": 1}}
    assert [one[:7] for one in explain(failures)] == ["group a", "group b"]
    assert explain({}) == ()
