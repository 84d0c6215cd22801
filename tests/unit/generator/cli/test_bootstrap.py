from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from flowrex.testing.consul import FakeConsul
from generator import audit, bootstrap
from generator.bootstrap import Report, State, Step, resolve
from generator.cli import main

COMPLETE = Report((Step("vault mount kv/", State.PRESENT), Step("consul role x", State.UPDATED)))
LACKING = Report(
    (Step("vault mount kv/", State.PRESENT), Step("a secret", State.MISSING, "give it"))
)


@pytest.fixture
def consul(monkeypatch: pytest.MonkeyPatch) -> FakeConsul:
    """Consul, as far as it is asked beside what is configured."""
    fake, real = FakeConsul(), resolve.target_of

    def target_of(*given: Any, **more: Any) -> Any:
        return replace(real(*given, **more), consul=fake)  # type: ignore[arg-type]

    monkeypatch.setattr(resolve, "target_of", target_of)
    return fake


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, consul: FakeConsul) -> list[tuple[str, bool]]:
    """Which half was asked for, and whether only to check; the answer is COMPLETE."""
    calls: list[tuple[str, bool]] = []
    for name in ("CONSUL_HTTP_TOKEN", "VAULT_TOKEN", "NOMAD_TOKEN"):
        monkeypatch.setenv(name, "t")
    monkeypatch.setenv("FLOWREX_DATABASE_ADMIN_URL", "postgresql://admin@db/postgres")
    answer(monkeypatch, COMPLETE, calls)
    return calls


def answer(monkeypatch: pytest.MonkeyPatch, report: Report, calls: list[tuple[str, bool]]) -> None:
    for half in ("run", "before_nomad"):

        def act(_: Any, *, check_only: bool, half: str = half) -> Report:
            calls.append((half, check_only))
            return report

        monkeypatch.setattr(bootstrap, half, act)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bootstrap", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_it_configures_unless_it_is_told_to_check(asked: list[tuple[str, bool]]) -> None:
    assert run("prod") == 0
    assert run("prod", "--check") == 0
    assert run("prod", "--before-nomad") == 0
    assert asked == [("run", False), ("run", True), ("before_nomad", False)]


def test_who_changed_the_servers_and_what_is_recorded(
    asked: list[tuple[str, bool]], consul: FakeConsul
) -> None:
    run("prod", "--check")
    assert audit.history(consul, "prod") == []  # type: ignore[arg-type]
    run("prod")
    (record,) = audit.history(consul, "prod")  # type: ignore[arg-type]
    assert (record.verb, record.outcome) == ("bootstrap", "done")
    assert record.details == {"servers": "all", "changed": ["consul role x"]}
    assert [json.loads(one.value)["outcome"] for one in consul.kv_list("flowrex/outbox/")] == [
        "begun",
        "done",
    ]


def test_nothing_is_changed_that_can_not_be_recorded(
    asked: list[tuple[str, bool]], consul: FakeConsul
) -> None:
    consul.down = True
    assert run("prod") == 6
    assert asked == []


def test_what_lacks_makes_the_status_three(
    asked: list[tuple[str, bool]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(monkeypatch, LACKING, asked)
    assert run("prod", "--check") == 3
    out, err = capsys.readouterr()
    assert "missing" in out and "give it" in out
    assert "flowrexctl bootstrap prod" in err


def test_json_is_one_document(
    asked: list[tuple[str, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("prod", "--json") == 0
    out, _ = capsys.readouterr()
    assert json.loads(out) == {**COMPLETE.as_document(), "exit_status": 0}


def test_rights_that_are_missing_are_a_mistake_in_the_settings(
    asked: list[tuple[str, bool]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    assert run("prod") == 3
    assert "VAULT_TOKEN" in capsys.readouterr().err
    assert asked == []
