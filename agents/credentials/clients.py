"""The agent's clients, with the credentials that are good now. Used from many threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents.clock import Clock
from agents.credentials import files, login
from agents.credentials.connect import Connect
from agents.settings.model import Agent
from flowrex.errors import FlowrexError, PermissionRefused
from flowrex.secret import Secret

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.s3 import S3Client
    from flowrex.vault import VaultClient

log = logging.getLogger(__name__)

# So long a failed login is not tried again by whoever asks next: ten tasks are not ten logins.
_SAME_FAILURE_S = 2.0

# The keys of the secret in Vault, each with the file that comes before it.
_CONSUL = ("consul_token", files.CONSUL_TOKEN)
_S3_ACCESS = ("s3_access_key", files.S3_ACCESS_KEY)
_S3_SECRET = ("s3_secret_key", files.S3_SECRET_KEY)


@dataclass
class Seen:
    """What happened to the credentials, for status and metrics."""

    logins: int = 0
    renewals: int = 0
    replaced: int = 0
    problem: str = ""


@dataclass
class Clients:
    """One client of each server, replaced when its credentials are.

    Attributes:
        settings: where the servers are.
        found: the credentials' files.
        clock: tells the time.
        connect: makes clients.
        seen: what happened so far.
    """

    settings: Agent
    found: files.Files
    clock: Clock
    connect: Connect = field(default_factory=Connect)
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._token: login.Token | None = None
        self._vault: VaultClient | None = None
        self._kept: dict[str, Secret] | None = None
        self._made: dict[str, tuple[tuple[Secret, ...], Any]] = {}
        self._failed: tuple[float, FlowrexError] | None = None

    def vault(self) -> VaultClient:
        """Return Vault's client, after a login if there was none.

        Raises:
            ServerUnreachable: there is no token, and none can be had now.
        """
        if (client := self._vault) is not None:
            return client
        with self._lock:
            if self._vault is None:
                self._log_in()
            assert self._vault is not None
            return self._vault

    def consul(self) -> ConsulClient:
        """Return Consul's client.

        Raises:
            ServerUnreachable: its token is in Vault only, and Vault is away.
        """
        settings = self.settings.consul
        client: ConsulClient = self._client(
            "consul", (_CONSUL,), lambda token: self.connect.consul(settings, token)
        )
        return client

    def s3(self) -> S3Client:
        """Return the object store's client.

        Raises:
            ServerUnreachable: its keys are in Vault only, and Vault is away.
        """
        settings = self.settings.s3
        client: S3Client = self._client(
            "s3",
            (_S3_ACCESS, _S3_SECRET),
            lambda access, secret: self.connect.s3(settings, access, secret),
        )
        return client

    def use(self, settings: Agent) -> None:
        """Take new settings; clients of servers whose settings changed are made anew."""
        with self._lock:
            old, self.settings = self.settings, settings
            if old.vault != settings.vault:
                self._forget_login()
                self._kept = None
            for name in ("consul", "s3"):
                if getattr(old, name) != getattr(settings, name):
                    self._made.pop(name, None)

    def look(self) -> None:
        """Look after all credentials: renew, log in anew, take up what was replaced.

        Raises:
            FlowrexError: Vault is away or refuses, or a file can't be read. What is good already
                is kept.
        """
        with self._lock:
            if self.settings.vault.enabled:
                self._keep_token()
                self._kept = self._read_secret()
            for name, wanted in (("consul", (_CONSUL,)), ("s3", (_S3_ACCESS, _S3_SECRET))):
                if name in self._made and self._values(wanted) != self._made[name][0]:
                    del self._made[name]
                    self.seen.replaced += 1
                    log.info("credentials were replaced", extra={"server": name})

    def token_left_s(self) -> float | None:
        """Return the seconds that Vault's token still lives, None where there is none."""
        token = self._token
        return None if token is None or token.ttl_s == 0 else token.left_s(self.clock.monotonic())

    def _client(
        self,
        name: str,
        wanted: tuple[tuple[str, str], ...],
        make: Callable[..., Any],
    ) -> Any:
        if (made := self._made.get(name)) is not None:
            return made[1]
        with self._lock:
            if name not in self._made:
                values = self._values(wanted)
                self._made[name] = (values, make(*values))
            return self._made[name][1]

    def _values(self, wanted: tuple[tuple[str, str], ...]) -> tuple[Secret, ...]:
        return tuple(self._value(key, file) for key, file in wanted)

    def _value(self, key: str, file: str) -> Secret:
        if (secret := self.found.read(file)) is not None:
            return secret
        settings = self.settings.vault
        if not settings.enabled:
            raise PermissionRefused(
                f"the credential {self.found.folder}/{file} is missing or empty",
                hint="Put it there, or switch `vault.enabled` on.",
            )
        if self._kept is None:
            self._kept = self._read_secret()
        if key not in self._kept:
            raise PermissionRefused(
                f"{settings.kv_mount}/{settings.secret} in Vault has no {key!r}",
                hint="`flowrexctl bootstrap ENV` puts it there.",
            )
        return self._kept[key]

    def _read_secret(self) -> dict[str, Secret]:
        settings = self.settings.vault
        return self.vault().kv_read(settings.secret, mount=settings.kv_mount) or {}

    def _keep_token(self) -> None:
        """Have a good token: look whether the one at hand is, renew it in time, or get another."""
        token, client = self._token, self._vault
        if token is None or client is None:
            self._log_in()
            return
        now = self.clock.monotonic()
        try:
            client.read("auth/token/lookup-self")
            if token.due(now):
                self._token = login.renew(client, token, now)
                self.seen.renewals += self._token is not None
        except PermissionRefused:
            log.warning("Vault does not know the agent's token any more; logging in anew")
            self._token = None
        if self._token is None:
            self._forget_login()
            self._log_in()

    def _log_in(self) -> None:
        now = self.clock.monotonic()
        if self._failed is not None and now - self._failed[0] < _SAME_FAILURE_S:
            raise self._failed[1]
        settings = self.settings.vault
        if not settings.enabled:
            raise PermissionRefused(
                "Vault is switched off in the agent's configuration (vault.enabled)"
            )
        try:
            pair = login.certificate(self.found) if settings.login == "certificate" else None
            self._token = login.log_in(
                self.connect.vault(settings, None, pair), settings, self.found, now
            )
        except FlowrexError as error:
            self._failed = (now, error)
            raise
        self._failed = None
        self._vault = self.connect.vault(settings, self._token.secret, pair)
        self.seen.logins += 1
        log.info("logged in to Vault", extra={"ttl_s": self._token.ttl_s})

    def _forget_login(self) -> None:
        self._token = self._vault = self._failed = None
