from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests_mock

from flowrex.errors import ConfigurationError
from flowrex.secret import Secret
from flowrex.settings.declare import Duration
from flowrex.vault import VaultClient
from generator.bootstrap import postgres_monitor, vault_auth, vault_database, vault_pki
from generator.bootstrap.report import State
from generator.bootstrap.vault_mounts import mount
from generator.bootstrap.vault_policies import policies, with_mounts
from generator.bootstrap.vault_secrets import (
    ALERTMANAGER,
    NGINX,
    REDIS_EXPORTER,
    Wanted,
    steps,
    wanted,
)
from generator.environment.model import Vault

ADDRESS = "http://127.0.0.1:8200"
PROJECT = Path(__file__).parents[4]
USUAL = Vault(
    kv_mount="kv",
    database_mount="database",
    jwt_mount="jwt-nomad",
    pki_mount="pki",
    approle_mount="approle",
    database_ttl=Duration("1h"),
    database_max_ttl=Duration("24h"),
)


@pytest.fixture
def server() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        mocker.get(
            f"{ADDRESS}/v1/sys/mounts",
            json={"data": {"kv/": {"type": "kv", "options": {"version": "2"}}}},
        )
        yield mocker


@pytest.fixture
def vault() -> VaultClient:
    return VaultClient(ADDRESS, Secret("t"))


class TestPolicies:
    def test_each_job_with_a_login_has_a_policy_of_its_own(self) -> None:
        names = set(policies(PROJECT, USUAL))
        jobs = (*vault_auth.JOBS, *vault_auth.OPTIONAL)
        assert {f"flowrex-{job}" for job in jobs} <= names
        assert "flowrex-operator" in names

    def test_usual_mounts_leave_a_file_as_it_is(self) -> None:
        for name, text in policies(PROJECT, USUAL).items():
            file = PROJECT / "vault-policies" / f"{name.removeprefix('flowrex-')}.hcl"
            assert text == file.read_text()

    def test_other_mounts_move_the_paths_and_nothing_else(self) -> None:
        text = '# kv/data\npath "kv/data/flowrex/backend" {}\n  path "auth/token/kv/x" {}\n'
        assert with_mounts(text, {"kv": "secret"}) == (
            '# kv/data\npath "secret/data/flowrex/backend" {}\n  path "auth/token/kv/x" {}\n'
        )

    def test_no_policy_has_a_wildcard_over_secrets(self) -> None:
        for name, text in policies(PROJECT, USUAL).items():
            assert "kv/data/*" not in text, name
            assert "+" not in text, name
            assert "sudo" not in text, name

    def test_a_folder_without_policies_is_a_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError):
            policies(tmp_path, USUAL)


class TestMounts:
    def test_something_else_at_the_place_is_never_replaced(
        self, server: requests_mock.Mocker, vault: VaultClient
    ) -> None:
        with pytest.raises(ConfigurationError, match="kv/ in Vault is of type kv"):
            mount(vault, "kv", "database", check_only=False)

    def test_the_first_version_of_kv_is_something_else(
        self, server: requests_mock.Mocker, vault: VaultClient
    ) -> None:
        server.get(f"{ADDRESS}/v1/sys/mounts", json={"data": {"kv/": {"type": "kv"}}})
        with pytest.raises(ConfigurationError, match="version"):
            mount(vault, "kv", "kv", options={"version": "2"}, check_only=False)


