"""Job specs as the real programs read them."""

from __future__ import annotations

import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowrex.nomad import NomadClient
from flowrex.secret import Secret
from generator.render import quote
from tests.cluster import ROOT, Cluster

GOLDEN = sorted((ROOT / "tests" / "golden").rglob("*.hcl"))

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60).map(
    lambda value: unicodedata.normalize("NFC", value)
)


@pytest.fixture(scope="module")
def nomad(cluster: Cluster) -> NomadClient:
    token = Secret(cluster.token("nomad"))
    return NomadClient(f"http://127.0.0.1:{cluster.base + 46}", token)


@given(text)
@example('"\n}\njob "evil" {')
@example("$${x} $$${y} %{if} %%{z} \\ \\n ${")
@example("\u2028\u0085\x7f\ufeff\r\t")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nomad_reads_a_quoted_value_as_it_was(nomad: NomadClient, value: str) -> None:
    hcl = (
        'job "j" {\n group "g" {\n  task "t" {\n   driver = "raw_exec"\n   env {\n'
        f"    VALUE = {quote.quote(value)}\n   }}\n"
        f'   template {{\n    destination = "x"\n    data = {quote.heredoc(value)}\n   }}\n'
        "  }\n }\n}\n"
    )
    task = nomad.jobs.parse(hcl)["TaskGroups"][0]["Tasks"][0]
    assert task["Env"] == {"VALUE": value}
    data = task["Templates"][0]["EmbeddedTmpl"]
    assert data.removesuffix("\n") == value.removesuffix("\n")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_every_job_is_formatted_as_nomad_formats(cluster: Cluster, path: Path) -> None:
    (binary,) = (
        s["path"] for s in cluster.document("dev", "servers")["servers"] if s["name"] == "nomad"
    )
    done = subprocess.run([binary, "fmt", "-check", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, f"nomad fmt would change {path}"


@pytest.mark.parametrize("environment", ["staging", "prod", "prod-agent"])
def test_nomad_accepts_every_environments_jobs(nomad: NomadClient, environment: str) -> None:
    for path in (ROOT / "tests" / "golden" / environment).glob("*.hcl"):
        errors, _ = nomad.jobs.validate(nomad.jobs.parse(path.read_text()))
        assert not errors
