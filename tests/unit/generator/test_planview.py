from __future__ import annotations

import json

from generator.differ import Change
from generator.plan import JobPlan
from generator.planview import document, lines
from tests.unit.generator.rolling import rendered, spec

SECRET = "hunter2"
UPDATE = JobPlan(
    job=rendered(spec()),
    index=9,
    version=3,
    action="update",
    changes=(
        Change(None, None, ("meta release",), "edited", "1.0.0", "1.1.0"),
        Change("backend", None, ("count",), "edited", "2", "3", "forces create"),
        Change("backend", "backend", ("env LOG_LEVEL",), "added", "", "debug"),
        Change("backend", "backend", ("env DB_PASSWORD",), "edited", SECRET, SECRET + "3"),
        Change("backend", "backend", ("template x", "data"), "edited", "a\n", f"secret={SECRET}\n"),
    ),
    updates={"backend": {"canary": 1, "unchanged": 2}},
    placement=("group backend: not enough memory on 1 of 1 node",),
    warnings="deprecated: x",
)
NONE = JobPlan(job=rendered(spec("nginx")), index=4, version=1, action="none")


def text(*plans: JobPlan) -> list[str]:
    return [line.text for line in lines(plans)]


def test_changes_are_grouped_by_job_group_and_task() -> None:
    assert text(UPDATE, NONE) == [
        "backend (version 3): changes",
        "  ~ meta release: '1.0.0' → '1.1.0'",
        "  group backend: 1 canary, 2 unchanged",
        "    ~ count: '2' → '3'  [creates allocations]",
        "    task backend",
        "      + env LOG_LEVEL: 'debug'",
        "      ~ env DB_PASSWORD: *** → *** (changed, not shown)",
        "      ~ template x / data",
        "          @@ -1 +1 @@",
        "          -a",
        "          +secret=***",
        "  ! group backend: not enough memory on 1 of 1 node",
        "  ! Nomad warns: deprecated: x",
        "nginx (version 1): no change",
    ]


def test_nothing_to_do_is_said() -> None:
    assert text(NONE)[-1] == "Nothing to do."


def test_a_new_job_shows_what_it_consists_of() -> None:
    new = JobPlan(
        job=rendered(spec()),
        index=0,
        version=None,
        action="create",
        changes=(
            Change("backend", None, ("group", "backend"), "added", "", "count 2"),
            Change("backend", "backend", ("task", "backend"), "added", "", ""),
        ),
        updates={"backend": {"create": 2}},
    )
    assert text(new) == [
        "backend: new",
        "  group backend: 2 create",
        "    + group backend (count 2)",
        "    + task backend",
    ]


def test_the_document_has_the_same_changes_and_no_secret_either() -> None:
    shown = document("dev", "1.1.0", [UPDATE, NONE])
    assert shown["changes"] is True
    backend, nginx = shown["jobs"]
    assert (backend["action"], nginx["action"]) == ("update", "none")
    assert backend["changes"][0] == {
        "group": None,
        "task": None,
        "path": ["meta release"],
        "kind": "edited",
        "note": None,
        "old": "1.0.0",
        "new": "1.1.0",
    }
    assert SECRET not in json.dumps(shown)
    assert SECRET not in "\n".join(text(UPDATE))
