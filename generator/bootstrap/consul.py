"""Consul's policies, roles and tokens: what exists before Nomad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.bootstrap import token_files
from generator.bootstrap.consul_rules import GRANTS, Grant
from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.consul.acl import ConsulAcl


def steps(client: ConsulClient, folder: Path | None, *, check_only: bool) -> Iterator[Step]:
    """Make every grant have its policy, its role and, where it needs one, its token.

    Args:
        client: with a management token.
        folder: where tokens are kept, `consul-<name>`; None leaves them in Consul.
        check_only: change nothing.
    """
    from flowrex.consul.acl import ConsulAcl

    acl = ConsulAcl(client)
    for grant in GRANTS:
        yield _policy(acl, grant, check_only=check_only)
        yield _role(acl, grant, check_only=check_only)
        if grant.token:
            yield _token(acl, grant, folder, check_only=check_only)


def _policy(acl: ConsulAcl, grant: Grant, *, check_only: bool) -> Step:
    found = acl.policy(grant.role)
    return ensure(
        f"consul policy {grant.role}",
        lambda: acl.put_policy(grant.role, grant.rules, grant.purpose),
        present=found is not None,
        same=found is not None and found["Rules"] == grant.rules,
        check_only=check_only,
        detail="its rules are others",
    )


def _role(acl: ConsulAcl, grant: Grant, *, check_only: bool) -> Step:
    found = acl.role(grant.role)
    return ensure(
        f"consul role {grant.role}",
        lambda: acl.put_role(grant.role, (grant.role,), grant.purpose),
        present=found is not None,
        same=found is not None and _names(found, "Policies") == [grant.role] and _bare(found),
        check_only=check_only,
        detail="it has other policies",
    )


def _token(acl: ConsulAcl, grant: Grant, folder: Path | None, *, check_only: bool) -> Step:
    from flowrex.consul.acl import secret_of

    file = grant.file
    found = acl.token(grant.accessor)
    kept = token_files.read(folder, file)
    right = (
        found is not None
        and _names(found, "Roles") == [grant.role]
        and not found.get("Policies")
        and _bare(found)
    )
    in_file = folder is None or (found is not None and kept == secret_of(found))

    def make() -> None:
        secret = acl.put_token(grant.accessor, (grant.role,), grant.purpose)
        token_files.keep(folder, file, secret)

    return ensure(
        f"consul token {grant.role}",
        make,
        present=found is not None,
        same=right and in_file,
        check_only=check_only,
        detail="it has other rights" if not right else f"the file {file} holds another",
    )


def _names(found: Mapping[str, Any], what: str) -> list[str]:
    return [link["Name"] for link in found.get(what) or ()]


def _bare(found: Mapping[str, Any]) -> bool:
    return not found.get("ServiceIdentities") and not found.get("NodeIdentities")
