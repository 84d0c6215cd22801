"""The cluster's servers, asked as each of the roles that there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from flowrex.consul import ConsulClient
from flowrex.consul.acl import ConsulAcl
from flowrex.secret import Secret
from flowrex.vault import VaultClient
from generator.bootstrap import Target, consul_auth, vault_auth
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster
from tests.live.privileges.identities import Signer, signer

# Beside the real logins and with the same roles, but for identities that the tests sign.
VAULT_LOGIN = "jwt-of-the-tests"
CONSUL_LOGIN = "of-the-tests"


# The job that takes a login, where it is not named like the login.
JOBS = {"monitor": "postgres-exporter"}


@dataclass(frozen=True)
class Login:
    """A database login that Vault gave.

    Attributes:
        username: the short-lived role.
        dsn: what connects with it.
        lease: its lease's id.
    """

    username: str
    dsn: Secret
    lease: str


@pytest.fixture(scope="session")
def target(cluster: Cluster) -> Target:
    """The cluster as its bootstrap sees it, with every right."""
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    return target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ)


@pytest.fixture(scope="session")
def identities(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    """A signer that Vault and Consul trust as they trust Nomad, by the same configuration."""
    namespace = target.environment.platform.namespace
    acl = ConsulAcl(target.consul)
    with signer(tmp_path_factory.mktemp("identities")) as made:
        try:
            for step in vault_auth.steps(
                target.vault,
                VAULT_LOGIN,
                made.jwks_url,
                namespace,
                optional=vault_auth.OPTIONAL,
                check_only=False,
            ):
                assert step.state == "created", step
            acl.put_auth_method(CONSUL_LOGIN, consul_auth.method(made.jwks_url))
            for rule in consul_auth.rules(namespace):
                acl.put_binding_rule(CONSUL_LOGIN, rule, None)
            yield made
        finally:
            target.vault.delete(f"sys/auth/{VAULT_LOGIN}")
            target.consul.request("DELETE", f"/v1/acl/auth-method/{CONSUL_LOGIN}")


@pytest.fixture(scope="session")
def vault_token(target: Target, cluster: Cluster, identities: Signer) -> Callable[[str], Secret]:
    """Log in to Vault as a job, as Nomad does; the operator has a token, the agent a secret id.

    `job:agent` is the agent where it runs as a job.
    """
    made: dict[str, Secret] = {"operator": Secret(cluster.token("vault"))}

    def token(role: str) -> Secret:
        if role == "agent" and role not in made:
            halves = {
                name: cluster.token("vault", f"agent-{name.replace('_', '-')}")
                for name in ("role_id", "secret_id")
            }
            answer = VaultClient(target.vault.address).write("auth/approle/login", halves)
            made[role] = Secret(answer["client_token"])
        if role not in made:
            job = role.removeprefix("job:")
            identity = identities.identity(vault_auth.AUDIENCE, job)
            anonymous = VaultClient(target.vault.address)
            body = {"role": job, "jwt": identity.reveal()}
            answer = anonymous.write(f"auth/{VAULT_LOGIN}/login", body)
            made[role] = Secret(answer["client_token"])
        return made[role]

    return token


@pytest.fixture(scope="session")
def vault_as(target: Target, vault_token: Callable[[str], Secret]) -> Callable[[str], VaultClient]:
    """Return a client of Vault with a role's token."""
    return lambda role: VaultClient(target.vault.address, vault_token(role))


@pytest.fixture(scope="session")
def consul_as(
    target: Target, cluster: Cluster, identities: Signer
) -> Callable[[str], ConsulClient]:
    """Return a client of Consul as `task:<job>`, `service:<name>`, or with a kept token's name."""
    address = target.consul.address
    acl = ConsulAcl(ConsulClient(address))
    made: dict[str, ConsulClient] = {}

    def client(role: str) -> ConsulClient:
        if role not in made:
            kind, _, name = role.partition(":")
            if not name:
                token = Secret(cluster.token("consul", kind))
            else:
                claims = {"nomad_service": name} if kind == "service" else {}
                identity = identities.identity(consul_auth.AUDIENCE, name, **claims)
                token = acl.login(CONSUL_LOGIN, identity)
            made[role] = ConsulClient(address, token)
        return made[role]

    return client


@pytest.fixture(scope="session")
def database_login(
    target: Target, vault_as: Callable[[str], VaultClient]
) -> Callable[[str], Login]:
    """Take a database login from Vault as a job."""

    def login(role: str) -> Login:
        lease = vault_as(JOBS.get(role, role)).lease(f"database/creds/{role}")
        username, password = (lease.values[key].reveal() for key in ("username", "password"))
        where = target.environment.postgres
        dsn = f"postgresql://{username}:{password}@{where.host}:{where.port}/{where.database}"
        return Login(username, Secret(dsn), lease.id)

    return login
