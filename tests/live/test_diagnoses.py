"""Each way to fail, provoked on the cluster; what is told of it is its golden text.

They fail at the same time, in small jobs of their own, and leave nothing. `make diagnoses` writes
the golden files anew.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flowrex.consul import ConsulClient
from flowrex.consul.acl import ConsulAcl
from flowrex.errors import FlowrexError
from flowrex.nomad import Allocation, NomadClient
from flowrex.secret import Secret
from flowrex.vault import VaultClient
from generator import diagnose
from generator.bootstrap.consul_auth import METHOD
from generator.deploy import Step, deploy, follow_service
from generator.plan import plan_job
from generator.render import RenderedJob
from generator.watch import Watch
from tests.cluster import Cluster, eventually
from tests.diagnoses.fixture import GOLDEN
from tests.diagnoses.kinds import KINDS
from tests.diagnoses.recorder import Recorder
from tests.diagnoses.spec import ARTIFACTS, PORT, RIGHTS, Kind

UPDATE = bool(os.environ.get("FLOWREX_UPDATE_GOLDEN"))
_AT_ONCE = 24
_LOGIN = "auth/jwt-nomad"
_POLICY = f"""
path "kv/data/flowrex/{RIGHTS}*" {{
  capabilities = ["read"]
}}
path "auth/token/lookup-self" {{
  capabilities = ["read"]
}}
path "auth/token/renew-self" {{
  capabilities = ["update"]
}}
path "auth/token/revoke-self" {{
  capabilities = ["update"]
}}
"""


class Failures:
    """The cluster, and how a job fails on it."""

    def __init__(self, cluster: Cluster, artifacts: str) -> None:
        self.cluster, self.artifacts = cluster, artifacts
        self.admin = self.nomad("management")

    def nomad(self, role: str) -> NomadClient:
        token = Secret(self.cluster.token("nomad", role))
        return NomadClient(f"http://127.0.0.1:{self.cluster.base + 46}", token)

    def consul(self, role: str = "operator") -> ConsulClient:
        token = Secret(self.cluster.token("consul", role))
        return ConsulClient(f"http://127.0.0.1:{self.cluster.base + 50}", token)

    def vault(self, role: str = "operator") -> VaultClient:
        token = Secret(self.cluster.token("vault", role))
        return VaultClient(f"http://127.0.0.1:{self.cluster.base + 82}", token)

    def told(self, kind: Kind, listeners: dict[str, Recorder]) -> str:
        """Let a job fail, and return what a person is told, as it is in every run."""
        nomad = self.nomad("management" if kind.management else "operator")
        consul = self.consul()
        listener = listeners[kind.job] = Recorder(nomad, consul)
        watch = Watch(
            "dev", nomad, consul, deadline_s=150, placement_s=4, step_s=1, vault=self.vault()
        )
        if kind.before is not None:
            self._deploy(watch, kind, kind.before)
        try:
            self._deploy(watch, kind, kind.hcl)
            if kind.promote is not None:
                self._promote(watch, kind)
        except FlowrexError as error:
            text = listener.scrubber().text(error.as_text()) + "\n"
        else:
            raise AssertionError(f"{kind.name} did not fail")
        if UPDATE:
            listener.write(kind.job, GOLDEN / f"{kind.name}.json")
            (GOLDEN / f"{kind.name}.txt").write_text(text)
        return text

    def _deploy(self, watch: Watch, kind: Kind, hcl: str) -> None:
        hcl = hcl.replace("@job@", kind.job).replace(ARTIFACTS, self.artifacts)
        hcl = hcl.replace(PORT, str(self.cluster.base + 990))
        digest = hashlib.sha256(hcl.encode()).hexdigest()
        spec = RenderedJob(kind.job, "batch" if kind.batch else "service", hcl, digest)
        plan = plan_job(watch.nomad, spec)
        step = Step(spec, plan.index, plan.version, plan.action)
        deploy(watch, step, promote=kind.promote is None)

    def _promote(self, watch: Watch, kind: Kind) -> None:
        """Promote the canary once it is dead, as a person who does not know that would."""
        eventually(
            lambda: any(one.client_status == "failed" for one in self._allocations(kind)),
            within=60,
            what="the canary's end",
        )
        current = watch.nomad.jobs.get(kind.job)
        short = replace(watch, deadline_s=kind.promote or 0)
        follow_service(short, current, None, previous=0, promote=True)

    def _allocations(self, kind: Kind) -> list[Allocation]:
        return self.admin.allocations.of_job(kind.job)


class Artifacts(BaseHTTPRequestHandler):
    """Has what is there, and nothing else."""

    def do_GET(self) -> None:
        body = b"no archive" if self.path.startswith("/there") else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def rights(failures: Failures) -> Iterator[None]:
    """Give the failing jobs a role in Vault and in Consul, and a pool without nodes."""
    vault, consul = failures.vault("management"), failures.consul("management")
    acl = ConsulAcl(consul)
    try:
        vault.write(f"sys/policies/acl/{RIGHTS}", {"policy": _POLICY})
        vault.write(f"{_LOGIN}/role/{RIGHTS}", _role())
        vault.write(f"kv/data/flowrex/{RIGHTS}", {"data": {"user": "nobody"}})
        acl.put_policy(RIGHTS, f'key_prefix "flowrex/{RIGHTS}/" {{ policy = "read" }}', RIGHTS)
        acl.put_role(RIGHTS, (RIGHTS,), RIGHTS)
        acl.put_binding_rule(METHOD, _rule(), None)
        failures.admin.transport.put(f"node/pool/{RIGHTS}", {"Name": RIGHTS})
        yield
    finally:
        vault.delete(f"{_LOGIN}/role/{RIGHTS}")
        vault.delete(f"sys/policies/acl/{RIGHTS}")
        vault.delete(f"kv/metadata/flowrex/{RIGHTS}")
        for rule in acl.binding_rules(METHOD):
            if rule["BindName"] == RIGHTS:
                acl.delete_binding_rule(rule["ID"])
        for what, found in (("role", acl.role(RIGHTS)), ("policy", acl.policy(RIGHTS))):
            if found:
                consul.request("DELETE", f"/v1/acl/{what}/{found['ID']}")
        failures.admin.transport.send("DELETE", f"node/pool/{RIGHTS}")


def _role() -> dict[str, Any]:
    return {
        "role_type": "jwt",
        "bound_audiences": ["vault.io"],
        "user_claim": "/nomad_job_id",
        "user_claim_json_pointer": True,
        "claim_mappings": {"nomad_job_id": "nomad_job_id"},
        "token_policies": [RIGHTS],
        "token_no_default_policy": True,
        "token_period": 600,
    }


def _rule() -> dict[str, str]:
    (job,) = (kind.job for kind in KINDS if kind.name == "consul_key")
    selector = f'"nomad_service" not in value and value.nomad_job_id == "{job}"'
    return {
        "Description": RIGHTS,
        "BindType": "role",
        "BindName": RIGHTS,
        "Selector": selector,
    }


@pytest.fixture(scope="module")
def told(cluster: Cluster) -> Iterator[dict[str, str]]:
    """What is told of each kind."""
    listeners: dict[str, Recorder] = {}
    explain = diagnose.explain

    def overheard(facts: Any, environment: str, *, cause: str | None = None) -> Any:
        listeners[facts.job].facts, listeners[facts.job].cause = facts, cause
        return explain(facts, environment, cause=cause)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Artifacts)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failures = Failures(cluster, f"http://127.0.0.1:{server.server_port}")
    try:
        with rights(failures), pytest.MonkeyPatch.context() as patch:
            patch.setattr(diagnose, "explain", overheard)
            try:
                with ThreadPoolExecutor(_AT_ONCE) as threads:
                    runs = {
                        kind: threads.submit(_told, failures, kind, listeners) for kind in KINDS
                    }
                yield {kind.name: run.result() for kind, run in runs.items()}
            finally:
                _purge(failures.admin)
    finally:
        server.shutdown()


def _told(failures: Failures, kind: Kind, listeners: dict[str, Recorder]) -> str:
    try:
        return failures.told(kind, listeners)
    except Exception as error:  # the others are looked at all the same
        return repr(error)


def _purge(admin: NomadClient) -> None:
    for kind in KINDS:
        with suppress(FlowrexError):
            admin.jobs.stop(kind.job, purge=True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_failure_is_explained_as_it_is_kept(kind: Kind, told: dict[str, str]) -> None:
    assert told[kind.name] == (GOLDEN / f"{kind.name}.txt").read_text()
