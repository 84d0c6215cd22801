"""Signs identities as Nomad does, with a key of the tests' own."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from flowrex.secret import Secret

KEY_ID = "of-the-tests"


@dataclass(frozen=True)
class Signer:
    """A key, and the address at which its public half is served.

    Attributes:
        key: the private key's file.
        jwks_url: where servers fetch the public key.
    """

    key: Path
    jwks_url: str

    def identity(self, audience: str, job: str, **claims: str) -> Secret:
        """Return what Nomad would give to a task of `job`."""
        now = int(time.time())
        body = {
            "aud": audience,
            "sub": f"global:default:{job}:{job}:{job}",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "jti": str(uuid.uuid4()),
            "nomad_namespace": "default",
            "nomad_job_id": job,
            "nomad_allocation_id": str(uuid.uuid4()),
            **({} if "nomad_service" in claims else {"nomad_task": job}),
            **claims,
        }
        head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (head, body))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.key],
            input=text.encode(),
            capture_output=True,
            check=True,
        ).stdout
        return Secret(f"{text}.{_encoded(signature)}")


@contextmanager
def signer(folder: Path) -> Iterator[Signer]:
    """Make a key and serve its public half on loopback."""
    key = folder / "key.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-out", key], capture_output=True, check=True
    )
    modulus = subprocess.run(
        ["openssl", "rsa", "-in", key, "-noout", "-modulus"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    number = bytes.fromhex(modulus.removeprefix("Modulus="))
    public = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "e": "AQAB"}
    document = json.dumps({"keys": [{**public, "n": _encoded(number)}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Signer(key, f"http://127.0.0.1:{server.server_port}/jwks.json")
    finally:
        server.shutdown()
        server.server_close()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
