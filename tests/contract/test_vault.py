"""What the agent relies on in Vault, held against the real one and against its stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret
from flowrex.testing.vault import FakeVault
from flowrex.vault import VaultClient
from tests.cluster import eventually
from tests.contract import own

ROOT_TOKEN = "of-the-contract-tests"
POLICY = """
path "kv/data/agent" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
"""


@dataclass(frozen=True)
class Vault:
    """One Vault with an AppRole.

    Attributes:
        client: makes a client with a token.
        role_id: the role's id.
        secret_id: its secret.
        revoke: revokes a token, as an administrator.
    """

    client: Callable[[Secret | None], Any]
    role_id: str
    secret_id: str
    revoke: Callable[[Secret], object]

    def log_in(self) -> dict[str, Any]:
        body = {"role_id": self.role_id, "secret_id": self.secret_id}
        answer: dict[str, Any] = self.client(None).write("auth/approle/login", body)
        return answer

    def logged_in(self) -> tuple[Any, Secret]:
        token = Secret(self.log_in()["client_token"])
        return self.client(token), token


@pytest.fixture(scope="session")
def real_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """A Vault of this test run's own, in memory."""
    (port,) = own.free_ports(1)
    command: list[str | Path] = [own.program("vault"), "server", "-dev", "-dev-no-store-token"]
    command += [f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
    with own.running(command, tmp_path_factory.mktemp("vault")):
        address = f"http://127.0.0.1:{port}"
        root = VaultClient(address, Secret(ROOT_TOKEN))
        eventually(lambda: _ready(root), every=0.05, what="an unsealed Vault")
        root.write("sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        root.write("sys/policies/acl/agent", {"policy": POLICY})
        root.write("sys/auth/approle", {"type": "approle"})
        body = {"token_policies": ["agent"], "token_period": 3600, "token_no_default_policy": True}
        root.write("auth/approle/role/agent", body)
        eventually(lambda: _written(root), every=0.1, what="a KV engine that takes writes")
        yield Vault(
            lambda token: VaultClient(address, token),
            root.read("auth/approle/role/agent/role-id")["role_id"],  # type: ignore[index]
            root.write("auth/approle/role/agent/secret-id")["secret_id"],
            lambda token: root.write("auth/token/revoke", {"token": token.reveal()}),
        )


def _ready(root: VaultClient) -> bool:
    try:
        return not root.health().sealed
    except ServerUnreachable:
        return False


def _written(root: VaultClient) -> bool:
    try:
        root.kv_write("agent", {"consul_token": Secret("kept")})
    except ServerRefused:
        return False
    return True


@pytest.fixture(params=["fake", "real"])
def vault(request: pytest.FixtureRequest) -> Vault:
    """Vault, once the stand-in and once the real one."""
    if request.param == "real":
        real: Vault = request.getfixturevalue("real_vault")
        return real
    fake = FakeVault(approles={"agent-id": "agent-secret"})
    fake.secrets["agent"] = {"consul_token": "kept"}
    return Vault(
        fake.client, "agent-id", "agent-secret", lambda token: fake.tokens.pop(token.reveal())
    )


def test_an_approle_login_gives_a_renewable_token_and_its_time(vault: Vault) -> None:
    answer = vault.log_in()
    assert answer["client_token"]
    assert (answer["lease_duration"], answer["renewable"]) == (3600, True)


def test_a_wrong_secret_id_is_refused_and_is_no_lack_of_rights(vault: Vault) -> None:
    body = {"role_id": vault.role_id, "secret_id": "another"}
    with pytest.raises(ServerRefused) as caught:
        vault.client(None).write("auth/approle/login", body)
    assert "another" not in caught.value.message


def test_a_token_reads_the_secret_that_its_policy_allows(vault: Vault) -> None:
    client, _ = vault.logged_in()
    assert client.kv_read("agent") == {"consul_token": Secret("kept")}


def test_a_token_is_looked_up_and_renewed_by_itself(vault: Vault) -> None:
    client, _ = vault.logged_in()
    assert client.read("auth/token/lookup-self")["renewable"]
    assert client.write("auth/token/renew-self", {})["lease_duration"] == 3600


def test_a_revoked_token_may_do_nothing(vault: Vault) -> None:
    client, token = vault.logged_in()
    vault.revoke(token)
    asks: tuple[Callable[[], object], ...] = (
        lambda: client.read("auth/token/lookup-self"),
        lambda: client.write("auth/token/renew-self", {}),
        lambda: client.kv_read("agent"),
    )
    for ask in asks:
        with pytest.raises(PermissionRefused):
            ask()


def test_nobody_reads_without_a_token(vault: Vault) -> None:
    with pytest.raises(PermissionRefused):
        vault.client(None).kv_read("agent")
