"""An audit record's whole way: an order, the backend's file, the agent, the bucket, the proof."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
from pathlib import Path
from typing import Any

import pytest

from flowrex.audit.segment import prefix
from flowrex.s3 import S3Client
from flowrex.secret import Secret
from generator.environment import load
from tests.cluster import ROOT, Cluster, eventually
from tests.live.test_rollout import marked

ORDER = json.dumps({"symbol": "EUR_USD", "side": "buy", "quantity": "1"})


@pytest.fixture(scope="module")
def bucket(cluster: Cluster) -> str:
    """The bucket of the audit log."""
    name: str = load(ROOT, "dev", environ=cluster.environ()).s3.logs_bucket
    return name


@pytest.fixture(scope="module")
def store(cluster: Cluster) -> S3Client:
    """The object store, with its keeper's key."""
    folder = cluster.state / "secrets"
    access, secret = (
        Secret((folder / name).read_text().strip()) for name in ("s3-access", "s3-secret")
    )
    return S3Client(f"http://127.0.0.1:{cluster.base + 70}", "us-east-1", access, secret)


def order(cluster: Cluster, actor: str) -> tuple[str, int]:
    """Place an order through nginx; return the request's id, which nginx gives, and the status."""
    host = cluster.entry.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=15)
    named = {"X-Actor": actor, "Idempotency-Key": f"live-{secrets.token_hex(8)}"}
    try:
        connection.request(
            "POST", "/api/v1/orders", ORDER, {"Content-Type": "application/json", **named}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.headers["X-Request-ID"], answer.status
    finally:
        connection.close()


def found(cluster: Cluster, request_id: str) -> list[dict[str, Any]]:
    out = cluster.run("audit", "search", "dev", "--request-id", request_id, "--json").stdout
    return [json.loads(line) for line in out.splitlines()]


def compared(cluster: Cluster) -> Any:
    """Return the verdict once it was compared with what the agents say, else None."""
    verdict = cluster.document("audit", "verify", "dev")
    return verdict if verdict["compared_with_agents"] else None


def test_an_order_is_found_in_the_bucket_and_the_trail_is_whole(cluster: Cluster) -> None:
    request_id, status = order(cluster, "desk-7")
    eventually(lambda: found(cluster, request_id), within=60, every=1, what="the record")
    (record,) = found(cluster, request_id)
    assert (record["actor"], record["method"], record["path"], record["status"]) == (
        "desk-7", "POST", "/api/v1/orders", status,
    )  # fmt: skip
    # The agent publishes how far it is at intervals; before the first there is nothing to compare.
    verdict = eventually(lambda: compared(cluster), within=60, every=1, what="the comparison")
    assert verdict["whole"]
    assert verdict["unchained"] == 0
    assert verdict["compared_with_agents"] == list(verdict["nodes"])


def test_an_agent_that_is_killed_loses_and_doubles_nothing(cluster: Cluster) -> None:
    agent = json.loads((cluster.state / "cluster.json").read_text())["servers"]["agent"]
    actor, placed = f"desk-{secrets.token_hex(4)}", []
    for number in range(30):
        placed.append(order(cluster, actor)[0])
        if number == 15:
            os.kill(agent["identity"]["pid"], signal.SIGKILL)
    cluster.run("dev", "up", "--nodes", "2", timeout=900)
    eventually(lambda: found(cluster, placed[-1]), within=60, every=1, what="the last record")
    out = cluster.run("audit", "search", "dev", "--user", actor, "--json").stdout
    assert sorted(json.loads(line)["request_id"] for line in out.splitlines()) == sorted(placed)
    assert cluster.document("audit", "verify", "dev")["whole"]


def test_a_hidden_segment_is_named(cluster: Cluster, store: S3Client, bucket: str) -> None:
    # Not the last one: that it was ever there, only the agent's own word tells.
    key = min(store.list(bucket, prefix("node-1")), key=lambda one: one.modified).key
    store.delete(bucket, key)
    try:
        verdict = cluster.document("audit", "verify", "dev", expect=7)
        assert not verdict["whole"]
        assert "is missing" in verdict["breaks"][0]["problem"]
    finally:
        for version in list(store.versions(bucket, key)):
            if version.deletion:
                store.delete(bucket, key, version.version_id)
    assert cluster.document("audit", "verify", "dev")["whole"]


def test_an_export_is_redacted(cluster: Cluster, tmp_path: Path) -> None:
    request_id, _ = order(cluster, "desk-9")
    eventually(lambda: found(cluster, request_id), within=60, every=1, what="the record")
    redactions = tmp_path / "redactions.yaml"
    redactions.write_text("fields: [source, user_agent]\npersons: [desk-9]\n")
    target = tmp_path / "export.jsonl"
    cluster.run(
        "audit", "export", "dev", "--request-id", request_id,
        "--redactions", str(redactions), "--output", str(target),
    )  # fmt: skip
    (record,) = map(json.loads, target.read_text().splitlines())
    assert "desk-9" not in target.read_text()
    assert record["source"] == "[redacted]"
    assert target.stat().st_mode & 0o077 == 0


def test_what_an_operator_did_is_in_the_trail(cluster: Cluster) -> None:
    why = f"a live test {secrets.token_hex(8)}"
    cluster.run("run", "dev", "--yes", "--promote", "--reason", why, *marked(530))

    def search() -> list[dict[str, Any]]:
        wanted = ("--path", "flowrexctl/run/dev", "--since", "1h")
        out = cluster.run("audit", "search", "dev", *wanted, "--json").stdout
        records = [json.loads(line) for line in out.splitlines()]
        return [one for one in records if one["detail"].get("reason") == why]

    eventually(lambda: len(search()) == 2, within=60, every=2, what="its beginning and its end")
    begun, done = sorted(search(), key=lambda one: str(one["time"]))
    assert (begun["detail"]["outcome"], done["detail"]["outcome"]) == ("begun", "done")
    assert begun["actor"] and begun["source"], "who, and from where"
    assert begun["detail"]["release"] == done["detail"]["release"]
    assert "backend deployed" in done["detail"]["jobs"]
