from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flowrex.consul import ConsulClient
from flowrex.errors import PermissionRefused, ServerUnreachable
from flowrex.nomad import TaskState
from flowrex.testing.consul import FakeConsul
from flowrex.vault import VaultClient
from generator import sources
from tests.unit.generator.diagnose.test_explain import SICK, event


class Vault:
    """Has metadata, and no secret for anybody."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, ""

    def read(self, path: str) -> Any:
        self.asked = path
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def there(source: str, vault: Vault | None = None, consul: FakeConsul | None = None) -> bool | None:
    client = cast(ConsulClient, consul or FakeConsul())
    return sources.there(source, client, cast("VaultClient | None", vault))


def test_what_templates_wait_for_is_read_from_their_events() -> None:
    waited = event("Template", "Missing: kv.block(a/b), vault.read(kv/data/x)")
    other = event("Driver", "vault.read(kv/data/y)")
    task = TaskState("pending", False, 0, (waited, other, waited))
    sick = replace(SICK, tasks={"a": task, "b": task})
    assert sources.waited_for([sick]) == ["kv.block(a/b)", "vault.read(kv/data/x)"]


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("kv.block(a/b@dc1)", "kv", "a/b"),
        ("vault.read(kv/data/x)", "vault", "kv/data/x"),
        ("health.service(db|passing)", "health", "db|passing"),
    ],
)
def test_a_source_has_a_kind_and_a_name(source: str, kind: str, name: str) -> None:
    assert sources.parts(source) == (kind, name)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"versions": {}}, True),
        (None, False),
        (PermissionRefused("no"), None),
        (ServerUnreachable("away"), None),
    ],
)
def test_of_a_secret_the_metadata_alone_is_asked_for(answer: Any, found: bool | None) -> None:
    vault = Vault(answer)
    assert there("vault.read(kv/data/flowrex/x)", vault) is found
    assert vault.asked == "kv/metadata/flowrex/x"


def test_what_nobody_may_ask_for_is_not_known() -> None:
    assert there("vault.read(kv/data/flowrex/x)") is None
    assert there("vault.read(database/creds/x)", Vault({})) is None
    assert there("health.service(db|passing)", Vault({})) is None


def test_a_key_is_asked_of_consul() -> None:
    consul = FakeConsul()
    assert there("kv.block(flowrex/x)", consul=consul) is False
    consul.kv_put("flowrex/x", b"1")
    assert there("kv.block(flowrex/x)", consul=consul) is True
