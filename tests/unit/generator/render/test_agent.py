"""The agent's job: what is laid over its configuration, and what it never says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flowrex.errors import RenderError
from generator.environment import load
from generator.lint import lint
from generator.render import render_jobs
from generator.render.agent import configuration

ROOT = Path(__file__).parents[4]
ON = ("agent.enabled=true", f"agent.checksum={'1' * 64}")


def said(*overrides: str) -> dict[str, object]:
    text = configuration(load(ROOT, "prod", overrides=(*ON, *overrides)))
    document: dict[str, object] = yaml.safe_load(text)
    return document


def hcl(*overrides: str) -> str:
    (job,) = render_jobs(load(ROOT, "prod", overrides=(*ON, *overrides)), ROOT, ["agent"])
    assert lint(job) == []
    return job.hcl


def test_a_node_is_named_by_nomad_when_the_task_starts() -> None:
    assert said()["node"] == '{{ env "node.unique.name" }}'


def test_it_logs_in_as_its_job_and_names_no_secret() -> None:
    vault = said()["vault"]
    assert isinstance(vault, dict)
    assert (vault["login"], vault["login_mount"], vault["role"]) == ("jwt", "jwt-nomad", "agent")


def test_what_an_environment_adds_is_laid_over_it_key_by_key() -> None:
    added = "{node: other, s3: {ca_file: /etc/ca.pem}, backup: {enabled: true}}"
    found = said(f"agent.settings={added}")
    assert (found["node"], found["backup"]) == ("other", {"enabled": True})
    s3 = found["s3"]
    assert isinstance(s3, dict)
    assert (s3["ca_file"], s3["logs_bucket"]) == ("/etc/ca.pem", "flowrex-logs")


@pytest.mark.parametrize(
    ("written", "problem"), [("backup: {", "not valid YAML"), ("[1]", "by name")]
)
def test_what_is_no_settings_is_refused(written: str, problem: str) -> None:
    with pytest.raises(RenderError, match=problem):
        said(f"agent.settings={written}")


def test_the_process_has_longer_to_stop_than_its_tasks() -> None:
    text = hcl("agent.stop_seconds=40")
    assert 'kill_timeout = "45s"' in text
    assert "stop_within: 40s" in text


def test_without_a_build_it_says_how_to_make_one() -> None:
    with pytest.raises(RenderError, match=r"agent\.checksum") as caught:
        settings = load(ROOT, "prod", overrides=["agent.enabled=true", "agent.version=9.9.9"])
        render_jobs(settings, ROOT, ["agent"])
    assert "flowrexctl build --agent --version 9.9.9" in str(caught.value.hint)


def test_it_may_be_kept_on_the_nodes_that_are_marked_or_run_on_all() -> None:
    assert "meta.agent" in hcl()
    assert "meta.agent" not in hcl("agent.marked_only=false")
