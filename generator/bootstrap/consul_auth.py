"""Consul's login for Nomad's workload identities, and what each identity is bound to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from generator.bootstrap.consul_rules import GRANTS, PREFIX
from generator.bootstrap.report import State, Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient

METHOD = "nomad-workloads"  # the name that Nomad's agents look for
AUDIENCE = "consul.io"
_CLAIMS = ("nomad_namespace", "nomad_job_id", "nomad_task", "nomad_service")


def method(jwks_url: str) -> dict[str, Any]:
    """Return how identities are verified and which of their claims the rules see."""
    return {
        "Type": "jwt",
        "DisplayName": METHOD,
        "Description": "Workload identities that Nomad signs.",
        "Config": {
            "JWKSURL": jwks_url,
            "JWTSupportedAlgs": ["RS256"],
            "BoundAudiences": [AUDIENCE],
            "ClaimMappings": {claim: claim for claim in _CLAIMS},
        },
    }


def rules(namespace: str) -> tuple[dict[str, str], ...]:
    """Return what identities of a namespace are bound to.

    A service's identity may register that service; a task's has the role of its job. Only the jobs
    that are meant: any other, named after an agent or the operator, would have the role of these.
    """
    jobs = " or ".join(
        f'value.nomad_job_id == "{grant.name}"' for grant in GRANTS if not grant.token
    )
    ours = f'value.nomad_namespace == "{namespace}"'
    return (
        {
            "Description": "A service that Nomad registers.",
            "BindType": "service",
            "BindName": "${value.nomad_service}",
            "Selector": f'"nomad_service" in value and {ours}',
        },
        {
            "Description": "A task that reads Consul.",
            "BindType": "role",
            "BindName": PREFIX + "${value.nomad_job_id}",
            "Selector": f'"nomad_service" not in value and ({jobs}) and {ours}',
        },
    )


def steps(
    client: ConsulClient, jwks_url: str, namespace: str, *, check_only: bool
) -> Iterator[Step]:
    """Make the auth method and its rules be there, and no other rule of it.

    Args:
        client: with a management token.
        jwks_url: Nomad's keys, as Consul reaches them.
        namespace: the jobs' Nomad namespace.
        check_only: change nothing.
    """
    from flowrex.consul.acl import ConsulAcl

    acl = ConsulAcl(client)
    body = method(jwks_url)
    found = acl.auth_method(METHOD)
    yield ensure(
        f"consul auth method {METHOD}",
        lambda: acl.put_auth_method(METHOD, body),
        present=found is not None,
        same=found is not None and found["Type"] == "jwt" and _same(found["Config"], body),
        check_only=check_only,
        detail=f"it should fetch Nomad's keys from {jwks_url}",
    )
    there = acl.binding_rules(METHOD) if found is not None or not check_only else []
    wanted = rules(namespace)
    for rule in wanted:
        # A rule has no name of its own: what it binds to is what it is known by.
        same_bind = [
            each
            for each in there
            if (each["BindType"], each["BindName"]) == (rule["BindType"], rule["BindName"])
        ]
        rule_id = same_bind[0]["ID"] if same_bind else None
        yield ensure(
            f"consul binding rule {rule['BindType']} {rule['BindName']}",
            lambda rule=rule, rule_id=rule_id: acl.put_binding_rule(  # type: ignore[misc]
                METHOD, rule, rule_id
            ),
            present=bool(same_bind),
            same=bool(same_bind) and same_bind[0]["Selector"] == rule["Selector"],
            check_only=check_only,
            detail="it applies to other identities",
        )
        there = [each for each in there if each["ID"] != rule_id]
    for stranger in there:
        name = f"consul binding rule {stranger['BindType']} {stranger['BindName']}"
        if check_only:
            yield Step(name, State.DIFFERS, "it gives rights that nothing here asks for")
        else:
            acl.delete_binding_rule(stranger["ID"])
            yield Step(name, State.UPDATED, "it gave rights that nothing here asks for: deleted")


def _same(found: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    wanted: Mapping[str, Any] = body["Config"]
    return all(found.get(key) == value for key, value in wanted.items())
