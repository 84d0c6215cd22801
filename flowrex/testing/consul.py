"""A Consul in memory: keys, sessions and locks as the real one keeps them."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowrex.consul.model import KVEntry, ServiceCheck, ServiceInstance
from flowrex.errors import NotFound, ServerRefused, ServerUnreachable


@dataclass
class _Session:
    name: str
    ttl_s: int
    behavior: str


class FakeConsul:
    """Stands in for `flowrex.consul.ConsulClient`; safe to share between threads.

    Attributes:
        down: set it to make every call raise `ServerUnreachable`.
        checks: what `checks_of` answers, by service.
        instances: what `services` answers, by service.
    """

    address = "fake://consul"

    def __init__(self) -> None:
        self.down = False
        self.checks: dict[str, list[ServiceCheck]] = {}
        self.instances: dict[str, list[ServiceInstance]] = {}
        self._entries: dict[str, KVEntry] = {}
        self._sessions: dict[str, _Session] = {}
        self._index = 1
        self._touched: dict[str, int] = {}
        self._changed = threading.Condition()

    # Keys

    def kv_get(self, key: str) -> KVEntry | None:
        """Return the key's entry, or None."""
        with self._changed:
            self._answer()
            return self._entries.get(key)

    def kv_wait(self, key: str, index: int, wait_s: float) -> tuple[KVEntry | None, int]:
        """Wait until the key was touched after `index`, or for `wait_s` seconds."""
        end = time.monotonic() + wait_s
        with self._changed:
            self._answer()
            while index and self._touched.get(key, 0) <= index:
                if (left := end - time.monotonic()) <= 0:
                    break
                self._changed.wait(left)
                self._answer()
            current = self._touched.get(key) or self._index
            return self._entries.get(key), 0 if current < index else current

    def kv_wait_prefix(self, prefix: str, index: int, wait_s: float) -> tuple[list[KVEntry], int]:
        """Wait until a key under the prefix was touched after `index`, or for `wait_s` seconds."""
        end = time.monotonic() + wait_s
        with self._changed:
            self._answer()
            while index and self._touched_under(prefix) <= index:
                if (left := end - time.monotonic()) <= 0:
                    break
                self._changed.wait(left)
                self._answer()
            current = self._touched_under(prefix) or self._index
            return self.kv_list(prefix), 0 if current < index else current

    def kv_list(self, prefix: str) -> list[KVEntry]:
        """Return the entries whose key begins with `prefix`, sorted by key."""
        with self._changed:
            self._answer()
            return [e for key, e in sorted(self._entries.items()) if key.startswith(prefix)]

    def kv_put(
        self,
        key: str,
        value: str | bytes,
        *,
        cas: int | None = None,
        acquire: str | None = None,
        release: str | None = None,
    ) -> bool:
        """Write a key under the same conditions as Consul."""
        content = value.encode() if isinstance(value, str) else value
        with self._changed:
            self._answer()
            there = self._entries.get(key)
            if cas is not None and cas != (there.modify_index if there else 0):
                return False
            session, locks = (there.session, there.lock_index) if there else (None, 0)
            if acquire is not None:
                self._known(acquire)
                if session not in (None, acquire):
                    return False
                locks += session is None
                session = acquire
            if release is not None:
                if session is None or session != release:
                    return False
                session = None
            wanted = KVEntry(key, content, there.modify_index if there else 0, locks, session)
            if wanted != there:
                self._entries[key] = replace(wanted, modify_index=self._touch(key))
            return True

    def kv_delete(self, key: str, *, cas: int | None = None) -> bool:
        """Delete a key; one that is not there is deleted already."""
        with self._changed:
            self._answer()
            there = self._entries.get(key)
            if there is None:
                return True
            if cas is not None and cas != there.modify_index:
                return False
            del self._entries[key]
            self._touch(key)
            return True

    # Sessions

    def session_create(
        self, name: str, ttl_s: int, *, behavior: str = "release", lock_delay_s: int = 0
    ) -> str:
        """Open a session; it lives until it is destroyed or a test calls `expire`."""
        with self._changed:
            self._answer()
            if not 10 <= ttl_s <= 86400:
                raise ServerRefused(f"Invalid Session TTL '{ttl_s}', must be between [10s=24h0m0s]")
            session_id = str(uuid.uuid4())
            self._sessions[session_id] = _Session(name, ttl_s, behavior)
            return session_id

    def session_renew(self, session_id: str) -> None:
        """Renew a session."""
        with self._changed:
            self._answer()
            if session_id not in self._sessions:
                raise NotFound(f"Session id '{session_id}' not found")

    def session_destroy(self, session_id: str) -> None:
        """End a session and let go of its keys."""
        with self._changed:
            self._answer()
            self._end(session_id)

    def session_info(self, session_id: str) -> dict[str, Any] | None:
        """Return the session, or None."""
        with self._changed:
            self._answer()
            session = self._sessions.get(session_id)
        if session is None:
            return None
        return {
            "ID": session_id,
            "Name": session.name,
            "TTL": f"{session.ttl_s}s",
            "Behavior": session.behavior,
        }

    def expire(self, session_id: str) -> None:
        """Let a session's TTL run out, as if its holder had died; for tests."""
        with self._changed:
            self._end(session_id)

    # Services

    def checks_of(self, service: str) -> list[ServiceCheck]:
        """Return what the test put into `checks`."""
        self._answer()
        return list(self.checks.get(service, ()))

    def services(self, name: str, passing_only: bool = False) -> list[ServiceInstance]:
        """Return what the test put into `instances`, without those whose checks do not pass."""
        self._answer()
        failing = {c.service_id for c in self.checks.get(name, ()) if c.status != "passing"}
        found = self.instances.get(name, ())
        return [one for one in found if not (passing_only and one.id in failing)]

    def register_service(
        self,
        name: str,
        service_id: str,
        *,
        ttl: str,
        status: str,
        tags: Iterable[str] = (),
        meta: Mapping[str, str] | None = None,
        address: str = "",
        port: int = 0,
    ) -> None:
        """Register a service with one check; its TTL never runs out here."""
        self._answer()
        check = ServiceCheck(service_id, service_id, f"what {name} says", status, "")
        self.deregister_service(service_id, missing_ok=True)
        self.checks.setdefault(name, []).append(check)
        instance = ServiceInstance(service_id, address or "127.0.0.1", port, tuple(tags), "node")
        self.instances.setdefault(name, []).append(instance)

    def update_check(self, check_id: str, status: str, output: str) -> None:
        """Set a registered check's status."""
        self._answer()
        for checks in self.checks.values():
            for at, check in enumerate(checks):
                if check.check_id == check_id:
                    checks[at] = replace(check, status=status, output=output)
                    return
        raise NotFound(f'Unknown check ID "{check_id}"')

    def deregister_service(self, service_id: str, *, missing_ok: bool = False) -> None:
        """Take an instance away, with its check."""
        self._answer()
        known = [one.id for found in self.instances.values() for one in found]
        if service_id not in known and not missing_ok:
            raise NotFound(f'Unknown service ID "{service_id}"')
        for name, found in self.instances.items():
            self.instances[name] = [one for one in found if one.id != service_id]
            checks = self.checks.get(name, [])
            self.checks[name] = [one for one in checks if one.service_id != service_id]

    def leader(self) -> str:
        """Return an address."""
        self._answer()
        return "127.0.0.1:8300"

    def _answer(self) -> None:
        if self.down:
            raise ServerUnreachable(f"Consul at {self.address} does not answer: it is down")

    def _known(self, session_id: str) -> None:
        if session_id not in self._sessions:
            raise ServerRefused(f'Consul at {self.address} fails: invalid session "{session_id}"')

    def _touched_under(self, prefix: str) -> int:
        touched = (at for key, at in self._touched.items() if key.startswith(prefix))
        return max(touched, default=0)

    def _touch(self, key: str) -> int:
        self._index += 1
        self._touched[key] = self._index
        self._changed.notify_all()
        return self._index

    def _end(self, session_id: str) -> None:
        session = self._sessions.pop(session_id, None)
        if session is None:
            return
        for key, entry in list(self._entries.items()):
            if entry.session != session_id:
                continue
            if session.behavior == "delete":
                del self._entries[key]
                self._touch(key)
            else:
                self._entries[key] = replace(entry, session=None, modify_index=self._touch(key))
