from __future__ import annotations

from typing import Any

import pytest

from generator.differ import Change, changes, readable


def field(name: str, old: str, new: str, note: str = "") -> dict[str, Any]:
    kind = "Edited" if old and new else "Added" if new else "Deleted"
    if old == new:
        kind = "None"
    return {"Name": name, "Type": kind, "Old": old, "New": new, "Annotations": [note] * bool(note)}


def of_task(**node: Any) -> tuple[Change, ...]:
    task = {"Name": "backend", "Type": "Edited", **node}
    group = {"Name": "web", "Type": "Edited", "Tasks": [task]}
    return changes({"Type": "Edited", "TaskGroups": [group]})


def test_a_change_knows_its_group_task_and_place() -> None:
    (change,) = of_task(Fields=[field("Env[LOG_LEVEL]", "info", "debug", "forces create")])
    assert (change.group, change.task, change.label) == ("web", "backend", "env LOG_LEVEL")
    assert change.shown() == ("info", "debug")
    assert change.note == "forces create"


def test_what_stays_and_what_nomad_counts_is_left_out() -> None:
    fields = [field("A", "1", "1"), field("JobModifyIndex", "3", "4"), field("Version", "1", "2")]
    assert changes({"Type": "Edited", "Fields": fields}) == ()


def test_the_defaults_of_something_new_are_left_out() -> None:
    fields = [field("Chown", "", "false"), field("Retries", "", "0"), field("Role", "", "backend")]
    node = {"Name": "Vault", "Type": "Added", "Fields": fields}
    assert [change.label for change in of_task(Objects=[node])] == ["vault backend / role"]


def test_the_job_comes_before_its_groups_and_a_group_before_its_tasks() -> None:
    task = {"Name": "t", "Type": "Edited", "Fields": [field("Driver", "exec", "docker")]}
    group = {
        "Name": "g",
        "Type": "Edited",
        "Fields": [field("Count", "2", "3")],
        "Tasks": [task],
    }
    job = {"Type": "Edited", "Fields": [field("Priority", "50", "60")], "TaskGroups": [group]}
    assert [one.label for one in changes(job)] == ["priority", "count", "driver"]


def test_a_secret_is_shown_neither_old_nor_new() -> None:
    (change,) = of_task(Fields=[field("Env[DB_PASSWORD]", "hunter2", "hunter3")])
    assert change.shown() == ("***", "***")


def test_a_template_is_compared_line_by_line_without_its_secrets() -> None:
    fields = [
        field("DestPath", "local/x", "local/x"),
        field("EmbeddedTmpl", "a\nb\npassword=1\n", "a\nc\npassword=2\n"),
    ]
    (change,) = of_task(Objects=[{"Name": "Template", "Type": "Edited", "Fields": fields}])
    assert change.label == "template local/x / data"
    assert change.lines() == [
        "@@ -1,3 +1,3 @@",
        " a",
        "-b",
        "-password=***",
        "+c",
        "+password=***",
    ]


def test_a_text_whose_only_change_must_not_be_shown_says_so() -> None:
    key = "-----BEGIN " + "PRIVATE KEY-----\n{}\n-----END " + "PRIVATE KEY-----\n"
    change = Change(None, None, ("data",), "edited", key.format("a"), key.format("b"))
    assert change.lines() == ["(changed, not shown)"]


def test_one_that_took_anothers_place_is_one_change() -> None:
    def artifact(kind: str, source: str) -> dict[str, Any]:
        old, new = (source, "") if kind == "Deleted" else ("", source)
        path = ("local/", "") if kind == "Deleted" else ("", "local/")
        fields = [field("GetterSource", old, new), field("RelativeDest", *path)]
        return {"Name": "Artifact", "Type": kind, "Fields": fields}

    (change,) = of_task(Objects=[artifact("Added", "new.tgz"), artifact("Deleted", "old.tgz")])
    assert change.label == "artifact local/ / source"
    assert change.shown() == ("old.tgz", "new.tgz")


def test_one_more_argument_is_one_change_and_not_one_for_each_after_it() -> None:
    fields = [
        field("args[0]", "-m", "-v"),
        field("args[1]", "app", "-m"),
        field("args[2]", "", "app"),
    ]
    (change,) = of_task(Objects=[{"Name": "Config", "Type": "Edited", "Fields": fields}])
    assert change.label == "config / args"
    assert change.lines() == ["@@ -1,2 +1,3 @@", "+-v", " -m", " app"]


def test_a_constraint_reads_as_one_sentence() -> None:
    fields = [
        field("LTarget", "", "${attr.kernel.name}"),
        field("Operand", "", "="),
        field("RTarget", "", "linux"),
    ]
    (change,) = changes(
        {"Type": "Edited", "Objects": [{"Name": "Constraint", "Type": "Added", "Fields": fields}]}
    )
    assert (change.kind, change.new) == ("added", "${attr.kernel.name} = linux")


def test_a_new_job_is_told_by_its_groups_and_tasks() -> None:
    task = {"Name": "t", "Type": "Added", "Fields": [field("Driver", "", "exec")]}
    group = {"Name": "g", "Type": "Added", "Fields": [field("Count", "", "3")], "Tasks": [task]}
    added = changes({"Type": "Added", "TaskGroups": [group]})
    assert [(one.path, one.new) for one in added] == [
        (("group", "g"), "count 3"),
        (("task", "t"), ""),
    ]


def test_a_group_or_a_task_that_comes_or_goes_is_one_change() -> None:
    tasks = [{"Name": "new", "Type": "Added", "Fields": [field("Driver", "", "exec")]}]
    groups = [
        {"Name": "kept", "Type": "Edited", "Tasks": tasks},
        {"Name": "gone", "Type": "Deleted", "Tasks": tasks},
    ]
    found = changes({"Type": "Edited", "TaskGroups": groups})
    assert [(one.kind, one.path) for one in found] == [
        ("added", ("task", "new")),
        ("deleted", ("group", "gone")),
    ]


@pytest.mark.parametrize(
    ("name", "raw", "shown"),
    [
        ("interval", "2000000000", "2s"),
        ("kill_timeout", "90000000000", "90s"),
        ("progress_deadline", "600000000000", "10m"),
        ("grace", "1500000000", "1500ms"),
        ("memory_mb", "2000000000", "2000000000"),
        ("interval", "30s", "30s"),
        ("count", "3", "3"),
    ],
)
def test_a_length_of_time_is_shown_in_its_unit(name: str, raw: str, shown: str) -> None:
    assert readable(name, raw) == shown
