"""Nomad's ACLs: what the operator may do, and the operator's token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowrex.secret import Secret
from generator.bootstrap import token_files
from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.nomad import NomadClient
    from flowrex.nomad.acl import NomadAcl

POLICY = "flowrex-operator"
FILE = "nomad-operator"
PURPOSE = "Deploys: plans, runs, promotes and rolls jobs back, reads logs, drains nodes."


def rules(namespace: str) -> str:
    """Return what flowrexctl needs in Nomad, and nothing else: no exec, no ACLs, no variables."""
    return f"""namespace "{namespace}" {{
  capabilities = [
    "list-jobs",
    "parse-job",
    "read-job",
    "submit-job",
    "scale-job",
    "read-logs",
    "read-fs",
    "alloc-lifecycle",
  ]
}}

# Drains.
node {{
  policy = "write"
}}

agent {{
  policy = "read"
}}
"""


def steps(
    client: NomadClient, namespace: str, folder: Path | None, *, check_only: bool
) -> Iterator[Step]:
    """Make the operator's policy and token be there.

    Args:
        client: with a management token.
        namespace: where the jobs are.
        folder: where the token is kept, `nomad-operator`; None leaves it in Nomad.
        check_only: change nothing.
    """
    from flowrex.nomad.acl import NomadAcl

    acl = NomadAcl(client)
    text = rules(namespace)
    found = acl.policy(POLICY)
    yield ensure(
        f"nomad policy {POLICY}",
        lambda: acl.put_policy(POLICY, text, PURPOSE),
        present=found is not None,
        same=found is not None and found["Rules"] == text,
        check_only=check_only,
        detail="its rules are others",
    )
    yield _token(acl, folder, check_only=check_only)


def _token(acl: NomadAcl, folder: Path | None, *, check_only: bool) -> Step:
    found = acl.token_named(POLICY)
    kept = token_files.read(folder, FILE)
    right = found is not None and _right(found)
    in_file = folder is None or (found is not None and kept == Secret(found["SecretID"]))

    def make() -> None:
        if found is not None and right:
            secret = Secret(found["SecretID"])
        else:
            secret = acl.put_token(
                POLICY, (POLICY,), accessor=None if found is None else found["AccessorID"]
            )
        token_files.keep(folder, FILE, secret)

    return ensure(
        f"nomad token {POLICY}",
        make,
        present=found is not None,
        same=right and in_file,
        check_only=check_only,
        detail="it has other rights" if not right else f"the file {FILE} holds another",
    )


def _right(token: dict[str, Any]) -> bool:
    return token["Type"] == "client" and token["Policies"] == [POLICY] and not token.get("Roles")
