"""Segments as NDJSON batches, posted to an HTTP receiver.

A 2xx answer is the acknowledgement. Anything else, or nothing, and the same batch is sent again
with the same `Idempotency-Key`, by which a receiver knows that it has it. A cursor that was lost
leads to batches with other keys over the same lines; `Flowrex-Segment` then says which bytes of
which file they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import requests

from agents.sinks.sink import Segment, Stored
from flowrex.errors import PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret

_LONGEST_REASON = 200


class HttpSink:
    """An HTTP receiver."""

    name = "http"

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], Secret | None] = lambda: None,
        ca_file: Path | None = None,
        timeout_s: float = 30,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: where to post to.
            token: returns the bearer token of the moment, or None.
            ca_file: certificates that the receiver's is checked by; None: the system's.
            timeout_s: seconds to wait for a connection, and for an answer.
        """
        self._url = url
        self._token = token
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(ca_file) if ca_file else True

    def deliver(self, segment: Segment) -> None:
        """Post the lines and wait for the receiver's word."""
        head = segment.head
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": f'"{segment.digest}"',
            "Flowrex-Segment": head.key,
            "Flowrex-Segment-Range": f"bytes {head.start}-{head.end}",
            "Flowrex-Segment-Lines": str(head.lines),
        }
        if token := self._token():
            headers["Authorization"] = f"Bearer {token.reveal()}"
        try:
            answer = self._session.post(
                self._url,
                data=segment.lines(),
                headers=headers,
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ServerUnreachable(
                f"the audit receiver at {self._url} does not answer: {type(error).__name__}",
                hint="Check that it runs and that audit.http.url is right.",
            ) from error
        if not 200 <= answer.status_code < 300:
            refused = PermissionRefused if answer.status_code in {401, 403} else ServerRefused
            raise refused(
                f"the audit receiver at {self._url} answers {answer.status_code}: "
                f"{' '.join(answer.text.split())[:_LONGEST_REASON]}"
            )

    def find(self, keys: Collection[str]) -> None:
        """Tell nothing: a receiver can't be asked."""
        return

    def ends(self, node: str, gets_on: Callable[[], None]) -> Iterator[Stored]:
        """Yield nothing: a receiver can't be asked."""
        return iter(())

    def close(self) -> None:
        """Give the connections up."""
        self._session.close()
