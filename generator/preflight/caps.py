"""Stop `caps`: the risk engine's hard caps hold in the code and in the database, and agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowrex.errors import ServerRefused
from generator.checks.model import Finding, Ground, failed, passed

SERVICE = "backend"
PATH = "/api/v1/limits"


def look(ground: Ground) -> Finding:
    """Ask every instance of the backend what it and its database allow at most."""
    instances = ground.consul.services(SERVICE, passing_only=False)
    if not instances:
        running = [
            one.short_id
            for one in ground.nomad.allocations.of_job(SERVICE)
            if one.client_status == "running"
        ]
        if running:
            return failed(
                "The backend runs and can't be asked: none of it is registered in Consul",
                *running,
                hint=f"flowrexctl status {ground.environment.name}; it registers itself again "
                f"after: nomad job restart {SERVICE}",
            )
        return passed(
            "No backend runs yet; the migrations put the caps into the database before the first"
        )
    wrong: list[str] = []
    seen: list[str] = []
    for one in instances:
        where = f"{one.address}:{one.port}"
        caps = _caps(ground.fetch(f"http://{where}{PATH}"), where)
        for cap in caps:
            line = (
                f"{where}: {cap.get('name')}: {cap.get('code')} in code, "
                f"{cap.get('database')} in the database"
            )
            (seen if cap.get("enforced") is True else wrong).append(line)
        if not caps:
            wrong.append(f"{where}: it names no cap")
    if wrong:
        return failed(
            "A hard cap does not hold", *wrong,
            hint="Stop trading first: flowrexctl emergency on "
            f"{ground.environment.name} --reason 'a cap does not hold'",
        )  # fmt: skip
    return passed(f"The caps hold in {len(instances)} instances and in the database", *seen)


def _caps(document: object, where: str) -> Sequence[Mapping[str, Any]]:
    caps = document.get("caps") if isinstance(document, dict) else None
    if not isinstance(caps, list) or not all(isinstance(cap, dict) for cap in caps):
        raise ServerRefused(
            f"{where}{PATH} answers what names no caps",
            hint="It is the backend's page: see what is registered there as the backend.",
        )
    return caps
