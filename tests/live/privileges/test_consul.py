from __future__ import annotations

from collections.abc import Callable

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.consul.acl import ConsulAcl
from flowrex.errors import FlowrexError, PermissionRefused
from flowrex.secret import Secret
from generator.bootstrap import Target, consul_auth
from tests.live.privileges.conftest import CONSUL_LOGIN
from tests.live.privileges.identities import Signer

Action = Callable[[ConsulClient], object]
Roles = Callable[[str], ConsulClient]

PROBE = "flowrex/locks/privileges-probe"


def read(key: str) -> Action:
    return lambda consul: consul.kv_get(key)


def write(key: str) -> Action:
    def act(consul: ConsulClient) -> None:
        # Never true, so that a right that is too wide does no harm here.
        assert not consul.kv_put(key, "probe", cas=2**40)

    return act


def session(consul: ConsulClient) -> None:
    consul.session_destroy(consul.session_create("privileges-probe", 10))


def register(service: str) -> Action:
    def act(consul: ConsulClient) -> None:
        # Critical from the first moment, so that nobody is ever sent there.
        check = {"TTL": "1h", "Status": "critical"}
        body = {"Name": service, "ID": "privileges-probe", "Port": 1, "Check": check}
        consul.request("PUT", "/v1/agent/service/register", body)
        consul.request("PUT", "/v1/agent/service/deregister/privileges-probe")

    return act


def ask(method: str, path: str) -> Action:
    return lambda consul: consul.request(method, path)


ACTIONS: dict[str, Action] = {
    "read the emergency switch": read(keys.EMERGENCY),
    "write the emergency switch": write(keys.EMERGENCY),
    "read the maintenance switch": read(keys.MAINTENANCE),
    "write the maintenance switch": write(keys.MAINTENANCE),
    "write a lock": write(PROBE),
    "write the workers' lock": write(keys.flatten_lock()),
    "read a release": read(keys.release("dev", "probe")),
    "write a release": write(keys.release("dev", "probe")),
    "write a change's record": write(keys.change("dev", "probe")),
    "write evidence for a hard stop": write(keys.evidence("dev", "tests", "probe")),
    "write what an operator did": write(keys.outbox_entry("dev", "probe")),
    "write the lock of what operators did": write(keys.outbox_lock("probe")),
    "write how far a restore is": write(keys.restore("probe")),
    "read another's key": read("other/key"),
    "write another's key": write("other/key"),
    "open a session": session,
    "register backend": register("backend"),
    "register nginx": register("nginx"),
    "register another service": register("other"),
    "register flowrex-agent": register("flowrex-agent"),
    "write a node's status": write(keys.agent("probe")),
    "read a request to a node": read(keys.request("probe", "probe")),
    "write a request to a node": write(keys.request("probe", "probe")),
    "write a node's answer": write(keys.answer("probe", "probe")),
    "write the backups' state": write(keys.backups("probe")),
    "write the lock of backups": write(keys.backup_lock("probe")),
    "write the lock of physical backups": write(keys.physical_lock("probe")),
    "write the lock of snapshots": write(keys.snapshot_lock("probe", "vault")),
    "write the lock of deployments": write(keys.deploy_lock("probe")),
    "acknowledge the switch as an agent": write(keys.acknowledgement("agent", "probe")),
    "acknowledge the switch as a backend": write(keys.acknowledgement("backend", "probe")),
    "acknowledge the switch as a worker": write(keys.acknowledgement("worker", "probe")),
    "read its agent": ask("GET", "/v1/agent/self"),
    "read policies": ask("GET", "/v1/acl/policies"),
    "read tokens": ask("GET", "/v1/acl/tokens"),
    "read the raft configuration": ask("GET", "/v1/operator/raft/configuration"),
    "read the keyring": ask("GET", "/v1/operator/keyring"),
    "take a snapshot": ask("GET", "/v1/snapshot"),
    "make its agent leave": ask("PUT", "/v1/agent/force-leave/nobody"),
}

