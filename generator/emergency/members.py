"""Who must acknowledge the switch, and what each of them has said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowrex import keys
from flowrex.acknowledgement import Acknowledgement, parse_acknowledgement
from flowrex.consul import ConsulClient, KVEntry
from flowrex.errors import ConfigurationError, ServerUnreachable
from flowrex.nomad import NomadClient
from generator.emergency.switch import Standing

# The jobs whose processes follow the switch.
APP_JOBS = ("backend", "worker")
AGENT = "agent"
_AGENT_SERVICE = "flowrex-agent"
_OF_ALLOCATION = re.compile(r"_nomad-task-([0-9a-f]{8})-")


@dataclass(frozen=True)
class Member:
    """One process that must acknowledge.

    Attributes:
        kind: `backend`, `worker` or `agent`.
        name: of the process; of an allocation or a node of which no process has said anything.
        node: the node it runs on, where that is known.
        said: its last word, None where there is none.
        note: what else is known of it, such as that its agent is not alive.
    """

    kind: str
    name: str
    node: str
    said: Acknowledgement | None
    note: str = ""

    def has_taken_up(self, standing: Standing) -> bool:
        """Tell whether it has acknowledged the switch as it stands, or as it stood later."""
        if self.said is None:
            return False
        return (
            self.said.index >= standing.index and self.said.level == standing.emergency.level.word
        )

    def remembers(self, standing: Standing) -> bool:
        """Tell whether an emergency holds in it of which the switch says nothing (any more)."""
        return (
            not standing.emergency.active
            and self.said is not None
            and self.said.level != standing.emergency.level.word
            # One that follows an older key has not heard of this one yet.
            and (not standing.index or self.said.index > standing.index)
        )

    def as_document(self, standing: Standing) -> Mapping[str, Any]:
        """Return what `--json` prints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "node": self.node,
            "acknowledged": self.has_taken_up(standing),
            "level": self.said.level if self.said else None,
            "at": self.said.at if self.said else None,
            "latency_ms": self.said.latency_ms if self.said else None,
            "note": self.note,
        }


@dataclass(frozen=True)
class Expected:
    """Who must acknowledge, by what the servers knew a moment ago.

    Attributes:
        allocations: job to its live allocations, short id to node.
        agents: node to a note on its agent, empty where it is alive.
        problems: what could not be asked, in sentences.
    """

    allocations: Mapping[str, Mapping[str, str]]
    agents: Mapping[str, str]
    problems: tuple[str, ...] = ()


def expected(consul: ConsulClient, nomad: NomadClient | None, environment: str) -> Expected:
    """Ask Consul, and Nomad where it answers, who lives.

    Args:
        consul: has the services and the agents.
        nomad: knows allocations that are in no catalog; the switch must not wait for it.
        environment: whose agents.
    """
    problems = []
    allocations: dict[str, dict[str, str]] = {}
    for job in APP_JOBS:
        found = allocations.setdefault(job, {})
        for instance in consul.services(job):
            if match := _OF_ALLOCATION.search(instance.id):
                found[match.group(1)] = instance.node
        try:
            for one in nomad.allocations.of_job(job) if nomad else ():
                if one.live and one.client_status == "running":
                    found[one.short_id] = one.node
        except ServerUnreachable as error:
            problems.append(f"{error.message}; Consul's services alone tell who runs")
            nomad = None
    return Expected(allocations, _agents(consul, environment), tuple(problems))


def _agents(consul: ConsulClient, environment: str) -> dict[str, str]:
    found: dict[str, str] = {}
    alive = {one.id for one in consul.services(_AGENT_SERVICE, passing_only=False)}
    failing = {
        one.service_id: one.output
        for one in consul.checks_of(_AGENT_SERVICE)
        if one.status == "critical"
    }
    for entry in consul.kv_list(keys.AGENTS):
        node = entry.key.removeprefix(keys.AGENTS)
        document = _document(entry)
        if document.get("environment", environment) != environment:
            continue
        service = f"{_AGENT_SERVICE}-{node}"
        if document.get("state") == "stopped":
            note = f"the agent was stopped, {document.get('at', '')}"
        elif service in failing:
            note = f"Consul calls it critical: {failing[service]}".strip()
        elif service not in alive:
            note = "Consul has no such service"
        else:
            note = ""
        found[node] = note
    return found


def _document(entry: KVEntry) -> Mapping[str, Any]:
    try:
        document = json.loads(entry.value)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def members(who: Expected, words: Iterable[KVEntry]) -> list[Member]:
    """Put together who must acknowledge and what was said. Pure.

    A process of an allocation that does not run any more is left out: it can't do anything.

    Args:
        who: must acknowledge.
        words: the entries under `flowrex/emergency-acks/`.
    """
    said = _words(words)
    found: list[Member] = []
    for kind, allocations in who.allocations.items():
        for allocation, node in sorted(allocations.items()):
            own = {n: w for n, w in said.get(kind, {}).items() if n.startswith(allocation)}
            found += [Member(kind, name, w.node or node, w) for name, w in sorted(own.items())]
            of = max((w.processes for w in own.values()), default=1)
            if len(own) < of:
                note = f"{of - len(own)} of its {of} processes" if own else ""
                found.append(Member(kind, allocation, node, None, note))
    for node, note in sorted(who.agents.items()):
        found.append(Member(AGENT, node, node, said.get(AGENT, {}).get(node), note))
    return found


def _words(entries: Iterable[KVEntry]) -> dict[str, dict[str, Acknowledgement]]:
    found: dict[str, dict[str, Acknowledgement]] = {}
    for entry in entries:
        kind, _, name = entry.key.removeprefix(keys.ACKNOWLEDGEMENTS).partition("/")
        try:
            found.setdefault(kind, {})[name] = parse_acknowledgement(entry.key, entry.value)
        except ConfigurationError:
            continue  # no word that can be read is no word
    return found


def lacking(found: Sequence[Member], standing: Standing) -> list[Member]:
    """Return those that have not acknowledged."""
    return [one for one in found if not one.has_taken_up(standing)]
