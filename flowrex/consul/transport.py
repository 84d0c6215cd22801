"""The edge of py-consul: what its answers and its exceptions mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import consul
import requests
from consul.callback import CB
from consul.exceptions import ACLDisabled, ACLPermissionDenied, ConsulException
from consul.exceptions import NotFound as ConsulNotFound

from flowrex.errors import (
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)

_TOKEN_HINT = "Give a token that may do this in CONSUL_HTTP_TOKEN."  # noqa: S105
_RUNNING_HINT = "Look whether the agent runs (`flowrexctl dev status` for the local cluster)."


@contextmanager
def mapped(address: str) -> Iterator[None]:
    """Turn what py-consul and requests raise into Flowrex's errors.

    Args:
        address: the agent's address, for the message.
    """
    try:
        yield
    except (ConsulException, requests.RequestException) as error:
        raise as_flowrex_error(error, address) from error
    except json.JSONDecodeError as error:
        raise ServerRefused(
            f"{address} answers with something that is not JSON",
            hint="Is this the address of Consul's HTTP API?",
        ) from error


def as_flowrex_error(error: Exception, address: str) -> FlowrexError:
    """Return the Flowrex error that says what py-consul's or requests' error means."""
    text = " ".join(str(error).split())
    if isinstance(error, ACLPermissionDenied | ACLDisabled):
        return PermissionRefused(f"Consul at {address} refuses: {text}", hint=_TOKEN_HINT)
    if isinstance(error, ConsulNotFound):
        return NotFound(f"Consul at {address} has no such thing: {text}")
    if isinstance(error, requests.Timeout | consul.Timeout):
        return ServerUnreachable(f"Consul at {address} does not answer in time", hint=_RUNNING_HINT)
    if isinstance(error, requests.RequestException):
        reason = text.rsplit(": ", 1)[-1].rstrip("\"')")
        return ServerUnreachable(
            f"Consul at {address} does not answer: {reason}", hint=_RUNNING_HINT
        )
    return ServerRefused(f"Consul at {address} fails: {text}")


def json_of(response: Any) -> Any:
    """Return the answer's JSON, None for an empty one; a status above 399 raises."""
    if response.code == 200 and not response.body.strip():
        return None
    return CB.json(allow_404=False)(response)


def next_index(asked: int, answered: int | str) -> int:
    """Return the index for the next blocking query.

    Args:
        asked: the index of the query.
        answered: what Consul put into X-Consul-Index.

    Returns:
        The answered index; 0, which reads afresh, where it went backwards: the servers were
        restored or lost their state.
    """
    answered = int(answered)
    return answered if answered >= max(asked, 1) else 0
