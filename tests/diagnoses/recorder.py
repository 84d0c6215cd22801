"""What Nomad and Consul answer while a job fails, kept for its fixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowrex.consul import ConsulClient, ServiceCheck
from flowrex.errors import ServerUnreachable
from flowrex.nomad import NomadClient
from flowrex.nomad.wire import Reply
from generator.canary import PASSING
from generator.facts import Facts
from tests.diagnoses import fixture
from tests.diagnoses.fixture import Scrubber, key

_METRIC = (
    *("ClassFiltered", "ConstraintFiltered", "DimensionExhausted", "NodesAvailable"),
    *("NodesEvaluated", "NodesInPool", "NodePool", "QuotaExhausted", "ResourcesExhausted"),
    "CoalescedFailures",
)


class Recorder:
    """Listens to the clients of one run."""

    def __init__(self, nomad: NomadClient, consul: ConsulClient) -> None:
        self.answers: dict[str, Any] = {}
        self.checks: dict[tuple[str, str], ServiceCheck] = {}
        self.facts: Facts | None = None
        self.cause: str | None = None
        send, checks_of = nomad.transport.send, consul.checks_of

        def sent(method: str, path: str, **more: Any) -> Reply:
            name = key(method, path, more.get("params"))
            try:
                reply = send(method, path, **more)
            except ServerUnreachable as error:
                self.answers[name] = {"error": type(error).__name__, "message": error.message}
                raise
            self.answers[name] = {"text": reply.body.decode(errors="replace")}
            return reply

        def checked(service: str) -> list[ServiceCheck]:
            found = checks_of(service)
            for one in found:
                if one.status != PASSING and one.output:
                    self.checks[(one.service_id, one.name)] = one
            return found

        nomad.transport.send = sent  # type: ignore[method-assign]
        consul.checks_of = checked  # type: ignore[method-assign]

    def scrubber(self) -> Scrubber:
        """Return what takes from a text of this run what differs from run to run."""
        facts = self.facts
        if facts is None:
            return Scrubber((), None)
        return Scrubber(facts.allocations.values(), facts.deployment)

    def write(self, job: str, path: Path) -> None:
        """Write the fixture."""
        document = self._refused(job) if self.facts is None else self._failed(self.facts)
        scrubbed = self.scrubber().document(document)
        path.write_text(json.dumps(scrubbed, indent=1, sort_keys=True) + "\n")

    def _refused(self, job: str) -> dict[str, Any]:
        return {"job": job, "answers": self.answers}

    def _json(self, name: str) -> Any:
        answer = self.answers.get(f"GET {name}") or {}
        return json.loads(answer["text"]) if "text" in answer else None

    def _failed(self, facts: Facts) -> dict[str, Any]:
        deployment = facts.deployment
        raw = self._json(f"deployment/{deployment.id}") if deployment else None
        of = f"deployment/allocations/{deployment.id}" if deployment else None
        listed = self._json(of or f"job/{facts.job}/allocations") or []
        listed = [one for one in listed if one["ID"] in facts.allocations]
        listed.sort(key=lambda one: one["CreateIndex"])
        logs = {name: text for name, text in self.answers.items() if "client/fs/logs" in name}
        return {
            "job": facts.job,
            "version": facts.version,
            "cause": self.cause,
            "spec": fixture.trimmed_spec(facts.spec),
            "deployment": fixture.trimmed_deployment(raw) if raw else None,
            "allocations": [
                fixture.trimmed_allocation(one, number) for number, one in enumerate(listed, 1)
            ],
            "failed_placements": self._failed_placements(facts),
            "checks": fixture.kept_checks(self.checks.values()),
            "reverted_to": facts.reverted_to,
            "sources": facts.sources,
            "unready": facts.unready,
            "answers": logs,
        }

    def _failed_placements(self, facts: Facts) -> Any:
        if not facts.placement:
            return {}
        evaluations = self._json(f"job/{facts.job}/evaluations") or []
        own = [one for one in evaluations if one["JobID"] == facts.job]
        found: dict[str, Any] = next(
            (one["FailedTGAllocs"] for one in own if one.get("FailedTGAllocs")), {}
        )
        return {
            group: {name: metric[name] for name in _METRIC if metric.get(name)}
            for group, metric in found.items()
        }
