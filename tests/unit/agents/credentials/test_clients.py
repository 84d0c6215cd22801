"""Clients always have credentials that are good: renewed, got anew, replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.credentials.clients import Clients
from agents.credentials.connect import Connect
from agents.credentials.files import Files
from flowrex.errors import PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret
from flowrex.testing.clock import FakeClock
from flowrex.testing.vault import FakeVault
from tests.unit.agents.conftest import Configured


class Made:
    """A client that remembers what it was made with."""

    def __init__(self, *secrets: Secret) -> None:
        self.secrets = [secret.reveal() for secret in secrets]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "vault-role-id").write_text("agent-id")
    (folder / "vault-secret-id").write_text("agent-secret")
    return folder


@pytest.fixture
def clients(configured: Configured, folder: Path, clock: FakeClock, vault: FakeVault) -> Clients:
    connect = Connect(
        vault=lambda _settings, token, _pair: vault.client(token),
        consul=lambda _settings, token: Made(token),
        s3=lambda _settings, access, secret: Made(access, secret),
    )
    return Clients(configured(""), Files(folder), clock, connect)


def secrets(client: Any) -> Any:
    return client.secrets


def test_a_login_gives_the_tokens_of_consul_and_s3(clients: Clients) -> None:
    assert secrets(clients.consul()) == ["consul-1"]
    assert secrets(clients.s3()) == ["access-1", "secret-1"]
    assert clients.seen.logins == 1


def test_a_client_is_made_once(clients: Clients) -> None:
    assert clients.consul() is clients.consul()
    assert clients.vault() is clients.vault()


def test_a_file_comes_before_vault_and_needs_no_vault(
    clients: Clients, folder: Path, vault: FakeVault
) -> None:
    (folder / "consul-token").write_text("of-the-file")
    vault.down = True
    assert secrets(clients.consul()) == ["of-the-file"]


def test_vault_away_at_the_start_is_an_error_and_goes_over(
    clients: Clients, clock: FakeClock, vault: FakeVault
) -> None:
    vault.down = True
    with pytest.raises(ServerUnreachable, match="does not answer"):
        clients.consul()
    vault.down = False
    clock.move(3)
    assert secrets(clients.consul()) == ["consul-1"]


def test_ten_tasks_that_ask_at_once_are_one_try(
    clients: Clients, clock: FakeClock, vault: FakeVault
) -> None:
    vault.sealed = True
    with pytest.raises(ServerRefused):
        clients.vault()
    vault.sealed = False
    with pytest.raises(ServerRefused):
        clients.vault()
    assert clients.seen.logins == 0


def test_a_token_is_renewed_when_a_third_of_its_life_is_over(
    clients: Clients, clock: FakeClock
) -> None:
    clients.vault()
    clock.move(1100)
    clients.look()
    assert clients.seen.renewals == 0
    clock.move(200)
    clients.look()
    assert (clients.seen.renewals, clients.seen.logins) == (1, 1)
    assert clients.token_left_s() == 3600


def test_a_token_at_its_greatest_age_is_followed_by_another(
    clients: Clients, clock: FakeClock, vault: FakeVault
) -> None:
    vault.max_renewals = 0
    before = clients.vault()
    clock.move(1300)
    clients.look()
    assert clients.seen.logins == 2
    assert clients.vault() is not before


def test_a_token_that_can_not_be_renewed_is_followed_by_another(
    clients: Clients, clock: FakeClock, vault: FakeVault
) -> None:
    vault.renewable = False
    clients.vault()
    clock.move(1300)
    clients.look()
    assert (clients.seen.logins, clients.seen.renewals) == (2, 0)


def test_a_revoked_token_is_got_anew(clients: Clients, vault: FakeVault) -> None:
    before = clients.vault()
    vault.revoke_all()
    clients.look()
    assert clients.seen.logins == 2
    assert clients.vault() is not before
    assert clients.vault().kv_read("flowrex/agent") is not None


def test_a_replaced_consul_token_replaces_the_client(clients: Clients, vault: FakeVault) -> None:
    consul, s3 = clients.consul(), clients.s3()
    vault.secrets["flowrex/agent"]["consul_token"] = "consul-2"
    clients.look()
    assert secrets(clients.consul()) == ["consul-2"]
    assert clients.consul() is not consul
    assert clients.s3() is s3


def test_what_is_good_is_kept_while_vault_is_away(clients: Clients, vault: FakeVault) -> None:
    consul = clients.consul()
    vault.down = True
    with pytest.raises(ServerUnreachable):
        clients.look()
    assert clients.consul() is consul


def test_a_job_logs_in_by_the_identity_that_nomad_keeps_fresh(
    clients: Clients, configured: Configured, folder: Path, vault: FakeVault
) -> None:
    clients.use(configured("vault:\n  login: jwt\n  login_mount: jwt-nomad\n"))
    vault.identities["signed-first"] = "agent"
    (folder / "vault-jwt").write_text("signed-first")
    clients.look()
    vault.revoke_all()
    vault.identities = {"signed-later": "agent"}
    (folder / "vault-jwt").write_text("signed-later")
    clients.look()
    assert clients.seen.logins == 2


def test_an_identity_of_another_job_is_refused(
    clients: Clients, configured: Configured, folder: Path, vault: FakeVault
) -> None:
    clients.use(configured("vault:\n  login: jwt\n"))
    vault.identities["of-the-backend"] = "backend"
    (folder / "vault-jwt").write_text("of-the-backend")
    with pytest.raises(ServerRefused):
        clients.look()


def test_a_secret_id_that_vault_does_not_accept_is_said(clients: Clients, folder: Path) -> None:
    (folder / "vault-secret-id").write_text("wrong")
    with pytest.raises(ServerRefused, match="invalid role or secret ID"):
        clients.look()


def test_a_missing_secret_id_names_its_file(clients: Clients, folder: Path) -> None:
    (folder / "vault-secret-id").unlink()
    with pytest.raises(PermissionRefused, match="vault-secret-id is missing"):
        clients.look()


def test_a_key_that_vault_lacks_is_named(clients: Clients, vault: FakeVault) -> None:
    del vault.secrets["flowrex/agent"]["s3_access_key"]
    with pytest.raises(PermissionRefused, match="'s3_access_key'"):
        clients.s3()
    assert secrets(clients.consul()) == ["consul-1"]


def test_without_vault_every_credential_is_a_file(
    clients: Clients, configured: Configured, folder: Path
) -> None:
    clients.use(configured("vault:\n  enabled: false\n"))
    with pytest.raises(PermissionRefused, match=r"credentials/consul-token is missing"):
        clients.consul()
    (folder / "consul-token").write_text("of-the-file")
    assert secrets(clients.consul()) == ["of-the-file"]
    clients.look()
    assert clients.seen.logins == 0


def test_a_file_that_gets_unreadable_is_an_outage_that_goes_over(
    clients: Clients, folder: Path
) -> None:
    (folder / "consul-token").write_bytes(b"\xff\xfe")
    with pytest.raises(ServerUnreachable, match="consul-token: this credential can't be read"):
        clients.consul()
    (folder / "consul-token").write_text("of-the-file")
    assert secrets(clients.consul()) == ["of-the-file"]


def test_a_reload_replaces_the_clients_of_what_changed_only(clients: Clients) -> None:
    consul, s3, vault = clients.consul(), clients.s3(), clients.vault()
    old = clients.settings
    moved = replace(old.consul, address="http://127.0.0.1:18500")
    clients.use(replace(old, consul=moved))
    assert clients.consul() is not consul
    assert (clients.s3(), clients.vault()) == (s3, vault)
