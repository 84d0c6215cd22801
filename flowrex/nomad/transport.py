"""From a question to its answer: JSON both ways, the namespace, and blocking queries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from flowrex.loopback import is_loopback
from flowrex.nomad.wire import Reply, Wire, authorities, not_nomad
from flowrex.secret import Secret

if TYPE_CHECKING:
    from flowrex.nomad.library import Library

Json: TypeAlias = Any
Query: TypeAlias = str | int | None

INDEX = "X-Nomad-Index"


@dataclass(frozen=True)
class Answer:
    """What a blocking query returned, and the index to ask again with."""

    value: Json
    index: int


class Transport:
    """Requests to one Nomad: plain ones by `flowrex.nomad.wire`, changes by the library."""

    def __init__(
        self,
        address: str,
        token: Secret | None,
        *,
        region: str | None,
        namespace: str,
        timeout_s: float,
        verify: bool | str,
    ) -> None:
        self.address = address.rstrip("/")
        self.timeout_s = timeout_s
        self._token, self._region, self._namespace = token, region, namespace
        self._verify = verify
        headers = {"X-Nomad-Token": token.reveal()} if token else {}
        self._wire = Wire(self.address, headers, timeout_s=timeout_s, verify=verify)

    def at(self, address: str) -> Transport:
        """Return the way to another agent, with the same token.

        Args:
            address: host and port.
        """
        return Transport(
            f"{urlsplit(self.address).scheme}://{address}",
            self._token,
            region=self._region,
            namespace=self._namespace,
            timeout_s=self.timeout_s,
            verify=self._verify,
        )

    @cached_property
    def library(self) -> Library:
        """python-nomad with this transport's settings; imported at the first use."""
        from flowrex.nomad.library import Library

        return Library(
            self.address,
            self._token.reveal() if self._token else None,
            region=self._region,
            namespace=self._namespace,
            timeout_s=self.timeout_s,
            verify=authorities(self._verify, os.environ),
            trust_env=not is_loopback(urlsplit(self.address).hostname or ""),
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Query] | None = None,
        body: Mapping[str, Json] | None = None,
        read_s: float | None = None,
    ) -> Reply:
        """Send one request.

        Args:
            method: `GET`, `PUT`, `POST` or `DELETE`.
            path: what follows `/v1/`.
            params: the query string; None values are left out.
            body: sent as JSON.
            read_s: seconds to wait for the answer; the client's own timeout unless given.
        """
        document = None if body is None else json.dumps(body).encode()
        return self._wire.request(method, self._target(path, params or {}), document, read_s=read_s)

    def stream(self, path: str, **params: Query) -> Iterator[bytes]:
        """Yield what `path` answers, piece by piece as it comes."""
        return self._wire.stream(self._target(path, params))

    def get(self, path: str, **params: Query) -> Json:
        """Return the JSON that `path` answers."""
        return self._json(self.send("GET", path, params=params))

    def put(self, path: str, body: Mapping[str, Json], **params: Query) -> Json:
        """Send `body` to `path` and return the JSON of the answer; None where it is empty."""
        reply = self.send("PUT", path, params=params, body=body)
        return self._json(reply) if reply.body else None

    def wait(self, path: str, index: int, wait_s: float, **params: Query) -> Answer:
        """Ask by blocking query: answer when `path` has changed since `index`, or after `wait_s`.

        Args:
            path: what follows `/v1/`.
            index: of the last answer; 0 answers at once.
            wait_s: how long the server may hold the question, in seconds.
            params: more of the query string.

        Returns:
            The answer, and the index for the next question: 0 where the server's index went
            backwards (it was restored or replaced), so that nothing is missed.
        """
        if index:
            params |= {"index": index, "wait": f"{max(1, round(wait_s * 1000))}ms"}
        # The server adds up to a sixteenth so that its clients don't come back all at once.
        reply = self.send("GET", path, params=params, read_s=wait_s + wait_s / 16 + self.timeout_s)
        return Answer(self._json(reply), next_index(index, reply.headers.get(INDEX)))

    def _target(self, path: str, params: Mapping[str, Query]) -> str:
        query = {"namespace": self._namespace, "region": self._region, **params}
        written = urlencode({name: value for name, value in query.items() if value is not None})
        return f"/v1/{quote(path)}?{written}"

    def _json(self, reply: Reply) -> Json:
        try:
            return json.loads(reply.body)
        except ValueError as error:
            raise not_nomad(self.address) from error


def next_index(previous: int, header: str | None) -> int:
    """Return the index for the next blocking query.

    Args:
        previous: the index that was sent.
        header: what the server answered.
    """
    current = int(header) if header and header.isdigit() else 0
    return 0 if current < previous else max(current, 1)