class TestSecrets:
    WISHES = (
        Wanted("flowrex/backend", "made", lambda: Secret("new")),
        Wanted("flowrex/backend", "given", None),
    )
    PATH = f"{ADDRESS}/v1/kv/data/flowrex/backend"

    def there(self, server: requests_mock.Mocker, **values: str) -> None:
        metadata = f"{ADDRESS}/v1/kv/metadata/flowrex/backend"
        server.get(metadata, json={"data": {"current_version": 3}})
        server.get(self.PATH, json={"data": {"data": values}})
        server.post(self.PATH, json={})

    def test_a_value_that_is_there_is_left_alone(
        self, server: requests_mock.Mocker, vault: VaultClient
    ) -> None:
        self.there(server, made="old", given="theirs")
        found = list(steps(vault, "kv", self.WISHES, check_only=False))
        assert {step.state for step in found} == {State.PRESENT}
        assert not [r for r in server.request_history if r.method == "POST"]

    def test_an_absent_value_is_made_beside_what_is_there(
        self, server: requests_mock.Mocker, vault: VaultClient
    ) -> None:
        self.there(server, given="theirs", more="kept")
        list(steps(vault, "kv", self.WISHES, check_only=False))
        assert server.last_request is not None
        assert server.last_request.json() == {
            "data": {"given": "theirs", "more": "kept", "made": "new"},
            "options": {"cas": 3},
        }

    def test_what_only_a_person_has_is_reported_missing_with_the_command(
        self, server: requests_mock.Mocker, vault: VaultClient
    ) -> None:
        self.there(server, made="old")
        *_, given = steps(vault, "kv", self.WISHES, check_only=False)
        assert given.state is State.MISSING
        assert "vault kv patch -mount=kv flowrex/backend given=-" in given.detail

    def test_a_check_writes_nothing(self, server: requests_mock.Mocker, vault: VaultClient) -> None:
        self.there(server)
        found = list(steps(vault, "kv", self.WISHES, check_only=True))
        assert [step.state for step in found[1:]] == [State.MISSING, State.MISSING]
        assert not [r for r in server.request_history if r.method == "POST"]

    def test_redis_has_a_password_made_here_on_this_machine_only(self) -> None:
        def made(local: bool) -> set[str]:
            return {w.key for w in wanted(local=local, redis_username="x") if w.make}

        assert made(True) - made(False) == {"redis_password"}

    def test_the_exporter_of_redis_has_a_login_of_its_own_where_it_runs(self) -> None:
        def made(local: bool) -> dict[str, bool]:
            wishes = wanted(local=local, redis_username="x", redis_exporter=True)
            return {w.key: w.make is not None for w in wishes if w.secret == REDIS_EXPORTER}

        assert made(True) == {"username": True, "password": True}
        assert made(False) == {"username": True, "password": False}
        assert REDIS_EXPORTER not in {w.secret for w in wanted(local=True, redis_username="x")}

    def test_where_alerts_go_is_for_a_person_to_say(self) -> None:
        wishes = wanted(local=True, redis_username="x", alertmanager=("webhook_url",))
        (where,) = [w for w in wishes if w.secret == ALERTMANAGER]
        assert (where.key, where.make) == ("webhook_url", None)

    def test_the_entrys_certificate_is_asked_for_where_it_speaks_tls(self) -> None:
        wishes = wanted(local=True, redis_username="x", tls=True)
        assert [(w.key, w.make) for w in wishes if w.secret == NGINX] == [
            ("certificate", None),
            ("key", None),
        ]
        assert NGINX not in {w.secret for w in wanted(local=True, redis_username="x")}

    def test_two_generated_values_are_never_the_same(self) -> None:
        make = wanted(local=True, redis_username="x")[0].make
        assert make is not None
        assert make() != make()


