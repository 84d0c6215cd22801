"""What Consul answers, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class KVEntry:
    """A key with its value and the indexes that check-and-set needs.

    Attributes:
        key: the whole key, without a leading slash.
        value: the bytes as they are stored.
        modify_index: the Raft index of the last write, for `cas`.
        lock_index: how often the key was acquired.
        session: the session that holds the key, if one does.
    """

    key: str
    value: bytes
    modify_index: int
    lock_index: int
    session: str | None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> KVEntry:
        """Return the entry that py-consul answered, whose value it has decoded."""
        return cls(
            raw["Key"],
            raw["Value"] or b"",
            raw["ModifyIndex"],
            raw["LockIndex"],
            raw.get("Session"),
        )


@dataclass(frozen=True)
class ServiceCheck:
    """One health check of one instance of a service; `status` is passing, warning or critical."""

    service_id: str
    check_id: str
    name: str
    status: str
    output: str


@dataclass(frozen=True)
class ServiceInstance:
    """One instance of a service, at the address where it is reached."""

    id: str
    address: str
    port: int
    tags: tuple[str, ...]
    node: str
