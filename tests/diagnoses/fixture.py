"""A failure as Nomad and Consul told of it, kept as a file, and told again from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flowrex import errors
from flowrex.consul import ServiceCheck
from flowrex.nomad import Allocation, Deployment, NomadClient
from flowrex.nomad.wire import Reply
from generator import diagnose, placement
from generator.facts import Facts, collect_logs
from generator.plan import plan_job
from generator.render import RenderedJob

GOLDEN = Path(__file__).parents[1] / "golden" / "diagnoses"

_ALLOCATION = (
    *("ID", "Name", "JobID", "JobVersion", "TaskGroup", "NodeName", "ClientStatus"),
    *("ClientDescription", "DesiredStatus", "DeploymentID", "NextAllocation", "FollowupEvalID"),
)
_EVENT = ("Type", "DisplayMessage", "Details", "ExitCode")
_TASK = ("State", "Failed", "Restarts")
_DEPLOYMENT = ("ID", "JobID", "JobVersion", "Status", "StatusDescription")
_GROUP = (
    *("DesiredTotal", "DesiredCanaries", "PlacedAllocs", "HealthyAllocs", "UnhealthyAllocs"),
    *("Promoted", "AutoRevert", "PlacedCanaries"),
)
_SPEC_GROUP = ("Name", "Volumes", "EphemeralDisk", "Services", "Tasks")
_SPEC_TASK = ("Name", "Driver", "Lifecycle", "Resources", "Services", "Vault")

# What differs from run to run, and what stands for it.
_VARYING = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:9999"),
    (re.compile(r"\bhttp=\d+"), "http=9999"),
    (re.compile(r"\bnode-\d+"), "node-1"),
    (re.compile(r"/\S*/alloc/\d+/"), "/alloc/"),
    (re.compile(r"/getter\d+/"), "/getter/"),
    # A node may have more than one address, and gives a port of each.
    (re.compile(r"; \d+ more of its"), "; 4 more of its"),
    (re.compile(r'("CoalescedFailures": )\d+'), r"\g<1>4"),
    (re.compile(r"(restarting in )[\d.]+s"), r"\g<1>1s"),
)


# Behind the first eight characters of an id.
_REST = "-0000-0000-0000-000000000000"


def short(number: int) -> str:
    """Return what stands for an id's first eight characters."""
    return f"{number:08d}"


class Scrubber:
    """Puts the same in the place of what differs from run to run."""

    def __init__(self, allocations: Iterable[Allocation], deployment: Deployment | None) -> None:
        ids = [one.id for one in sorted(allocations, key=lambda one: one.create_index)]
        if deployment is not None:
            ids.append(deployment.id)
        self._ids = {known[:8]: short(number) for number, known in enumerate(ids, 1)}

    def text(self, text: str) -> str:
        """Return a text as it is in every run."""
        for known, instead in self._ids.items():
            text = re.sub(rf"\b{known}(-[0-9a-f]+){{4}}", instead + _REST, text)
            text = re.sub(rf"\b{known}\b", instead, text)
        for varying, instead in _VARYING:
            text = varying.sub(instead, text)
        return text

    def document(self, document: Any) -> Any:
        """Return a document as it is in every run."""
        return json.loads(self.text(json.dumps(document)))


def _only(raw: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    return {name: raw[name] for name in fields if raw.get(name) not in (None, "", {}, [])}


def trimmed_allocation(raw: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return what is kept of an allocation."""
    health = raw.get("DeploymentStatus") or {}
    tasks = {
        name: _only(task, _TASK)
        | {"Events": [_only(event, _EVENT) for event in task.get("Events") or ()]}
        for name, task in (raw.get("TaskStates") or {}).items()
    }
    return {
        **_only(raw, _ALLOCATION),
        "CreateIndex": number,
        "DeploymentStatus": {"Healthy": health.get("Healthy")},
        "TaskStates": tasks,
    }


def trimmed_deployment(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a deployment."""
    groups = {name: _only(group, _GROUP) for name, group in raw["TaskGroups"].items()}
    return {**_only(raw, _DEPLOYMENT), "TaskGroups": groups}


def trimmed_spec(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a job's spec."""
    groups = [
        _only(group, _SPEC_GROUP) | {"Tasks": [_only(one, _SPEC_TASK) for one in group["Tasks"]]}
        for group in raw["TaskGroups"]
    ]
    return {"Datacenters": raw["Datacenters"], "TaskGroups": groups}


def kept_checks(seen: Iterable[ServiceCheck]) -> list[dict[str, str]]:
    """Return what is kept of Consul's checks."""
    return [asdict(one) for one in seen]


def tell(name: str) -> str:
    """Return what is told of a kept failure."""
    kept = json.loads((GOLDEN / f"{name}.json").read_text())
    nomad = NomadClient("http://127.0.0.1:9999")
    nomad.transport.send = Tape(kept["answers"]).send  # type: ignore[method-assign]
    if "spec" not in kept:
        spec = RenderedJob(kept["job"], "service", "", "")
        try:
            plan_job(nomad, spec)
        except errors.FlowrexError as error:
            return error.as_text() + "\n"
        raise AssertionError(f"{name} is not refused")
    deployment = kept["deployment"]
    seen = Facts(
        kept["job"],
        kept["version"],
        kept["spec"],
        deployment=Deployment.parse(deployment) if deployment else None,
        unready=tuple(kept["unready"]),
        placement=placement.explain(kept["failed_placements"], kept["spec"]),
        reverted_to=kept["reverted_to"],
        sources=kept["sources"],
    )
    seen.see_allocations(Allocation.parse(raw) for raw in kept["allocations"])
    seen.see_checks([ServiceCheck(**raw) for raw in kept["checks"]])
    collect_logs(nomad, seen)
    return diagnose.explain(seen, "dev", cause=kept["cause"]).error().as_text() + "\n"


class Tape:
    """A Nomad that answers what it answered before."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)

    def send(self, method: str, path: str, **more: Any) -> Reply:
        """Answer as the transport does."""
        answer = self.answers.get(key(method, path, more.get("params")))
        if answer is None:
            raise errors.NotFound(f"{path} was not asked for")
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["message"])
        return Reply({}, answer["text"].encode())  # type: ignore[arg-type]


def key(method: str, path: str, params: Mapping[str, Any] | None) -> str:
    """Return by what an answer is found."""
    stream = (params or {}).get("type")
    of = f" {params['task']} {stream}" if params and stream else ""
    return f"{method} {path}{of}"
