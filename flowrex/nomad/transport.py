"""From a request to an answer or to one of Flowrex's errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests
from nomad import api
from nomad.api import exceptions
from nomad.api.base import Requester
from urllib3.exceptions import HTTPError

from flowrex.errors import NotFound, PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret

Json: TypeAlias = Any
Query: TypeAlias = str | int | None

INDEX = "X-Nomad-Index"
_LONGEST_ANSWER = 500


@dataclass(frozen=True)
class Answer:
    """What a blocking query returned, and the index to ask again with."""

    value: Json
    index: int


@contextmanager
def mapped(address: str) -> Iterator[None]:
    """Turn whatever python-nomad or requests raises into an error of `flowrex.errors`.

    Args:
        address: the server, for the sentence.
    """
    try:
        yield
    except exceptions.InvalidParameters as error:
        raise ServerRefused(f"python-nomad refuses the call to {address}: {error}") from error
    except exceptions.BaseNomadException as error:
        raise _from_library(address, error) from error
    except requests.exceptions.JSONDecodeError as error:
        raise _not_nomad(address) from error
    except (requests.exceptions.RequestException, HTTPError) as error:
        # TimeoutNomadException is one of the first; a stream read half-way raises urllib3's own.
        raise _unreachable(address, error) from error


def _from_library(address: str, error: exceptions.BaseNomadException) -> ServerUnreachable:
    response = error.nomad_resp
    if not isinstance(response, requests.Response):
        return _unreachable(address, response)
    text = " ".join(response.text.split())[:_LONGEST_ANSWER]
    answer = f"Nomad at {address} answers {response.status_code}: {text}"
    if response.status_code == requests.codes.forbidden:
        return PermissionRefused(
            answer, hint="Check NOMAD_TOKEN: it may be missing, expired, or not allowed to do this."
        )
    if response.status_code == requests.codes.not_found:
        return NotFound(answer)
    if "No cluster leader" in text:
        return ServerRefused(answer, hint="The servers are electing a leader; try again shortly.")
    return ServerRefused(answer)


def _unreachable(address: str, cause: object) -> ServerUnreachable:
    return ServerUnreachable(
        f"Nomad at {address} does not answer: {_reason(cause)}",
        hint="Is it running, and is the address right? For a local cluster: flowrexctl dev status",
    )


def _not_nomad(address: str) -> ServerRefused:
    return ServerRefused(
        f"{address} answers with something that is not JSON",
        hint="Is this the address of Nomad's HTTP API?",
    )


def _reason(cause: object) -> str:
    text = str(cause)
    for sign, reason in (
        ("Connection refused", "connection refused"),
        ("timed out", "it took too long"),
        ("Name or service not known", "the host name is not known"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate can't be verified"),
        ("Connection aborted", "the connection was cut"),
        ("Connection reset", "the connection was cut"),
        ("Connection broken", "the connection was cut"),
    ):
        if sign in text:
            return reason
    return text or type(cause).__name__


class _Anywhere(Requester):  # type: ignore[misc]
    """The library's way of sending, for the endpoints that it has no class for."""

    def _endpoint_builder(self, *parts: str) -> str:
        return "v1/" + "/".join(part for part in parts if part)


class Transport:
    """Requests to one Nomad, through python-nomad's own classes."""

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
        session = requests.Session()
        # What HTTP_PROXY names can't reach this machine's loopback.
        session.trust_env = not _loopback(self.address)
        # The library's classes are used one by one: its `Nomad` object would read NOMAD_TOKEN,
        # NOMAD_ADDR and NOMAD_NAMESPACE behind the caller's back.
        self.settings: dict[str, Any] = {
            "address": self.address,
            "token": token.reveal() if token else None,
            "timeout": timeout_s,
            "namespace": namespace,
            "region": region,
            "verify": verify,
            "session": session,
        }
        self.library_jobs = api.Jobs(**self.settings)
        self.library_job = api.Job(**self.settings)
        self.library_deployment = api.Deployment(**self.settings)
        self.library_deployments = api.Deployments(**self.settings)
        self.library_node = api.Node(**self.settings)
        self.library_nodes = api.Nodes(**self.settings)
        self.library_allocation = api.Allocation(**self.settings)
        self._anywhere = _Anywhere(**self.settings)
        self._namespace = namespace

    def mapped(self) -> AbstractContextManager[None]:
        """Return the context in which a library call's exceptions become Flowrex's errors."""
        return mapped(self.address)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Query] | None = None,
        body: Mapping[str, Json] | None = None,
        timeout: float | tuple[float, float | None] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request by the library's own way of sending.

        Args:
            method: `get`, `put`, `post` or `delete`.
            path: what follows `/v1/`.
            params: the query string; None values are left out.
            body: sent as JSON.
            timeout: seconds, or (connect, read); the client's own unless given.
            stream: leave the body to the caller.

        Returns:
            The response, whose status is below 400.
        """
        # The library sends the namespace to some endpoints only.
        query = {"namespace": self._namespace} | {
            name: value for name, value in (params or {}).items() if value is not None
        }
        with mapped(self.address):
            response: requests.Response = self._anywhere.request(
                path,
                method=method,
                params=query,
                json=body,
                timeout=self.timeout_s if timeout is None else timeout,
                stream=stream,
            )
            return response

    def get(self, path: str, **params: Query) -> Json:
        """Return the JSON that `path` answers."""
        with mapped(self.address):
            return self.send("get", path, params=params).json()

    def put(self, path: str, body: Mapping[str, Json], **params: Query) -> Json:
        """Send `body` to `path` and return the JSON of the answer; None where it is empty."""
        with mapped(self.address):
            response = self.send("put", path, params=params, body=body)
            return response.json() if response.content else None

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
        read_s = wait_s + wait_s / 16 + self.timeout_s
        with mapped(self.address):
            response = self.send("get", path, params=params, timeout=(self.timeout_s, read_s))
            return Answer(response.json(), next_index(index, response.headers.get(INDEX)))


def next_index(previous: int, header: str | None) -> int:
    """Return the index for the next blocking query.

    Args:
        previous: the index that was sent.
        header: what the server answered.
    """
    current = int(header) if header and header.isdigit() else 0
    return 0 if current < previous else max(current, 1)


def _loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