class TestDatabase:
    def test_the_application_is_in_its_role_only(self) -> None:
        (creation,) = vault_database.role("backend", 60, 120)["creation_statements"]
        assert creation.endswith("IN ROLE flowrex_app")
        assert "VALID UNTIL" in creation

    def test_migrations_act_as_the_owner(self) -> None:
        creation, acting = vault_database.role("migrate", 60, 120)["creation_statements"]
        assert creation.endswith("IN ROLE flowrex_owner")
        assert acting == 'ALTER ROLE "{{name}}" SET role = flowrex_owner'

    def test_the_agent_reads_with_one_login_and_restores_with_another(self) -> None:
        (reading,) = vault_database.role("backup", 60, 120)["creation_statements"]
        assert reading.endswith("IN ROLE flowrex_backup")
        restoring, acting = vault_database.role("restore", 60, 120)["creation_statements"]
        assert restoring.endswith("IN ROLE flowrex_restore")
        assert acting == 'ALTER ROLE "{{name}}" SET role = flowrex_restore'

    def test_the_exporter_sees_statistics_only(self) -> None:
        (creation,) = vault_database.role("monitor", 60, 120)["creation_statements"]
        assert creation.endswith("IN ROLE flowrex_monitor")
        members = next(w for w in postgres_monitor.cluster_wishes() if "memberships" in w.name)
        assert members.statements[-1] == "GRANT pg_monitor TO flowrex_monitor"

    @pytest.mark.parametrize("name", ["backup", "restore"])
    def test_a_long_dump_keeps_its_login(self, name: str) -> None:
        assert vault_database.role(name, 60, 120)["max_ttl"] == 24 * 3600

    @pytest.mark.parametrize("name", vault_database.ROLES)
    def test_a_login_that_ends_takes_its_connections_along(self, name: str) -> None:
        statements = vault_database.role(name, 60, 120)["revocation_statements"]
        assert any("pg_terminate_backend" in each for each in statements)
        assert statements[-1] == 'DROP ROLE IF EXISTS "{{name}}"'

    @pytest.mark.parametrize(
        ("written", "seconds"), [("30s", 30), ("1h", 3600), ("1h30m", 5400), ("1d", 86400)]
    )
    def test_a_lifetime_is_counted_in_seconds(self, written: str, seconds: int) -> None:
        assert vault_database.seconds(written) == seconds

    @pytest.mark.parametrize("written", ["", "0s", "500ms", "1", "h", "1h 30m", "-1h"])
    def test_what_is_no_lifetime_is_refused(self, written: str) -> None:
        with pytest.raises(ConfigurationError):
            vault_database.seconds(written)


class TestLogin:
    @pytest.mark.parametrize("job", [*vault_auth.JOBS, *vault_auth.OPTIONAL])
    def test_a_role_is_bound_to_its_job_its_namespace_and_its_policy(self, job: str) -> None:
        role = vault_auth.role(job, "trading")
        assert role["bound_claims"] == {"nomad_namespace": "trading", "nomad_job_id": job}
        assert role["bound_audiences"] == ["vault.io"]
        assert role["token_policies"] == [f"flowrex-{job}"]
        assert role["token_no_default_policy"]

    @pytest.mark.parametrize("check_only", [True, False])
    @pytest.mark.parametrize("off", vault_auth.OPTIONAL)
    def test_a_job_that_is_switched_off_has_its_role_taken_away(
        self, server: requests_mock.Mocker, vault: VaultClient, off: str, check_only: bool
    ) -> None:
        server.get(
            f"{ADDRESS}/v1/sys/auth",
            json={"data": {"jwt-nomad/": {"type": "jwt", "options": {}}}},
        )
        there = {"jwt-nomad/config": vault_auth.configuration("http://nomad")} | {
            f"jwt-nomad/role/{job}": vault_auth.role(job, "default")
            for job in (*vault_auth.JOBS, *vault_auth.OPTIONAL)
        }
        for path, body in there.items():
            server.get(f"{ADDRESS}/v1/auth/{path}", json={"data": body})
        server.delete(f"{ADDRESS}/v1/auth/jwt-nomad/role/{off}", status_code=204)
        *kept, last = vault_auth.steps(
            vault,
            "jwt-nomad",
            "http://nomad",
            "default",
            optional=[job for job in vault_auth.OPTIONAL if job != off],
            check_only=check_only,
        )
        assert {step.state for step in kept} == {State.PRESENT}
        assert last.name == f"vault jwt role {off}"
        assert last.state is (State.DIFFERS if check_only else State.UPDATED)
        deleted = [r.path for r in server.request_history if r.method == "DELETE"]
        assert deleted == ([] if check_only else [f"/v1/auth/jwt-nomad/role/{off}"])

    def test_who_names_no_role_gets_none(self) -> None:
        assert vault_auth.configuration("http://nomad")["default_role"] == ""


def test_certificates_are_for_internal_names_only() -> None:
    role = vault_pki.role()
    assert not role["allow_any_name"]
    assert not role["allow_bare_domains"]
    assert role["allowed_domains"]
