"""nginx's template, rendered by the real consul-template and run by the real nginx."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flowrex.consul import ConsulClient
from tests.cluster import ROOT, eventually
from tests.contract import own
from tests.serving import serving

TEMPLATE = ROOT / "consul-templates" / "nginx.conf.ctmpl"
SETTINGS = {
    "FRONTEND": "off",
    "WORKER_CONNECTIONS": "64",
    "MAX_FAILS": "3",
    "FAIL_TIMEOUT": "30s",
    "KEEPALIVE": "4",
    "CONNECT_TIMEOUT": "5s",
    "READ_TIMEOUT": "5s",
    "RETRIES": "2",
    "BODY_LIMIT": "1M",
    "RETRY_AFTER": "120",
    "METRICS_ALLOW": "127.0.0.0/8",
    "OPS_ALLOW": "10.9.0.0/16",
    "API_RATE": "60r/m",
    "API_BURST": "3",
}


class Backend(BaseHTTPRequestHandler):
    """Answers everything with some text."""

    def do_GET(self) -> None:
        body = json.dumps({"text": "x" * 5000}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Socket(http.client.HTTPConnection):
    """A client of nginx's socket, as the entry is."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(str(self._path))


class Nginx:
    """The nginx behind the entry."""

    def __init__(self, socket_path: Path) -> None:
        self.socket = socket_path

    def ask(self, path: str, address: str, **headers: str) -> http.client.HTTPResponse:
        """Ask, as the entry does for a client of an address."""
        connection = Socket(self.socket)
        connection.request("GET", path, headers={"X-Real-IP": address, **headers})
        answer = connection.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def statuses(self, path: str, address: str, count: int) -> list[int]:
        return [self.ask(path, address).status for _ in range(count)]


@pytest.fixture(scope="module")
def nginx(real_consul: ConsulClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    task = folder / "task"
    for one in (task, folder / "alloc"):
        one.mkdir()
    for one in (folder, *folder.parents):
        if one.is_relative_to("/tmp") and one != Path("/tmp"):
            one.chmod(0o755)  # its workers are another user's
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Backend)) as port:
        service = {"Name": "backend", "Address": "127.0.0.1", "Port": port}
        real_consul.request("PUT", "/v1/agent/service/register", service)
        try:
            _render(real_consul, task)
            program = shutil.which("nginx") or "/usr/sbin/nginx"
            command: list[str | Path] = [program, "-e", "stderr", "-c", task / "nginx.conf"]
            with own.running([*command, "-p", task, "-g", "daemon off;"], task):
                found = Nginx(folder / "alloc" / "nginx.sock")
                eventually(found.socket.exists, what="nginx' socket")
                yield found
        finally:
            real_consul.request("PUT", "/v1/agent/service/deregister/backend")


def _render(consul: ConsulClient, task: Path) -> None:
    environ = {f"FLOWREX_NGINX_{name}": value for name, value in SETTINGS.items()}
    subprocess.run(
        [own.program("consul-template"), "-once", f"-consul-addr={consul.address}",
         f"-template={TEMPLATE}:{task / 'nginx.conf'}"],
        env={"PATH": os.environ["PATH"], "NOMAD_TASK_DIR": str(task), **environ},
        check=True, timeout=30,
    )  # fmt: skip


def test_an_address_may_ask_the_api_so_often_and_no_more(nginx: Nginx) -> None:
    seen = nginx.statuses("/api/v1/instruments", "192.0.2.1", 8)
    assert seen[:4] == [200] * 4, "one, and as many more at once as it may"
    assert 429 in seen[4:]


def test_it_is_told_when_to_come_back(nginx: Nginx) -> None:
    nginx.statuses("/api/v1/instruments", "192.0.2.2", 6)
    refused = nginx.ask("/api/v1/instruments", "192.0.2.2")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert json.loads(refused.body) == {"detail": "Too many requests"}  # type: ignore[attr-defined]


def test_another_address_is_not_counted_with_it(nginx: Nginx) -> None:
    nginx.statuses("/api/v1/instruments", "192.0.2.3", 8)
    assert nginx.ask("/api/v1/instruments", "192.0.2.4").status == 200


def test_operators_and_health_are_not_limited(nginx: Nginx) -> None:
    assert set(nginx.statuses("/api/v1/instruments", "10.9.1.2", 12)) == {200}
    assert set(nginx.statuses("/health", "192.0.2.5", 12)) == {200}


def test_what_is_long_is_compressed_for_who_takes_it(nginx: Nginx) -> None:
    answer = nginx.ask("/api/v1/x", "10.9.1.2", **{"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    body: bytes = answer.body  # type: ignore[attr-defined]
    assert len(gzip.decompress(body)) > 5000 > len(body)
    plain = nginx.ask("/api/v1/x", "10.9.1.2")
    assert plain.headers["Content-Encoding"] is None
