"""Logging in to Vault, and keeping the token that came of it alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from agents.credentials import files
from agents.settings.model import Vault
from flowrex.errors import PermissionRefused
from flowrex.secret import Secret

# Renewed when this share of its life is left, so that Vault may be away for a third of it.
_RENEW_AT = 2 / 3


class Asks(Protocol):
    """What is needed of Vault's client."""

    def write(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write to a path."""
        ...


@dataclass(frozen=True)
class Token:
    """A token of Vault's.

    Attributes:
        secret: the token.
        ttl_s: seconds that it lived when it was made or renewed; 0: for ever.
        life_s: seconds that it had when it was new.
        renewable: whether it can be renewed.
        since: the monotonic moment that `ttl_s` counts from.
    """

    secret: Secret
    ttl_s: float
    life_s: float
    renewable: bool
    since: float

    def left_s(self, now: float) -> float:
        """Return the seconds that it still lives."""
        return self.since + self.ttl_s - now

    def due(self, now: float) -> bool:
        """Tell whether it is time to renew it."""
        return self.ttl_s > 0 and self.left_s(now) <= self.life_s * _RENEW_AT


def log_in(client: Asks, settings: Vault, found: files.Files, now: float) -> Token:
    """Log in, and return the token.

    Args:
        client: asks Vault without a token; for a certificate login it presents the certificate.
        settings: which login, and where.
        found: the credentials' files.
        now: the monotonic moment.

    Raises:
        PermissionRefused: a credential is missing, or Vault does not accept it.
        ServerUnreachable: Vault is away or sealed.
    """
    if settings.login == "certificate":
        body = {"name": settings.role}
    elif settings.login == "jwt":
        # Read at each login: Nomad replaces it long before it ends.
        body = {"role": settings.role, "jwt": _needed(found, files.VAULT_JWT).reveal()}
    else:
        body = {
            "role_id": _needed(found, files.VAULT_ROLE_ID).reveal(),
            "secret_id": _needed(found, files.VAULT_SECRET_ID).reveal(),
        }
    answer = client.write(f"auth/{settings.login_mount}/login", body)
    ttl_s = float(answer.get("lease_duration") or 0)
    return Token(
        Secret(str(answer["client_token"])), ttl_s, ttl_s, bool(answer.get("renewable")), now
    )


def renew(client: Asks, token: Token, now: float) -> Token | None:
    """Renew a token.

    Args:
        client: asks Vault with that token.
        token: the token.
        now: the monotonic moment.

    Returns:
        The token with its new time; None where it has reached its greatest age, so that another
        is needed before it ends.
    """
    if not token.renewable:
        return None
    answer = client.write("auth/token/renew-self", {})
    ttl_s = float(answer.get("lease_duration") or 0)
    renewed = Token(token.secret, ttl_s, token.life_s, True, now)
    return None if renewed.due(now) else renewed


def certificate(found: files.Files) -> tuple[str, str]:
    """Return the files of the certificate and of its key.

    Raises:
        PermissionRefused: one of them is missing, or can't be looked for.
    """
    paths = []
    for name in (files.VAULT_CERTIFICATE, files.VAULT_KEY):
        path = found.path(name)
        if path is None:
            raise _missing(found, name)
        paths.append(str(path))
    return paths[0], paths[1]


def _needed(found: files.Files, name: str) -> Secret:
    secret = found.read(name)
    if secret is None:
        raise _missing(found, name)
    return secret


def _missing(found: files.Files, name: str) -> PermissionRefused:
    return PermissionRefused(
        f"the agent can't log in to Vault: {found.folder}/{name} is missing or empty",
        hint="docs/agent.md tells how a node gets its credentials.",
    )
