"""What the golden failures do not show: the same subjects in other words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flowrex.nomad import TaskEvent, TaskState
from generator.diagnose import artifact, ending, starting, template
from generator.diagnose.cause import Case, Cause, Rank
from tests.unit.generator.diagnose.test_explain import SICK, event

PASSWORD = "hunter2"

SPEC = {"Driver": "docker", "Resources": {"MemoryMB": 64, "MemoryMaxMB": 128}}
SECRET = "vault.read(kv/data/flowrex/backend)"


def case(*events: TaskEvent, restarts: int = 0, **sources: bool | None) -> Case:
    task = TaskState("dead", True, restarts, events)
    spec: Mapping[str, Any] = {**SPEC, "Vault": {"Role": "backend"}}
    return Case("dev", "backend", SICK, "backend", task, spec, sources)


def sentence(cause: Cause | None) -> str:
    assert cause is not None
    return cause.sentence


@pytest.mark.parametrize(
    ("details", "status", "expected"),
    [
        ({"oom_killed": "true"}, 137, "was killed because it used more memory than its limit of"),
        ({"signal": "9"}, 0, "was killed by signal 9 (SIGKILL), and not by Nomad: the kernel"),
        ({}, 137, "was killed by signal 9 (SIGKILL), and not by Nomad: the kernel does so"),
        ({"signal": "15"}, 0, "was killed by signal 15 (SIGTERM)"),
        ({}, 143, "was killed by signal 15 (SIGTERM)"),
        ({"signal": "200"}, 0, "was killed by signal 200"),
        ({}, 126, "exited with status 126 (a shell's word for: the program may not be executed)"),
        ({}, 255, "exited with status 255"),
        ({}, 0, "ended by itself with status 0, and a service must not end"),
    ],
)
def test_an_end_has_words_of_its_own(details: dict[str, str], status: int, expected: str) -> None:
    ended = ending.read(case(event("Terminated", "", status, **details)))
    assert sentence(ended).startswith(expected)


def test_the_memory_that_counts_is_the_most_that_a_task_may_use() -> None:
    ended = ending.read(case(event("Terminated", "", 137, oom_killed="true")))
    assert sentence(ended).endswith("its limit of 128 MiB")


def test_a_task_that_nomad_killed_did_not_outgrow_its_memory() -> None:
    ended = ending.read(case(event("Killing"), event("Terminated", "", 137, signal="9")))
    assert sentence(ended) == "was killed by signal 9 (SIGKILL)"
    assert ended is not None
    assert ended.rank is Rank.ECHO


def test_a_task_that_runs_on_has_no_end() -> None:
    task = TaskState("running", False, 0, (event("Terminated", "", 1),))
    assert ending.read(Case("dev", "b", SICK, "b", task, {}, {})) is None


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        (
            "Driver Failure",
            'Failed to pull `app:1`: Error response from daemon: unknown "app:1"',
            "the driver docker could not start it: Failed to pull `app:1`: Error response from "
            'daemon: unknown "app:1"',
        ),
        (
            "Driver Failure",
            "rpc error: code = Unknown desc = fork/exec /a/b: permission denied",
            "its program /a/b may not be executed (permission denied)",
        ),
        ("Failed Validation", "no command", "Nomad's client does not accept it: no command"),
        (
            "Setup Failure",
            'failed to setup alloc: pre-run hook "network" failed: no bridge',
            'the node could not prepare it: pre-run hook "network" failed: no bridge',
        ),
        ("Disk Resources Exceeded", "300 MiB", "it used more disk than its group has: 300 MiB"),
    ],
)
def test_what_keeps_a_task_from_beginning(kind: str, message: str, expected: str) -> None:
    assert sentence(starting.read(event(kind, message), case())) == expected


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("bad response code: 403", "can't be had: the server refuses it (HTTP 403)"),
        ("bad response code: 500", "can't be had: the server fails (HTTP 500)"),
        ("context deadline exceeded", "can't be had: context deadline exceeded"),
    ],
)
def test_what_an_artifacts_server_says(why: str, expected: str) -> None:
    message = f'failed to download artifact "http://s/a.tgz": failed to download artifact: {why}'
    found = artifact.read(event("Failed Artifact Download", message), case())
    assert sentence(found) == f"its artifact http://s/a.tgz {expected}"


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (False, "its template waits for the secret kv/data/flowrex/backend, which Vault does not"),
        (True, "Vault refuses the secret kv/data/flowrex/backend to its role backend"),
        (
            None,
            "its template waits for the secret kv/data/flowrex/backend: Vault does not have it, ",
        ),
    ],
)
def test_a_template_that_waits(there: bool | None, expected: str) -> None:
    waited = event("Template", f"Missing: {SECRET}")
    sources: dict[str, Any] = {SECRET: there}
    assert sentence(template.read(waited, case(**sources))).startswith(expected)


def test_a_template_may_wait_for_more_than_one_and_for_what_nobody_asks_for() -> None:
    waited = event("Template", f"Missing: health.service(db|passing), {SECRET}")
    said = sentence(template.read(waited, case(**{SECRET: False})))
    assert said.split("; ")[0] == "its template waits for health.service(db|passing)"
    assert said.endswith("which Vault does not have")


def test_vaults_own_refusal_needs_no_question() -> None:
    text = f"Template failed: {SECRET}: Error making API request. Code: 403. Errors: * denied"
    found = template.read(event("Killing", text), case())
    assert sentence(found) == (
        "Vault refuses the secret kv/data/flowrex/backend to its role backend"
    )


def test_a_login_that_fails_for_another_reason_says_it() -> None:
    text = "Vault: failed to derive vault token: dial tcp 127.0.0.1:8200: connection refused"
    assert sentence(template.read(event("Killing", text), case())) == (
        "it gets no token of Vault: failed to derive vault token: dial tcp 127.0.0.1:8200: "
        "connection refused"
    )


def test_a_secret_in_a_message_is_not_repeated() -> None:
    text = f"Template failed: postgres://app:{PASSWORD}@db/x"
    assert "hunter2" not in sentence(template.read(event("Killing", text), case()))
    assert "hunter2" not in sentence(starting.read(event("Driver Failure", text), case()))
