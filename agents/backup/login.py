"""Logins of PostgreSQL from Vault, for as long as they are used."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agents.backup.access import Access, options, password_file
from agents.settings.backup import Postgres
from flowrex.errors import FlowrexError
from flowrex.vault import Lease, VaultClient

log = logging.getLogger(__name__)

_READ_ONLY = {"default_transaction_read_only": "on"}
_LONG = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}


@dataclass(frozen=True)
class Logins:
    """Where logins come from.

    Attributes:
        vault: gives Vault's client.
        settings: the database.
        folder: where password files may be; only the agent may look into it.
    """

    vault: Callable[[], VaultClient]
    settings: Postgres
    folder: Path

    @contextmanager
    def read(self) -> Iterator[Access]:
        """Give a login that may read everything, for the length of a block."""
        with self._leased("backup") as lease, self._access(lease, _LONG | _READ_ONLY) as access:
            yield access

    @contextmanager
    def restore(self) -> Iterator[Access]:
        """Give a login that may make databases and restore into them, for the length of a block."""
        with self._leased("restore") as lease, self._access(lease, _LONG) as access:
            yield access

    @contextmanager
    def _access(self, lease: Lease, session: dict[str, str]) -> Iterator[Access]:
        with password_file(lease.values["password"], self.folder) as passfile:
            yield Access(
                user=lease.values["username"].reveal(),
                passfile=passfile,
                sslmode=self.settings.sslmode,
                ca_file=self.settings.ca_file,
                bin_dir=self.settings.bin_dir,
                session_options=options(session),
            )

    @contextmanager
    def _leased(self, role: str) -> Iterator[Lease]:
        lease = self.vault().lease(f"{self.settings.login_mount}/creds/{role}")
        ended = threading.Event()
        renewal = threading.Thread(
            target=self._renew, args=(lease, ended), name=f"lease-{role}", daemon=True
        )
        renewal.start()
        try:
            yield lease
        finally:
            ended.set()
            # Otherwise it ends by itself, with its lease.
            with suppress(FlowrexError):
                self.vault().write("sys/leases/revoke", {"lease_id": lease.id})

    def _renew(self, lease: Lease, ended: threading.Event) -> None:
        while not ended.wait(max(1.0, lease.duration_s / 3)):
            try:
                self.vault().write("sys/leases/renew", {"lease_id": lease.id})
            except FlowrexError as error:
                # The dump goes on with its connection until the lease ends; then it fails by it.
                log.warning("a database login was not renewed", extra={"why": error.message})
