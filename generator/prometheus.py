"""The platform's own Prometheus, found in Consul and asked by its HTTP API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowrex.consul import ConsulClient
from flowrex.errors import ServerRefused, ServerUnreachable
from generator.fetch import Fetch

SERVICE = "prometheus"


@dataclass(frozen=True)
class Series:
    """One series of an answer.

    Attributes:
        labels: by name.
        value: its value at the asked moment; may be NaN.
    """

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Prometheus:
    """One Prometheus.

    Attributes:
        address: `http://HOST:PORT`.
        fetch: asks.
    """

    address: str
    fetch: Fetch

    def query(self, expression: str) -> list[Series]:
        """Return what an expression gives now.

        Args:
            expression: PromQL whose result is an instant vector of numbers. A scalar is none: it
                is always there, so that it can't say that nothing is wrong.

        Raises:
            ServerUnreachable: it does not answer, or finds the expression wrong; `ServerRefused`
                where what it gives is no such vector.
        """
        data = self._data("query", {"query": expression})
        try:
            if (kind := data["resultType"]) != "vector":
                raise ServerRefused(
                    f"{self.address} gives a {kind} and no vector for {expression!r}"
                )
            return [Series(one["metric"], float(one["value"][1])) for one in data["result"]]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            # A native histogram has no value; and what answers may be no Prometheus.
            raise ServerRefused(f"{self.address} gives no numbers for {expression!r}") from error

    def number(self, expression: str) -> float | None:
        """Return the one value that an expression gives, or None where it gives none."""
        found = self.query(expression)
        return found[0].value if found else None

    def targets(self) -> Sequence[Mapping[str, Any]]:
        """Return the targets that are scraped: `labels`, `health`, `lastError`."""
        return list(self._data("targets", {"state": "active"})["activeTargets"])

    def rules(self) -> int:
        """Return how many rules are loaded."""
        return sum(len(group["rules"]) for group in self._data("rules")["groups"])

    def alertmanagers(self) -> int:
        """Return how many Alertmanagers are told."""
        return len(self._data("alertmanagers")["activeAlertmanagers"])

    def _data(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        url = f"{self.address}/api/v1/{path}"
        document = self.fetch(url, params)
        if not isinstance(document, dict) or document.get("status") != "success":
            raise ServerRefused(f"{url} answers what is no answer of Prometheus")
        return document["data"]


def find(consul: ConsulClient, fetch: Fetch) -> Prometheus:
    """Return the Prometheus that is registered in Consul and healthy.

    Raises:
        ServerUnreachable: there is none.
    """
    found = consul.services(SERVICE, passing_only=True)
    if not found:
        raise ServerUnreachable(
            "no healthy Prometheus is registered in Consul",
            hint="prometheus.enabled switches its job on; flowrexctl status ENV shows it.",
        )
    return Prometheus(f"http://{found[0].address}:{found[0].port}", fetch)
