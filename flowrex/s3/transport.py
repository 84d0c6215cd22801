"""Signs requests and sends them: a connection of its own for each thread, and a bound on all."""

from __future__ import annotations

import hashlib
import http.client
import random
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import requests
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from flowrex.address import split
from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable, UsageError
from flowrex.loopback import is_loopback
from flowrex.s3.answers import Answer, refusal
from flowrex.secret import Secret

_ATTEMPTS = 3
_BACK_OFF_S = 0.2
# An answer that is read as a whole: a page of a list is the longest.
_LONGEST_ANSWER = 8 << 20
_PASSING = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {"SlowDown", "RequestTimeout", "InternalError", "ConditionalRequestConflict"}
)
_EMPTY = hashlib.sha256(b"").hexdigest()


class _Signer(S3SigV4Auth):  # type: ignore[misc]
    """Signs with the body's checksum that the caller has already."""

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["sha256"])


class Transport:
    """One store, asked with one key."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        access_key: Secret,
        secret_key: Secret,
        *,
        timeout_s: float,
        ca_file: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Remember where and as whom to ask; nothing is sent yet.

        Args:
            endpoint: the store's URL.
            region: the region that requests are signed for.
            access_key: the key's public half.
            secret_key: its secret half.
            timeout_s: seconds to wait for a connection, and for each piece of an answer.
            ca_file: the certificates that the store's is checked by; None: the system's.
            sleep: waits between attempts; tests give one that does not.
        """
        self.endpoint = endpoint.rstrip("/")
        parts = split(self.endpoint)
        if parts is None or parts.hostname is None:
            raise ConfigurationError(
                f"the S3 endpoint is {endpoint!r}; expected a URL, for example http://127.0.0.1:7070"
            )
        self._loopback = is_loopback(parts.hostname)
        self._signer = _Signer(Credentials(access_key.reveal(), secret_key.reveal()), "s3", region)
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._sleep = sleep
        self._local = threading.local()

    def url(self, bucket: str = "", key: str = "") -> str:
        """Return the address of a bucket or an object.

        Raises:
            UsageError: no address can name that object.
        """
        if not bucket:
            return f"{self.endpoint}/"
        if not key:
            return f"{self.endpoint}/{quote(bucket, safe='')}"
        # What HTTP libraries would take for the folder above, or drop.
        if any(part in {"", ".", ".."} for part in key.split("/")):
            raise UsageError(f"{key!r} is no name for an object: it has an empty or dotted part")
        return f"{self.endpoint}/{quote(bucket, safe='')}/{quote(key, safe='/~')}"

    def send(
        self,
        action: str,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Path = b"",
        sha256: str = "",
        repeatable: bool = True,
        accept: Container[int | str] = (),
    ) -> Answer:
        """Send a request and return the whole answer.

        Args:
            action: what it is for, as it follows "can't" in an error.
            method: HTTP's.
            url: without its query.
            query: by name.
            headers: what is signed, beside what every request has.
            body: what to send, or the file that holds it.
            sha256: the body's checksum in hex; needed for a file.
            repeatable: whether it may be sent again when its fate is unknown.
            accept: statuses and codes that are an answer, too, and no error.

        Raises:
            ServerUnreachable: there was no answer, or none in time.
            ServerRefused: the answer says no.
        """
        digest = sha256 or (hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else "")
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS or not repeatable
            try:
                answer = self._once(action, method, url, query or {}, headers or {}, body, digest)
            except ServerRefused:
                raise
            except ServerUnreachable:
                if last:
                    raise
            else:
                code = answer.code
                if (not code and answer.status < 300) or code in accept or answer.status in accept:
                    return answer
                if last or not self.passing(answer):
                    raise refusal(answer, action, self.endpoint)
            self.pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def passing(self, answer: Answer) -> bool:
        """Tell whether what is wrong may be right a moment later."""
        return answer.status in _PASSING or answer.code in _PASSING_CODES

    def pause(self, attempt: int) -> None:
        """Wait before the next attempt, longer each time and not all clients at once."""
        self._sleep(_BACK_OFF_S * 2**attempt * random.uniform(0.5, 1))  # noqa: S311

    def _once(
        self,
        action: str,
        method: str,
        url: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | Path,
        digest: str,
    ) -> Answer:
        content = nullcontext(body) if isinstance(body, bytes) else body.open("rb")
        with content as data, self.opened(action, method, url, query, headers, data, digest) as got:
            whole = b"" if method == "HEAD" else self._read(got, action)
            return Answer(got.status_code, _headers(got), whole)

    @contextmanager
    def opened(
        self,
        action: str,
        method: str,
        url: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        data: Any = b"",
        digest: str = _EMPTY,
    ) -> Iterator[requests.Response]:
        """Send a request and give the answer with its body unread, whatever its status."""
        target = f"{url}?{urlencode(query, quote_via=quote, safe='~')}" if query else url
        signed = AWSRequest(method=method, url=target, headers=dict(headers))
        signed.context["sha256"] = digest
        self._signer.add_auth(signed)
        with self.mapped(action):
            answer = self._session().request(
                method,
                target,
                data=data or None,
                headers=dict(signed.headers.items()),
                stream=True,
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        try:
            yield answer
        finally:
            answer.close()

    def answer_of(self, response: requests.Response, action: str) -> Answer:
        """Return an opened answer as a whole, for what it says of a failure."""
        return Answer(response.status_code, _headers(response), self._read(response, action))

    @contextmanager
    def mapped(self, action: str) -> Iterator[None]:
        """Turn what the libraries raise into Flowrex's errors."""
        try:
            yield
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as error:
            raise ServerUnreachable(
                f"the S3 store at {self.endpoint} does not answer (to {action})",
                hint="Check that it runs and that s3.endpoint is right.",
            ) from error

    def _read(self, response: requests.Response, action: str) -> bytes:
        deadline = time.monotonic() + max(self._timeout_s, 1) * 4
        pieces: list[bytes] = []
        size = 0
        while True:
            with self.mapped(action):
                piece = response.raw.read(1 << 16)
            if not piece:
                # With it the connection can be used again.
                response.raw.release_conn()
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > _LONGEST_ANSWER or time.monotonic() > deadline:
                raise ServerRefused(
                    f"the S3 store at {self.endpoint} answers without end (to {action})"
                )

    def _session(self) -> requests.Session:
        # requests' sessions are not made for several threads at once.
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.headers = {"Accept-Encoding": "identity", "User-Agent": "flowrex"}
            # A ~/.netrc must not replace the signature.
            session.auth = _as_signed
            # What HTTP_PROXY names can't reach this machine's loopback.
            session.trust_env = not self._loopback
            session.verify = True if self._ca_file is None else str(self._ca_file)
            self._local.session = session
        return session


def _as_signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _headers(response: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
