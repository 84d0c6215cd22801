"""What a process says of the kill switch's state that it has taken up: a document in Consul."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from flowrex.errors import ConfigurationError
from flowrex.switch import State, moment


@dataclass(frozen=True)
class Acknowledgement:
    """One process's word, under `keys.acknowledgement(kind, name)`.

    Attributes:
        level: the level that it has taken up, as the key writes it; `off` for normal.
        index: Consul's index of the value that said so.
        at: when it was taken up, an ISO 8601 time with zone.
        latency_ms: milliseconds from the time in the key to `at`; None where the key has none. The
            clocks are those of two machines.
        node: the node that the process runs on.
        release: the version that runs.
        processes: how many processes its allocation has, each of which has to say so.
    """

    level: str
    index: int
    at: str
    latency_ms: float | None
    node: str = ""
    release: str = ""
    processes: int = 1

    def encode(self) -> str:
        """Return the document to write into Consul."""
        return json.dumps(asdict(self))


def acknowledge(
    state: State, *, wall: float, node: str = "", release: str = "", processes: int = 1
) -> Acknowledgement:
    """Return what a process says that has taken up `state`.

    Args:
        state: what holds in it now.
        wall: the time now, POSIX seconds.
        node: the node it runs on.
        release: its version.
        processes: how many its allocation has.
    """
    written = moment(state.emergency.at)
    return Acknowledgement(
        level=state.emergency.level.word,
        index=state.index,
        at=datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds"),
        latency_ms=None if written is None else round((wall - written) * 1000, 1),
        node=node,
        release=release,
        processes=processes,
    )


def parse_acknowledgement(key: str, value: bytes) -> Acknowledgement:
    """Read an acknowledgement.

    Args:
        key: where it stands, for the message.
        value: its bytes.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        document: Any = json.loads(value)
        latency = document["latency_ms"]
        return Acknowledgement(
            str(document["level"]),
            int(document["index"]),
            str(document["at"]),
            None if latency is None else float(latency),
            str(document.get("node", "")),
            str(document.get("release", "")),
            int(document.get("processes", 1)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigurationError("is no acknowledgement", path=key) from error
