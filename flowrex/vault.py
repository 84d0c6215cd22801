"""Vault: secrets, and the paths that configure it. The only importer of hvac.

Vault is one tree of paths, so the client reads, writes, lists and deletes paths; only KV version 2
and the seal have methods of their own. Whatever may be secret comes back as a `Secret`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import hvac
import hvac.exceptions
import requests

from flowrex.address import split
from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.loopback import is_loopback
from flowrex.secret import Secret

_TOKEN_HINT = "Give a token that may do this in VAULT_TOKEN."  # noqa: S105
_SEALED_HINT = "Unseal it (`vault operator unseal`; `flowrexctl dev up` for the local cluster)."
_RUNNING_HINT = "Look whether it runs (`flowrexctl dev status` for the local cluster)."


@dataclass(frozen=True)
class VaultHealth:
    """What Vault says of itself without a token.

    `cluster_id` belongs to the stored data, not to the process; it is "" while Vault is sealed.
    """

    initialized: bool
    sealed: bool
    standby: bool
    version: str
    cluster_id: str


@dataclass(frozen=True)
class Lease:
    """A secret that Vault made for the caller and takes back.

    Attributes:
        id: by which it is renewed or revoked.
        duration_s: seconds that it lives unless it is renewed.
        values: what was made, by name.
    """

    id: str
    duration_s: int
    values: Mapping[str, Secret]


class VaultClient:
    """One Vault, asked with one token."""

    def __init__(
        self,
        address: str,
        token: Secret | None = None,
        *,
        timeout_s: float = 10,
        ca_file: str | None = None,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        """Remember where and as whom to ask; nothing is sent yet.

        Args:
            address: Vault's address, `https://vault.example:8200`.
            token: the token; None asks without one.
            timeout_s: seconds to wait for an answer.
            ca_file: certificates that Vault's is checked by; those that VAULT_CACERT names, or
                the system's, unless given.
            certificate: the files of a client certificate and of its key, for a login by it.

        Raises:
            ConfigurationError: the address is none.
        """
        parts = split(address)
        if parts is None or parts.hostname is None:
            raise ConfigurationError(
                f"{address!r} is no address of a Vault",
                hint="Write it as http://HOST:PORT or https://HOST:PORT in servers.vault.",
            )
        self.address = address.rstrip("/")
        self._token = token
        # An empty token, since None makes the library look for one in the environment and at home.
        self._vault = hvac.Client(
            url=self.address,
            token=token.reveal() if token else "",
            timeout=timeout_s,
            verify=ca_file,
            cert=certificate,
        )
        if is_loopback(parts.hostname):
            # What HTTP_PROXY names can't reach this machine's loopback.
            self._vault.adapter.session.trust_env = False

    def token(self) -> Secret:
        """Return the token that this client asks with, for what streams and can't go through it.

        Raises:
            PermissionRefused: it asks with none.
        """
        if self._token is None:
            raise PermissionRefused(f"there is no token for Vault at {self.address}")
        return self._token

    # The tree of paths

    def read(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path, or None where nothing is.

        Args:
            path: without `/v1/`, for example `sys/mounts`.

        Returns:
            The answer's `data`; the whole answer where it has none.
        """
        try:
            return self._send("get", path)
        except NotFound:
            return None

    def write(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write to a path.

        Args:
            path: without `/v1/`.
            body: becomes JSON; it may hold secrets, which appear in no error.

        Returns:
            The answer's `data` or `auth`; empty where Vault answers nothing.
        """
        return self._send("post", path, body or {})

    def lease(self, path: str) -> Lease:
        """Let Vault make a secret, such as a database login, and return it.

        Args:
            path: for example `database/creds/backend`.

        Raises:
            NotFound: there is no such role.
        """
        answer = self._answer("get", path)
        values = {key: Secret(str(value)) for key, value in answer["data"].items()}
        return Lease(answer["lease_id"], int(answer["lease_duration"]), values)

    def list(self, path: str) -> list[str]:
        """Return the names under a path; none where nothing is."""
        try:
            return list(self._send("list", path).get("keys", ()))
        except NotFound:
            return []

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        self._send("delete", path)

    # KV version 2

    def kv_read(self, path: str, *, mount: str = "kv") -> dict[str, Secret] | None:
        """Return a secret's latest version, or None where there is none.

        Args:
            path: the secret below the mount, for example `flowrex/backend`.
            mount: where the engine is mounted.
        """
        found = self.read(f"{mount}/data/{path}")
        if found is None or found.get("data") is None:
            return None
        return {key: Secret(str(value)) for key, value in found["data"].items()}

    def kv_version(self, path: str, *, mount: str = "kv") -> int:
        """Return the number of a secret's latest version, 0 where it never had one."""
        found = self.read(f"{mount}/metadata/{path}")
        return int(found["current_version"]) if found else 0

    def kv_write(
        self,
        path: str,
        values: Mapping[str, Secret],
        *,
        mount: str = "kv",
        cas: int | None = None,
    ) -> None:
        """Write a secret's next version, with exactly these values.

        Args:
            path: the secret below the mount.
            values: every key of the secret; one that is left out is gone in this version.
            mount: where the engine is mounted.
            cas: write only if the latest version has this number; 0: only if there is none.

        Raises:
            ServerRefused: `cas` does not match.
        """
        body: dict[str, Any] = {"data": {key: value.reveal() for key, value in values.items()}}
        if cas is not None:
            body["options"] = {"cas": cas}
        self.write(f"{mount}/data/{path}", body)

    # The server itself

    def health(self) -> VaultHealth:
        """Return Vault's state; needs no token and answers while it is sealed, too.

        Raises:
            ServerUnreachable: it does not answer.
        """
        codes = dict.fromkeys(("standbycode", "sealedcode", "uninitcode"), "200")
        found = self._answer("get", "sys/health", query=codes)
        return VaultHealth(
            bool(found["initialized"]),
            bool(found["sealed"]),
            bool(found["standby"]),
            str(found.get("version", "")),
            str(found.get("cluster_id", "")),
        )

    def initialize(
        self, *, shares: int = 1, threshold: int = 1
    ) -> tuple[tuple[Secret, ...], Secret]:
        """Initialise an empty Vault.

        Args:
            shares: how many unseal keys to make.
            threshold: how many of them unseal it.

        Returns:
            The unseal keys and the root token.
        """
        body = {"secret_shares": shares, "secret_threshold": threshold}
        answer = self.write("sys/init", body)
        return tuple(Secret(key) for key in answer["keys_base64"]), Secret(answer["root_token"])

    def unseal(self, key: Secret) -> bool:
        """Give one unseal key; return whether Vault is unsealed now."""
        return not self.write("sys/unseal", {"key": key.reveal()})["sealed"]

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = self._answer(method, path, body)
        return dict(answer.get("auth") or answer.get("data") or answer)

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {} if body is None else {"json": dict(body)}
        if query:
            arguments["params"] = query
        with mapped(self.address):
            send = getattr(self._vault.adapter, method)
            answer = send(f"/v1/{quote(path, safe='/:')}", **arguments)
        return answer if isinstance(answer, dict) else {}


@contextmanager
def mapped(address: str) -> Iterator[None]:
    """Turn what hvac and requests raise into Flowrex's errors.

    Args:
        address: Vault's address, for the message.
    """
    try:
        yield
    except (hvac.exceptions.VaultError, requests.RequestException) as error:
        raise as_flowrex_error(error, address) from error


def as_flowrex_error(error: Exception, address: str) -> FlowrexError:
    """Return the Flowrex error that says what hvac's or requests' error means."""
    if isinstance(error, requests.Timeout):
        return ServerUnreachable(f"Vault at {address} does not answer in time", hint=_RUNNING_HINT)
    if isinstance(error, requests.RequestException):
        reason = str(error).rsplit(": ", 1)[-1].rstrip("\"')")
        return ServerUnreachable(
            f"Vault at {address} does not answer: {reason}", hint=_RUNNING_HINT
        )
    text = _text(error)
    if isinstance(error, hvac.exceptions.Forbidden | hvac.exceptions.Unauthorized):
        return PermissionRefused(f"Vault at {address} refuses: {text}", hint=_TOKEN_HINT)
    if isinstance(error, hvac.exceptions.InvalidPath):
        return NotFound(f"Vault at {address} has no such thing: {text}")
    if isinstance(error, hvac.exceptions.VaultDown | hvac.exceptions.VaultNotInitialized):
        return ServerRefused(f"Vault at {address} is not ready: {text}", hint=_SEALED_HINT)
    return ServerRefused(f"Vault at {address} fails: {text}")


def _text(error: Exception) -> str:
    message = " ".join(str(error.args[0] if error.args else "").split()) or type(error).__name__
    url = urlsplit(str(getattr(error, "url", None) or "")).path
    return f"{message} ({getattr(error, 'method', None)} {url})" if url else message
