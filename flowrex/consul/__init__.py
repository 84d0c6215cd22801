"""Consul: keys, sessions, checks. The only package that imports py-consul.

A `ConsulClient` is a thin edge: it asks, and gives plain frozen values back. ACLs are in
`flowrex.consul.acl`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import consul

from flowrex.address import split
from flowrex.consul.model import KVEntry, ServiceCheck, ServiceInstance
from flowrex.consul.transport import json_of, mapped, next_index
from flowrex.errors import ConfigurationError
from flowrex.loopback import is_loopback
from flowrex.secret import Secret

__all__ = ["ConsulClient", "KVEntry", "ServiceCheck", "ServiceInstance"]

# A leader that was just elected, or has just been replaced, would answer a plain read from an older
# state, in which a key that is there, such as the kill switch, is not there yet.
_CONSISTENT = "consistent"


class ConsulClient:
    """One Consul agent, asked with one token."""

    def __init__(
        self,
        address: str,
        token: Secret | None = None,
        *,
        timeout_s: float = 5,
        ca_file: str | None = None,
    ) -> None:
        """Remember where and as whom to ask; nothing is sent yet.

        Args:
            address: the agent's address, `http://127.0.0.1:8500` or `https://…`.
            token: the ACL token; None asks as anonymous.
            timeout_s: seconds to wait for an answer; a blocking query's own wait comes on top.
            ca_file: certificates that Consul's is checked by; the system's unless given.

        Raises:
            ConfigurationError: the address is none.
        """
        parts = split(address)
        if parts is None or parts.hostname is None:
            raise ConfigurationError(
                f"{address!r} is no address of a Consul agent",
                hint="Write it as http://HOST:PORT or https://HOST:PORT in servers.consul.",
            )
        self.address = address.rstrip("/")
        self._consul = consul.Consul(
            host=parts.hostname,
            port=parts.port or (443 if parts.scheme == "https" else 80),
            scheme=parts.scheme,
            verify=ca_file or True,
            connections_timeout=timeout_s,
            consistency=_CONSISTENT,
        )
        # What HTTP_PROXY names can't reach this machine's loopback.
        self._consul.http.session.trust_env = not is_loopback(parts.hostname)
        # The library lets CONSUL_HTTP_TOKEN win over the token that it was given.
        self._consul.token = token.reveal() if token else None

    # Keys

    def kv_get(self, key: str) -> KVEntry | None:
        """Return the key's entry, or None where there is no such key."""
        with mapped(self.address):
            _, found = self._consul.kv.get(key)
        return KVEntry.parse(found) if found else None

    def kv_wait(self, key: str, index: int, wait_s: float) -> tuple[KVEntry | None, int]:
        """Wait until the key may have changed, and return it with the index to wait from next.

        A return is a wake-up and no event: the value may be the same as before.

        Args:
            key: the key.
            index: what the last call returned; 0 returns at once.
            wait_s: seconds to wait at most, before Consul's own spread of a sixteenth.

        Returns:
            The entry, or None, and the index; 0 where Consul's went backwards, so that the next
            call reads afresh.
        """
        with mapped(self.address):
            answered, found = self._consul.kv.get(key, index=index, wait=_wait(index, wait_s))
        return (KVEntry.parse(found) if found else None), next_index(index, answered)

    def kv_list(self, prefix: str) -> list[KVEntry]:
        """Return the entries of all keys that begin with `prefix`, sorted by key."""
        with mapped(self.address):
            _, found = self._consul.kv.get(prefix, recurse=True)
        return _sorted(found)

    def kv_wait_prefix(self, prefix: str, index: int, wait_s: float) -> tuple[list[KVEntry], int]:
        """Wait until a key under a prefix may have changed, and return all of them, sorted.

        A return is a wake-up and no event, as with `kv_wait`.

        Args:
            prefix: what the keys begin with.
            index: what the last call returned; 0 returns at once.
            wait_s: seconds to wait at most, before Consul's own spread of a sixteenth.

        Returns:
            The entries, sorted by key, and the index; 0 where Consul's went backwards.
        """
        with mapped(self.address):
            answered, found = self._consul.kv.get(
                prefix, index=index, wait=_wait(index, wait_s), recurse=True
            )
        return _sorted(found), next_index(index, answered)

    def kv_put(
        self,
        key: str,
        value: str | bytes,
        *,
        cas: int | None = None,
        acquire: str | None = None,
        release: str | None = None,
    ) -> bool:
        """Write a key.

        Args:
            key: the key.
            value: text (stored as UTF-8) or bytes.
            cas: write only if the key's `modify_index` is this; 0: only if there is no such key.
            acquire: write and lock with this session, if no other holds the key.
            release: write and unlock with this session, if it holds the key.

        Returns:
            Whether it was written.

        Raises:
            ServerRefused: the session is gone, or Consul fails.
        """
        body = value.encode() if isinstance(value, str) else value
        with mapped(self.address):
            return bool(self._consul.kv.put(key, body, cas=cas, acquire=acquire, release=release))

    def kv_delete(self, key: str, *, cas: int | None = None) -> bool:
        """Delete a key.

        Args:
            key: the key.
            cas: delete only if the key's `modify_index` is this.

        Returns:
            Whether the key is gone; True also where there was none.
        """
        with mapped(self.address):
            return bool(self._consul.kv.delete(key, cas=cas))

    # Sessions

    def session_create(
        self, name: str, ttl_s: int, *, behavior: str = "release", lock_delay_s: int = 0
    ) -> str:
        """Open a session that lives by its TTL only, not by its node's health.

        A node's health check is lost on short network blips, and locks would go with it.

        Args:
            name: what an operator sees in `consul session list`.
            ttl_s: seconds (10 to 86400) without a renewal after which it ends; Consul may take
                twice as long.
            behavior: `release` or `delete` the keys that it holds when it ends.
            lock_delay_s: seconds for which its keys can't be acquired after it ended abnormally.

        Returns:
            The session's id.
        """
        body = {
            "Name": name,
            "TTL": f"{ttl_s}s",
            "Behavior": behavior,
            "LockDelay": f"{lock_delay_s}s",
            "NodeChecks": [],
            "ServiceChecks": [],
        }
        return str(self.request("PUT", "/v1/session/create", body)["ID"])

    def session_renew(self, session_id: str) -> None:
        """Start the session's TTL again.

        Raises:
            NotFound: the session has ended.
        """
        self.request("PUT", f"/v1/session/renew/{session_id}")

    def session_destroy(self, session_id: str) -> None:
        """End the session and let go of its keys; one that has ended is no error."""
        with mapped(self.address):
            self._consul.session.destroy(session_id)

    def session_info(self, session_id: str) -> dict[str, Any] | None:
        """Return the session as Consul describes it, or None when it has ended."""
        with mapped(self.address):
            _, found = self._consul.session.info(session_id)
        if isinstance(found, list):
            found = found[0] if found else None
        return dict(found) if found else None

    # Services

    def checks_of(self, service: str) -> list[ServiceCheck]:
        """Return the health checks of every instance of a service."""
        with mapped(self.address):
            _, found = self._consul.health.checks(service)
        return [
            ServiceCheck(
                each["ServiceID"], each["CheckID"], each["Name"], each["Status"], each["Output"]
            )
            for each in found or ()
        ]

    def services(self, name: str, passing_only: bool = False) -> list[ServiceInstance]:
        """Return the instances of a service.

        Args:
            name: the service.
            passing_only: leave out those with a check that is not passing.
        """
        with mapped(self.address):
            _, found = self._consul.health.service(name, passing=passing_only)
        return [
            ServiceInstance(
                each["Service"]["ID"],
                each["Service"]["Address"] or each["Node"]["Address"],
                each["Service"].get("Port", 0),
                tuple(each["Service"]["Tags"] or ()),
                each["Node"]["Node"],
            )
            for each in found or ()
        ]

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
        """Register a service of this node that tells by itself, by `update_check`, how it is.

        Args:
            name: the service.
            service_id: this instance's id, which is its check's as well.
            ttl: time without an update after which the check is critical, such as `90s`.
            status: the check's first status: passing, warning or critical.
            tags: its tags.
            meta: its metadata.
            address: where it answers; empty for the node's own address.
            port: likewise; 0 where it answers nobody.
        """
        check = {"CheckID": service_id, "Name": f"what {name} says", "TTL": ttl, "Status": status}
        body = {
            "ID": service_id,
            "Name": name,
            "Tags": list(tags),
            "Meta": dict(meta or {}),
            "Address": address,
            "Port": port,
            "Check": check,
        }
        self.request("PUT", "/v1/agent/service/register", body)

    def update_check(self, check_id: str, status: str, output: str) -> None:
        """Tell the status of a check with a TTL.

        Args:
            check_id: the check.
            status: passing, warning or critical.
            output: why, in a sentence or a few.

        Raises:
            NotFound: this Consul agent has no such check.
        """
        body = {"Status": status, "Output": output}
        self.request("PUT", f"/v1/agent/check/update/{check_id}", body)

    def deregister_service(self, service_id: str) -> None:
        """Take an instance of a service of this node away.

        Raises:
            NotFound: this Consul agent has no such service.
        """
        self.request("PUT", f"/v1/agent/service/deregister/{service_id}")

    def leader(self) -> str:
        """Return the address of the servers' leader, "" while there is none."""
        with mapped(self.address):
            return str(self._consul.status.leader() or "")

    # Everything else

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request that has no method here, with the same token and the same errors.

        Args:
            method: GET, PUT, POST or DELETE.
            path: from `/v1/` on.
            body: becomes JSON.

        Returns:
            The answer's JSON, None for an empty one.

        Raises:
            NotFound: there is no such thing.
        """
        data = "" if body is None else json.dumps(body)
        headers = self._consul.prepare_headers()
        http = self._consul.http
        with mapped(self.address):
            if method == "GET":
                return http.get(json_of, path, params=[(_CONSISTENT, "1")], headers=headers)
            send = {"PUT": http.put, "POST": http.post, "DELETE": http.delete}[method]
            return send(json_of, path, headers=headers, data=data)


def _wait(index: int, wait_s: float) -> str | None:
    return f"{int(wait_s * 1000)}ms" if index else None


def _sorted(found: Iterable[Mapping[str, Any]] | None) -> list[KVEntry]:
    return sorted((KVEntry.parse(each) for each in found or ()), key=lambda entry: entry.key)
