"""The entry's template, rendered by the real consul-template and run by the real nginx."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.cluster import ROOT, eventually
from tests.contract import kept, own
from tests.serving import certificate

TEMPLATE = ROOT / "consul-templates" / "entry.conf.ctmpl"
INSIDE, OUTSIDE = "127.0.0.2", "127.0.0.3"
# Beyond what the template offers.
OLD_CIPHER = "ECDHE-ECDSA-AES128-SHA256"
SLOW_S = 2.0


class Behind(BaseHTTPRequestHandler):
    """The nginx behind: answers with what it was told of the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(SLOW_S)
        body = json.dumps({"path": self.path, **dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "the entry"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Sockets(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server at a socket, a thread a connection."""

    daemon_threads = True


@dataclass(frozen=True)
class Entry:
    """A running entry.

    Attributes:
        port: without TLS.
        tls: with it.
        secrets: the folder that holds its certificate and key.
        pid: the file with its process id.
    """

    port: int
    tls: int
    secrets: Path
    pid: Path

    def plainly(self, path: str, address: str = INSIDE) -> http.client.HTTPResponse:
        """Ask without TLS, from one of this machine's addresses."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=10, source_address=(address, 0)
        )
        return answered(connection, path)

    def securely(self, path: str, address: str = OUTSIDE) -> http.client.HTTPResponse:
        """Ask with TLS, trusting the certificate that stands in the file now."""
        context = ssl.create_default_context(cafile=str(self.secrets / "entry.pem"))
        connection = http.client.HTTPSConnection(
            "localhost", self.tls, timeout=10, context=context, source_address=(address, 0)
        )
        return answered(connection, path)

    def hello(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Shake hands, and return the connection."""
        plain = socket.create_connection(("127.0.0.1", self.tls), timeout=10)
        try:
            return context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def reload(self) -> None:
        os.kill(int(self.pid.read_text()), signal.SIGHUP)

    def shown(self) -> str:
        """Return the certificate that a new client gets."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.hello(context) as secure:
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def answered(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def give(secrets: Path, folder: Path) -> str:
    """Write a new certificate and its key where the entry reads them."""
    pem, key = certificate(folder)
    (secrets / "entry.pem").write_text(pem.read_text() + "\n" + key.read_text())
    return pem.read_text()


@contextmanager
def running(folder: Path, *, tls: bool, hsts: int = 300) -> Iterator[Entry]:
    task, secrets, alloc = (folder / name for name in ("task", "secrets", "alloc"))
    for one in (task, secrets, alloc):
        one.mkdir()
    for one in (folder, *folder.parents):
        if one.is_relative_to("/tmp") and one != Path("/tmp"):
            one.chmod(0o755)  # its workers are another user's
    give(secrets, folder)
    port, tls_port = own.free_ports(2)
    settings = {"PORT": str(port), "WORKER_CONNECTIONS": "64", "READ_TIMEOUT": "5s"}
    if tls:
        settings |= {"TLS_PORT": str(tls_port), "TLS_PUBLIC_PORT": "8443"}
        settings |= {"PLAIN_ALLOW": f"10.0.0.0/8 {INSIDE}/32", "HSTS_SECONDS": str(hsts)}
    subprocess.run(
        [own.program("consul-template"), "-once", f"-template={TEMPLATE}:{task / 'nginx.conf'}"],
        env={
            "PATH": os.environ["PATH"],
            "NOMAD_TASK_DIR": str(task),
            "NOMAD_SECRETS_DIR": str(secrets),
            **{f"FLOWREX_NGINX_{name}": value for name, value in settings.items()},
        },
        check=True,
        timeout=30,
    )
    with Sockets(str(alloc / "nginx.sock"), Behind) as behind:
        (alloc / "nginx.sock").chmod(0o777)
        threading.Thread(target=behind.serve_forever, daemon=True).start()
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        command = [program, "-e", "stderr", "-c", str(task / "nginx.conf"), "-g", "daemon off;"]
        with own.running(command, task):
            entry = Entry(port, tls_port, secrets, task / "entry.pid")
            eventually(lambda: answers(entry.port), what="the entry")
            yield entry
        behind.shutdown()


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    with running(tmp_path_factory.mktemp("entry"), tls=True) as found:
        yield found


def client(least: ssl.TLSVersion, most: ssl.TLSVersion, ciphers: str = "ALL") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # This machine's own rules are stricter; what is tried here is what the entry refuses.
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = least, most
    return context


def test_it_answers_by_tls_and_says_so_behind(entry: Entry) -> None:
    answer = entry.securely("/api/v1/instruments?limit=1")
    told = json.loads(answer.body)  # type: ignore[attr-defined]
    assert (answer.status, told["path"]) == (200, "/api/v1/instruments?limit=1")
    assert (told["X-Forwarded-Proto"], told["X-Real-IP"]) == ("https", OUTSIDE)


def test_browsers_are_told_to_come_by_tls(entry: Entry) -> None:
    said = entry.securely("/").headers["Strict-Transport-Security"]
    assert said == "max-age=300; includeSubDomains"
    assert entry.plainly("/").headers["Strict-Transport-Security"] is None


def test_it_may_say_nothing_of_that(tmp_path: Path) -> None:
    with running(tmp_path, tls=True, hsts=0) as entry:
        assert entry.securely("/").headers["Strict-Transport-Security"] is None


def test_it_speaks_http_2(entry: Entry) -> None:
    context = client(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with entry.hello(context) as secure:
        assert secure.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_speaks_tls(entry: Entry, version: ssl.TLSVersion) -> None:
    with entry.hello(client(version, version)) as secure:
        assert secure.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_it_speaks_no_older_one(entry: Entry, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|protocol version"):
        entry.hello(client(version, version))


def test_it_speaks_no_cipher_without_authenticated_encryption(entry: Entry) -> None:
    only = client(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, OLD_CIPHER)
    with pytest.raises(ssl.SSLError, match=r"HANDSHAKE_FAILURE|handshake failure"):
        entry.hello(only)


def test_whoever_comes_without_is_sent_to_it(entry: Entry) -> None:
    answer = entry.plainly("/orders?page=2", OUTSIDE)
    assert (answer.status, answer.headers["Location"]) == (
        308,
        "https://127.0.0.1:8443/orders?page=2",
    )


def test_those_inside_may_do_without(entry: Entry) -> None:
    assert entry.plainly("/metrics", INSIDE).status == 200


def test_its_health_may_be_asked_without(entry: Entry) -> None:
    assert entry.plainly("/nginx/health", OUTSIDE).status == 200
    assert entry.plainly("/nginx/health/more", OUTSIDE).status == 308


def test_a_new_certificate_is_shown_and_a_request_under_way_is_answered(
    entry: Entry, tmp_path: Path
) -> None:
    statuses: list[int] = []
    slow = threading.Thread(target=lambda: statuses.append(entry.securely("/slow").status))
    slow.start()
    time.sleep(0.5)
    new = give(entry.secrets, tmp_path)
    entry.reload()
    eventually(lambda: entry.shown().strip() == new.strip(), what="the new certificate")
    slow.join(timeout=20)
    assert statuses == [200]
    assert entry.securely("/").status == 200


def given(folder: Path, **fields: str) -> str:
    """Render the job's own template of the certificate, with what Vault has of it."""
    job = (ROOT / "tests/golden/prod/nginx.nomad.hcl").read_text()
    found = re.search(r"<<CERTIFICATE\n(.*?)\nCERTIFICATE", job, re.DOTALL)
    assert found
    template = {"contents": found[1], "destination": str(folder / "pem")}
    config = folder / "consul-template.json"
    config.write_text(json.dumps({"template": {**template, "error_on_missing_key": True}}))
    with kept.secret("kv/data/flowrex/nginx", **fields) as address:
        subprocess.run(
            [own.program("consul-template"), "-once", f"-config={config}", *kept.flags(address)],
            env={"PATH": os.environ["PATH"], "VAULT_TOKEN": "t"}, check=True, timeout=30,
        )  # fmt: skip
    return (folder / "pem").read_text()


def test_the_job_writes_both_into_one_file(tmp_path: Path) -> None:
    assert given(tmp_path, certificate="one", key="two").split() == ["one", "two"]


@pytest.mark.parametrize("fields", [{"certificate": "one"}, {"key": "two"}, {"crt": "x"}])
def test_a_field_that_is_missing_is_no_error_which_would_end_the_running_entry(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    known = [value for name, value in fields.items() if name != "crt"]
    assert given(tmp_path, **fields).split() == known


def test_one_that_cannot_be_read_leaves_the_old_one(entry: Entry) -> None:
    before, good = entry.shown(), (entry.secrets / "entry.pem").read_text()
    (entry.secrets / "entry.pem").write_text("no certificate\n")
    entry.reload()
    time.sleep(1)
    assert entry.shown() == before
    (entry.secrets / "entry.pem").write_text(good)
    assert entry.securely("/").status == 200


def test_without_tls_everybody_is_answered_plainly(tmp_path: Path) -> None:
    with running(tmp_path, tls=False) as entry:
        assert entry.plainly("/orders", OUTSIDE).status == 200
        assert not answers(entry.tls)