GRANTED = {
    "operator": {
        "read the emergency switch",
        "write the emergency switch",
        "read the maintenance switch",
        "write the maintenance switch",
        "write a lock",
        "write the workers' lock",
        "read a release",
        "write a release",
        "write a change's record",
        "write evidence for a hard stop",
        "write what an operator did",
        "write the lock of what operators did",
        "write how far a restore is",
        "open a session",
        "write a node's status",
        "read a request to a node",
        "write a request to a node",
        "write a node's answer",
        "write the backups' state",
        "write the lock of backups",
        "write the lock of physical backups",
        "write the lock of snapshots",
        "write the lock of deployments",
        "acknowledge the switch as an agent",
        "acknowledge the switch as a backend",
        "acknowledge the switch as a worker",
    },
    "agent": set(),
    "flowrex-agent": {
        "read the emergency switch",
        "open a session",
        "register flowrex-agent",
        "write a node's status",
        "read a request to a node",
        "write a node's answer",
        "write the backups' state",
        "write the lock of backups",
        "write the lock of physical backups",
        "write the lock of snapshots",
        "write what an operator did",
        "write the lock of what operators did",
        "acknowledge the switch as an agent",
    },
    "nomad": {
        "register backend",
        "register nginx",
        "register another service",
        "read its agent",
        "register flowrex-agent",
    },
    "task:backend": {"read the emergency switch", "acknowledge the switch as a backend"},
    "task:worker": {
        "read the emergency switch",
        "acknowledge the switch as a worker",
        "write the workers' lock",
        "open a session",
    },
    "task:nginx": {"read the emergency switch", "read the maintenance switch"},
    "task:nginx-exporter": set(),
    # Of what Consul's agent tells about itself its metrics are a part.
    "task:prometheus": {"read its agent"},
    "service:backend": {"register backend"},
    "service:nginx": {"register nginx"},
}

# Lists are not refused, they leave out what the token may not see.
SEES_SERVICES = {
    "operator",
    "agent",
    "nomad",
    "task:nginx",
    "task:prometheus",
    "service:backend",
    "service:nginx",
}


@pytest.mark.parametrize("role", GRANTED)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_role_reaches_what_it_needs_and_nothing_else(
    consul_as: Roles, role: str, action: str
) -> None:
    consul = consul_as(role)
    if action in GRANTED[role]:
        ACTIONS[action](consul)
    else:
        with pytest.raises(PermissionRefused):
            ACTIONS[action](consul)


@pytest.mark.parametrize("role", GRANTED)
def test_services_are_seen_by_those_who_look_for_them(consul_as: Roles, role: str) -> None:
    assert bool(consul_as(role).services("consul")) == (role in SEES_SERVICES)


def test_the_exporter_of_nginx_finds_nginx_and_nothing_else(
    target: Target, consul_as: Roles
) -> None:
    exporter = consul_as("task:nginx-exporter")
    seen = {name for name in ("nginx", "backend", "worker") if exporter.services(name)}
    assert seen == {"nginx"}
    assert target.consul.services("backend")


@pytest.mark.parametrize("role", GRANTED)
def test_a_list_of_keys_shows_what_the_role_may_read(
    target: Target, consul_as: Roles, role: str
) -> None:
    for key in (PROBE, "other/privileges-probe"):
        target.consul.kv_put(key, "there")
    try:
        seen = {entry.key for entry in consul_as(role).kv_list("")}
    finally:
        for key in (PROBE, "other/privileges-probe"):
            target.consul.kv_delete(key)
    assert (PROBE in seen) == (role == "operator")
    assert all(key.startswith("flowrex/") for key in seen)


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_is_nobody(target: Target, action: str) -> None:
    with pytest.raises(PermissionRefused):
        ACTIONS[action](ConsulClient(target.consul.address))


@pytest.mark.parametrize(
    ("job", "claims"),
    [
        pytest.param("other", {}, id="a job without a role"),
        pytest.param("consul-agent", {}, id="a job named after Consul's agents"),
        pytest.param("operator", {}, id="a job named after the operator"),
        pytest.param("agent", {}, id="a job named after the nodes' agents"),
        pytest.param("migrate", {}, id="a job that reads nothing in Consul"),
        pytest.param("frontend", {}, id="the pages"),
        pytest.param("postgres-exporter", {}, id="a job that only registers its service"),
        pytest.param("backend", {"nomad_namespace": "other"}, id="another namespace"),
        pytest.param(
            "backend",
            {"nomad_namespace": "other", "nomad_service": "backend"},
            id="a service of another namespace",
        ),
        pytest.param("backend", {"aud": "vault.io"}, id="another audience"),
    ],
)
def test_an_identity_without_rights_logs_nobody_in(
    target: Target, identities: Signer, job: str, claims: dict[str, str]
) -> None:
    identity = identities.identity(consul_auth.AUDIENCE, job, **claims)
    with pytest.raises(FlowrexError):
        ConsulAcl(ConsulClient(target.consul.address)).login(CONSUL_LOGIN, identity)


def test_an_identity_that_nomad_did_not_sign_logs_nobody_in(
    target: Target, identities: Signer
) -> None:
    identity: Secret = identities.identity(consul_auth.AUDIENCE, "backend")
    with pytest.raises(FlowrexError):
        ConsulAcl(ConsulClient(target.consul.address)).login(consul_auth.METHOD, identity)
