"""Consul as the application reaches it: with the token that Nomad keeps in a file."""

from __future__ import annotations

from pathlib import Path

from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from flowrex.secret import Secret


class Connector:
    """Gives one thread its client, and another one when the file holds another token.

    Nomad writes the file anew where it makes a new token: when the task or Nomad's agent is
    started again. Looking at it costs a `stat` each time.
    """

    def __init__(self, address: str, token_file: Path | None, *, timeout_s: float = 5) -> None:
        """Remember where to ask.

        Args:
            address: Consul's API.
            token_file: the file with the token; None asks as anonymous.
            timeout_s: seconds to wait for an answer; a blocking query's own wait comes on top.
        """
        self._address = address
        self._token_file = token_file
        self._timeout_s = timeout_s
        self._client: ConsulClient | None = None
        self._seen: tuple[int, int] | None = None

    def __call__(self) -> ConsulClient:
        """Return the client for the token of now.

        Raises:
            ServerUnreachable: the file can't be read; without its token Consul shows nothing.
        """
        if self._token_file is None:
            self._client = self._client or self._with(None)
            return self._client
        try:
            status = self._token_file.stat()
            seen = (status.st_ino, status.st_mtime_ns)
            if self._client is None or seen != self._seen:
                self._client = self._with(Secret(self._token_file.read_text().strip()))
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            raise ServerUnreachable(
                f"Consul's token in {self._token_file} can't be read: {error}"
            ) from error
        return self._client

    def _with(self, token: Secret | None) -> ConsulClient:
        return ConsulClient(self._address, token, timeout_s=self._timeout_s)
