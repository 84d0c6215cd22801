"""What the real npm prints of the frontend's lock is read as it is meant.

A registry of the test's own answers what npm asks, so that what is known is known to the test.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import ConfigurationError
from generator import audited, evidence

ROOT = Path(__file__).parents[2]
LOCKED = json.loads((ROOT / audited.FRONTEND.path).read_text())["packages"]


def advisory(name: str, range_: str) -> list[Mapping[str, Any]]:
    """Return what a registry says of a package that is vulnerable."""
    one = {"url": f"https://github.com/advisories/GHSA-{name}", "title": "made up", "id": 1}
    return [{**one, "severity": "high", "vulnerable_versions": range_, "cwe": [], "cvss": {}}]


@contextmanager
def registry(known: Mapping[str, Any], status: int = 200) -> Iterator[str]:
    """Answer what npm asks of advisories and packages; return the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self, document: object, status: int) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            asked = json.loads(body)
            self.answer({name: one for name, one in known.items() if name in asked}, status)

        def do_GET(self) -> None:
            name = self.path.strip("/").replace("%2f", "/")
            held = LOCKED.get(f"node_modules/{name}", {"version": "1.0.0"})
            one = {"name": name, "version": held["version"], "dist": {"tarball": "http://x/x.tgz"}}
            one["dependencies"] = held.get("dependencies", {})
            versions = {one["version"]: one}
            tags = {"latest": one["version"]}
            self.answer({"name": name, "dist-tags": tags, "versions": versions}, 200)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read(
    folder: Path, known: Mapping[str, Any], *omit: str, status: int = 200
) -> evidence.Vulnerabilities:
    """Let npm audit the frontend's lock, and read what it printed."""
    command = ["npm", "--prefix", "frontend", "audit", "--json", *omit, "--fetch-retries=0"]
    with registry(known, status) as address:
        done = subprocess.run(
            [*command, f"--registry={address}", f"--cache={folder / 'cache'}"],
            capture_output=True, cwd=ROOT, check=False, timeout=60,
        )  # fmt: skip
    (folder / "audit.json").write_bytes(done.stdout)
    return audited.read(folder / "audit.json", ROOT)


def test_where_nothing_is_known_it_is_good(tmp_path: Path) -> None:
    found = read(tmp_path, {}, "--omit=dev")
    assert found.found == ()
    assert found.packages == sum(1 for at, one in LOCKED.items() if at and not one.get("dev"))


@pytest.mark.parametrize("omit", [(), ("--omit=dev",)], ids=["all", "production"])
def test_what_is_deployed_counts_alone(tmp_path: Path, omit: tuple[str, ...]) -> None:
    known = {"postcss": advisory("postcss", "<99"), "typescript": advisory("typescript", "<99")}
    version = LOCKED["node_modules/postcss"]["version"]
    line = f"postcss {version}: GHSA-postcss, high, in <99"
    assert read(tmp_path, known, *omit).found == (line,)


def test_a_registry_that_does_not_answer_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="what npm failed with: 405"):
        read(tmp_path, {}, status=405)
