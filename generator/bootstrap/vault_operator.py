"""The operator's Vault token, on a machine that keeps tokens in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.errors import PermissionRefused
from flowrex.secret import Secret
from generator.bootstrap import token_files
from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

POLICY = "flowrex-operator"
FILE = "vault-operator"
PERIOD = "768h"


def steps(client: VaultClient, folder: Path | None, *, check_only: bool) -> Iterator[Step]:
    """Make the operator have a token with the operator's policy, where tokens are kept in files.

    Elsewhere persons log in to Vault by a method of their own that gives the policy.

    Args:
        client: with the right to make tokens and to look them up.
        folder: where the token is kept; None makes none.
        check_only: change nothing.
    """
    if folder is None:
        return
    kept = token_files.read(folder, FILE)

    def make() -> None:
        answer = client.write(
            "auth/token/create-orphan",
            {
                "policies": [POLICY],
                "no_default_policy": True,
                "period": PERIOD,
                "display_name": "flowrex-operator",
            },
        )
        token_files.keep(folder, FILE, Secret(answer["client_token"]))

    yield ensure(
        "vault token operator",
        make,
        present=kept is not None,
        same=kept is not None and _holds(client, kept),
        check_only=check_only,
        detail="the kept token has ended or has other policies",
    )


def _holds(client: VaultClient, token: Secret) -> bool:
    try:
        found = client.write("auth/token/lookup", {"token": token.reveal()})
    except PermissionRefused:
        return False
    return list(found.get("policies", ())) == [POLICY]
