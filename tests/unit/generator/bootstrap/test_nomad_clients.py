"""Whether what runs on a client outlives an outage is told, client by client."""

from __future__ import annotations

from typing import Any, cast

from flowrex.nomad import NomadClient
from flowrex.testing.nomad import FakeNomad
from generator.bootstrap import nomad_clients
from generator.bootstrap.report import Report, State, report

FOREVER = {"Attempts": 0, "Backoff": 250000000}


def told(nomad: FakeNomad) -> Report:
    return report(nomad_clients.steps(cast(NomadClient, nomad)))


def templates(**retries: Any) -> dict[str, Any]:
    return {"TemplateConfig": retries}


def test_one_whose_templates_never_give_up_is_as_it_should_be() -> None:
    nomad = FakeNomad()
    nomad.nodes.configured = templates(ConsulRetry=FOREVER, VaultRetry=FOREVER, NomadRetry=FOREVER)
    assert [step.state for step in told(nomad).steps] == [State.PRESENT]


def test_nomads_default_is_told_with_the_lines_that_help() -> None:
    (step,) = told(FakeNomad()).lacking
    assert step.name == "nomad client n1 templates"
    assert "consul_retry { attempts = 0 } vault_retry { attempts = 0 }" in step.detail


def test_only_what_is_missing_is_told() -> None:
    nomad = FakeNomad()
    nomad.nodes.configured = templates(ConsulRetry=FOREVER, NomadRetry=FOREVER)
    (step,) = told(nomad).lacking
    assert step.detail.endswith("`template { vault_retry { attempts = 0 } }`")


def test_a_client_that_does_not_answer_is_unknown_and_stops_nothing() -> None:
    nomad = FakeNomad()
    nomad.nodes.configured = None
    found = told(nomad)
    (step,) = found.unknown
    assert "does not answer" in step.detail
    assert found.complete
