"""The pages: through nginx, while a version is replaced, without the API and without rights."""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import job

PAGES = "text/html; charset=utf-8"


def changed(number: int) -> list[str]:
    """Return the override that makes another version of the frontend alone."""
    return ["--set", f"frontend.env.ROLLOUT={number}"]


def ask(url: str) -> tuple[int, Message, str]:
    """Return status, headers and text of an answer, whatever it is."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


@contextmanager
def visits(url: str) -> Iterator[list[str]]:
    """Ask for a page ten times a second while a block runs; gives what came of each time.

    As much as wrk asks for, the pages would take the machine from all else.
    """
    seen: list[str] = []
    over = threading.Event()

    def visit() -> None:
        while not over.wait(0.1):
            try:
                seen.append(str(ask(url)[0]))
            except OSError as error:
                seen.append(repr(error))

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def address(cluster: Cluster) -> str:
    """Return where the first instance itself answers."""
    instance = cluster.allocations("frontend")[0]
    allocation = cluster.nomad(f"allocation/{instance['ID']}")
    (port,) = allocation["AllocatedResources"]["Shared"]["Ports"]
    return f"http://127.0.0.1:{port['Value']}"


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


def test_the_page_says_the_release_and_that_the_api_answers(cluster: Cluster) -> None:
    status, headers, page = ask(f"{cluster.entry}/")
    assert (status, headers["Content-Type"]) == (200, PAGES)
    assert re.search(r"<h1>Flowrex</h1>.*Release</dt><dd>0\.1\.0<", page)
    assert '<dd data-api="up">answers, release 0.1.0</dd>' in page
    assert headers["X-Frame-Options"] == "DENY"


def test_files_are_kept_for_a_year_and_their_absence_is_not(cluster: Cluster) -> None:
    _, _, page = ask(f"{cluster.entry}/")
    found = re.search(r'src="(/_next/static/[^"]+\.js)"', page)
    assert found
    status, headers, _ = ask(cluster.entry + found[1])
    assert (status, headers.get_all("Cache-Control")) == (
        200,
        ["public, max-age=31536000, immutable"],
    )
    status, headers, _ = ask(f"{cluster.entry}/_next/static/chunks/gone.js")
    assert (status, headers.get_all("Cache-Control")) == (404, ["no-store"])


def test_what_goes_to_the_api_still_does(cluster: Cluster) -> None:
    assert ask(f"{cluster.entry}/api/health")[0] == 404, "the frontend's own is asked directly"
    assert cluster.get("/api/v1/version")["release"] == "0.1.0"
    assert cluster.get("/health/ready")["status"] == "ready"


def test_an_instance_says_that_it_is_alive_and_ready(cluster: Cluster) -> None:
    for path in ("/api/health", "/api/health/ready"):
        status, headers, text = ask(address(cluster) + path)
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert '"service":"frontend","release":"0.1.0"' in text


def test_its_metrics_are_for_those_inside(cluster: Cluster) -> None:
    ask(f"{cluster.entry}/")

    status, _, text = ask(f"{address(cluster)}/metrics")
    assert status == 200
    assert re.search(
        r'^http_requests_total\{method="GET",route="/",status="200"\} [1-9]', text, re.M
    )
    _, _, outside = ask(f"{cluster.entry}/metrics")
    assert "database_connections" in outside, "it is the backend's that the entry leads to"


def test_a_canary_its_promotion_and_a_rollback_drop_no_request(cluster: Cluster) -> None:
    with visits(f"{cluster.entry}/") as seen:
        cluster.run("run", "dev", "--yes", *changed(1), expect=9)
        assert len(cluster.allocations("frontend")) == 2, "the canary runs beside the other"
        cluster.run("promote", "dev")
        cluster.run("rollback", "dev", "frontend")
    assert len(seen) > 50
    assert set(seen) == {"200"}, Counter(seen)


def test_without_an_instance_the_entry_says_so_and_the_api_goes_on(cluster: Cluster) -> None:
    cluster.nomad("job/frontend/scale", scaled(0))
    try:
        eventually(lambda: ask(f"{cluster.entry}/")[0] == 503, what="an entry without pages")
        status, headers, page = ask(f"{cluster.entry}/")
        assert (status, headers["Retry-After"], headers["Content-Type"]) == (503, "5", PAGES)
        assert "The pages are not there right now" in page
        assert cluster.get("/api/v1/version")["release"] == "0.1.0"
    finally:
        cluster.nomad("job/frontend/scale", scaled(1))
        eventually(lambda: ask(f"{cluster.entry}/")[0] == 200, within=60, what="the pages")


def scaled(count: int) -> dict[str, object]:
    return {"Count": count, "Target": {"Group": "frontend"}, "Message": "a test"}


def test_it_is_nobody_and_has_no_token(cluster: Cluster) -> None:
    (instance,) = cluster.allocations("frontend")
    (folder,) = [
        path for path in cluster.state.rglob("frontend/secrets") if path.parts[-3] == instance["ID"]
    ]
    tokens = [path for path in (*folder.iterdir(), *(folder.parent / "private").iterdir())]
    assert not [path for path in tokens if "token" in path.name or "jwt" in path.name]
    (process,) = processes(instance["ID"])
    assert process.stat().st_uid == 65534
    environ = (process / "environ").read_bytes()
    assert b"_TOKEN=" not in environ
    spec = cluster.nomad("job/frontend")["TaskGroups"][0]["Tasks"][0]
    assert (spec["Vault"], spec["Consul"], spec["Templates"]) == (None, None, None)


def processes(allocation: str) -> list[Path]:
    """Return the folders in /proc of an allocation's Node.js."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if f"NOMAD_ALLOC_ID={allocation}".encode() in environ and b"next-server" in command:
            found.append(folder)
    return found


def test_its_logs_are_json_lines(cluster: Cluster) -> None:
    done = cluster.run("logs", "dev", "frontend", "--tail", "20")
    lines = done.stdout.splitlines()
    assert any('"message":"Ready in' in line for line in lines)
    assert all(line.startswith('{"time":') for line in lines)


def test_it_is_in_the_status(cluster: Cluster) -> None:
    assert job(cluster, "frontend")["state"] == "in service"
