"""What operators ask of a node's agent, and what it answers: documents in Consul.

An operator writes `flowrex/requests/<node>/<id>`; only the operators' ACL role may. The agent does
what it says once, also over restarts, and writes `flowrex/answers/<node>/<id>` as it goes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from flowrex.errors import ConfigurationError

Kind = Literal[
    # Logical backups.
    "backup",
    "list",
    "show",
    "verify",
    "drill",
    "restore",
    "hold",
    "release",
    "physical_backup",
    "physical_list",
    "physical_verify",
    "physical_drill",
    "physical_restore",
    "snapshot_take",
    "snapshot_list",
    "snapshot_verify",
]
State = Literal["accepted", "running", "done", "failed", "refused"]

KINDS: tuple[str, ...] = get_args(Kind)
STATES: tuple[str, ...] = get_args(State)


def new_id(at: datetime) -> str:
    """Return the id of a request that is made now.

    Args:
        at: the time, with zone; ids sort by it.
    """
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Request:
    """One thing that is asked.

    Attributes:
        id: unique, and its keys sort by time.
        kind: what is to be done.
        arguments: by name, all text; each kind documents its own.
        by: who asks.
        at: when, an ISO 8601 time with zone.
    """

    id: str
    kind: Kind
    arguments: Mapping[str, str]
    by: str
    at: str

    def encode(self) -> str:
        """Return the document to write into Consul."""
        return json.dumps(
            {
                "id": self.id,
                "kind": self.kind,
                "arguments": dict(self.arguments),
                "by": self.by,
                "at": self.at,
            }
        )


@dataclass(frozen=True)
class Answer:
    """What the agent says of a request.

    Attributes:
        id: the request's.
        state: `accepted` and `running` are on the way; the rest are ends.
        at: when this was written, an ISO 8601 time with zone.
        message: a sentence: how far it is, what it did, or why not.
        result: what came of it, by name; for a backup its `name`. For an error `error`, `hint`
            and `exit_status`, and `interrupted` where the agent stopped half-way.
        claim: the word by which the agent that took the request knows its own answers again.
    """

    id: str
    state: State
    at: str
    message: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    claim: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.state in {"done", "failed", "refused"}

    def encode(self) -> str:
        """Return the document to write into Consul."""
        return json.dumps(
            {
                "id": self.id,
                "state": self.state,
                "at": self.at,
                "message": self.message,
                "result": dict(self.result),
                "claim": self.claim,
            },
            default=str,
        )

    def now(self, state: State, at: str, message: str = "", **result: Any) -> Answer:
        """Return what follows this answer."""
        return replace(self, state=state, at=at, message=message, result=result)


def parse_request(key: str, value: bytes) -> Request:
    """Read a request.

    Args:
        key: where it stands, for the message.
        value: its bytes.

    Raises:
        ConfigurationError: it is no request; nothing of it may be done.
    """
    document = _document(key, value)
    kind, arguments = document.get("kind"), document.get("arguments")
    if kind not in KINDS:
        raise ConfigurationError(
            f"`kind` is {kind!r}; expected one of {', '.join(KINDS)}", path=key
        )
    if not isinstance(arguments, dict) or not all(
        isinstance(one, str) for one in arguments.values()
    ):
        raise ConfigurationError("`arguments` is not an object of texts", path=key)
    identity, by, at = (str(document.get(name) or "") for name in ("id", "by", "at"))
    if not identity or identity != key.rsplit("/", 1)[-1]:
        raise ConfigurationError(f"`id` is {identity!r} and not the key's last part", path=key)
    return Request(identity, kind, arguments, by, at)


def parse_answer(key: str, value: bytes) -> Answer:
    """Read an answer.

    Args:
        key: where it stands, for the message.
        value: its bytes.

    Raises:
        ConfigurationError: it is no answer.
    """
    document = _document(key, value)
    state, result = document.get("state"), document.get("result")
    if state not in STATES:
        raise ConfigurationError(
            f"`state` is {state!r}; expected one of {', '.join(STATES)}", path=key
        )
    return Answer(
        str(document.get("id") or ""),
        state,
        str(document.get("at") or ""),
        str(document.get("message") or ""),
        result if isinstance(result, dict) else {},
        str(document.get("claim") or ""),
    )


def _document(key: str, value: bytes) -> dict[str, Any]:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("is not a JSON document", path=key) from error
    if not isinstance(document, dict):
        raise ConfigurationError("is not a JSON object", path=key)
    return document
