from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from app.audit.file import AuditFailed, AuditFile
from app.audit.note import note
from app.audit.trail import Trail
from app.metrics import Metrics
from app.middleware.audit import Audit
from app.middleware.observe import Observe
from app.middleware.request_id import RequestId
from flowrex.audit.record import Record


class Disk(AuditFile):
    """A file whose disk fails when the test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "backend-1-1")
        self.room, self.broken, self.syncs = True, False, 0

    def has_room(self) -> bool:
        return self.room

    def write(self, records: Sequence[Record]) -> None:
        if self.broken:
            raise AuditFailed("the disk is full")
        self.syncs += 1
        super().write(records)

    def records(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def done() -> list[str]:
    """What the application changed."""
    return []


@pytest.fixture
async def client(disk: Disk, done: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.api_route("/things", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def things(request: Request, status: int = 200) -> JSONResponse:
        done.append(request.method)
        note(request, thing=7)
        if status == 503:
            note(request, place="api")
        return JSONResponse({"on_disk": len(disk.records())}, status_code=status)

    @app.post("/bug")
    async def bug() -> None:
        done.append("bug")
        raise RuntimeError("a bug")

    metrics = Metrics("1", "test")
    trail = Trail(disk, metrics)
    app.add_middleware(Audit, trail=trail)
    app.add_middleware(Observe, metrics=metrics)
    app.add_middleware(RequestId)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as made:
        yield made
    trail.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [200, 404, 422])
async def test_a_changing_request_is_recorded_whatever_its_answer(
    client: httpx.AsyncClient, disk: Disk, method: str, status: int
) -> None:
    headers = {"X-Actor": "ops@example", "User-Agent": "curl/8", "X-Forwarded-For": "203.0.113.9"}
    answer = await client.request(
        method, "/things?token=hidden", params={"status": status}, headers=headers
    )
    (record,) = disk.records()
    assert record["kind"] == "request"
    assert (record["method"], record["path"], record["status"]) == (method, "/things", status)
    assert (record["actor"], record["source"]) == ("ops@example", "192.0.2.7")
    assert record["user_agent"] == "curl/8"
    assert record["request_id"] == answer.headers["x-request-id"]
    assert record["detail"] == {"thing": 7, "forwarded_for": "203.0.113.9"}
    assert record["duration_ms"] > 0
    assert "hidden" not in disk.path.read_text()


async def test_a_read_is_not_recorded(client: httpx.AsyncClient, disk: Disk) -> None:
    assert (await client.get("/things")).status_code == 200
    assert disk.records() == []


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_a_refusal_is_recorded_also_of_a_read(
    client: httpx.AsyncClient, disk: Disk, status: int
) -> None:
    for method in ("GET", "POST"):
        await client.request(method, "/things", params={"status": status})
    assert [record["kind"] for record in disk.records()] == ["refusal", "refusal"]


async def test_a_bug_is_recorded_too_since_it_may_have_changed_something(
    client: httpx.AsyncClient, disk: Disk
) -> None:
    assert (await client.post("/bug")).status_code == 500
    assert [record["status"] for record in disk.records()] == [500]


async def test_what_nobody_answers_is_recorded(client: httpx.AsyncClient, disk: Disk) -> None:
    assert (await client.post("/nowhere")).status_code == 404
    assert [record["path"] for record in disk.records()] == ["/nowhere"]


@pytest.mark.parametrize("trouble", ["room", "broken"])
async def test_without_a_trail_nothing_is_changed(
    client: httpx.AsyncClient, disk: Disk, done: list[str], trouble: str
) -> None:
    disk.room = trouble != "room"
    if trouble == "broken":
        disk.broken = True
        # The first one finds it out when it has been done: its answer says so.
        answer = await client.post("/things")
        assert answer.status_code == 503
        assert "not known" in answer.json()["error"]
        done.clear()
    answer = await client.post("/things")
    assert answer.status_code == 503
    assert "nothing was changed" in answer.json()["error"]
    assert answer.headers["retry-after"]
    assert done == []
    assert (await client.get("/things")).status_code == 200


async def test_a_disk_that_is_well_again_is_found_by_the_next_refusal(
    client: httpx.AsyncClient, disk: Disk
) -> None:
    disk.broken = True
    await client.post("/things")
    disk.broken = False
    assert (await client.post("/things")).status_code == 503
    assert (await client.post("/things")).status_code == 200
    assert [record["kind"] for record in disk.records()] == ["refusal", "request"]


async def test_requests_at_the_same_time_share_a_sync(
    client: httpx.AsyncClient, disk: Disk
) -> None:
    await asyncio.gather(*(client.post("/things") for _ in range(200)))
    assert len(disk.records()) == 200
    assert disk.syncs < 200
