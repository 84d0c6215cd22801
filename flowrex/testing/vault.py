"""A Vault in memory: tokens, AppRole logins and a KV engine, as the real one answers for them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowrex.errors import NotFound, PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret


@dataclass
class _Token:
    ttl_s: int
    renewable: bool
    renewals: int = 0


@dataclass
class FakeVault:
    """The server; `client` gives what stands in for `flowrex.vault.VaultClient`.

    Attributes:
        down: set it to make every call raise `ServerUnreachable`.
        sealed: set it to make every call raise `ServerRefused`.
        ttl_s: what a login's token lives.
        max_renewals: how often a token can be renewed for its whole life.
        approles: each role's secret id by its role id.
        identities: the role that each identity of Nomad's may log in as.
        secrets: the KV engine's latest versions, by path below the mount.
    """

    address: str = "fake://vault"
    down: bool = False
    sealed: bool = False
    ttl_s: int = 3600
    renewable: bool = True
    max_renewals: int = 1000
    approles: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, _Token] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def client(self, token: Secret | None = None) -> FakeVaultClient:
        """Return a client that asks with a token."""
        return FakeVaultClient(self, token)

    def revoke_all(self) -> None:
        """Revoke every token, as an administrator may at any time."""
        self.tokens.clear()

    def log_in(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a login, by AppRole or by an identity of Nomad's."""
        if "jwt" in said:
            if self.identities.get(str(said["jwt"])) != said.get("role"):
                raise ServerRefused(f"Vault at {self.address} fails: error validating claims")
        elif self.approles.get(str(said.get("role_id")), "") != said.get("secret_id"):
            raise ServerRefused(f"Vault at {self.address} fails: invalid role or secret ID")
        token = f"of-the-tests-{next(self._numbers)}"
        self.tokens[token] = _Token(self.ttl_s, self.renewable)
        return {"client_token": token, "lease_duration": self.ttl_s, "renewable": self.renewable}

    def answer(self) -> None:
        """Raise where the server is not there."""
        if self.down:
            raise ServerUnreachable(f"Vault at {self.address} does not answer: it is down")
        if self.sealed:
            raise ServerRefused(f"Vault at {self.address} is not ready: Vault is sealed")


class FakeVaultClient:
    """One client of a `FakeVault`."""

    def __init__(self, server: FakeVault, token: Secret | None) -> None:
        self.server = server
        self.token = token
        self.address = server.address

    def read(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path, or None."""
        token = self._known()
        if path == "auth/token/lookup-self":
            return {"ttl": token.ttl_s, "renewable": token.renewable}
        return None

    def write(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Log in, or renew the token."""
        self.server.answer()
        said = dict(body or {})
        if path.startswith("auth/") and path.endswith("/login"):
            return self.server.log_in(said)
        token = self._known()
        if path == "auth/token/renew-self":
            token.renewals += 1
            left = self.server.ttl_s if token.renewals <= self.server.max_renewals else 1
            return {"lease_duration": left, "renewable": token.renewable}
        raise NotFound(f"Vault at {self.address} has no such thing: {path}")

    def kv_read(self, path: str, *, mount: str = "kv") -> dict[str, Secret] | None:
        """Return a secret's latest version, or None where there is none."""
        self._known()
        found = self.server.secrets.get(path)
        return None if found is None else {key: Secret(value) for key, value in found.items()}

    def _known(self) -> _Token:
        self.server.answer()
        token = self.server.tokens.get(self.token.reveal()) if self.token else None
        if token is None:
            raise PermissionRefused(f"Vault at {self.address} refuses: permission denied")
        return token
