"""Rendering: values by settings, mistakes by file and line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import hcl2
import pytest

from flowrex.errors import RenderError, UsageError
from generator.environment import load
from generator.render import render_jobs, select

ROOT = Path(__file__).parents[4]
AGENT = ("agent.enabled=true", f"agent.checksum={'1' * 64}")
NOWHERE = {"FLOWREX_DEV_DIR": "/nonexistent"}
WATCHING = [
    "node-exporter",
    "postgres-exporter",
    "redis-exporter",
    "nginx-exporter",
    "alertmanager",
    "prometheus",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("jobs", "consul-templates"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def render(project: Path, environment: str = "prod", *overrides: str) -> dict[str, str]:
    settings = load(project, environment, overrides=overrides, environ=NOWHERE)
    return {job.name: job.hcl for job in render_jobs(settings, project)}


def test_jobs_come_in_the_order_in_which_they_are_deployed(project: Path) -> None:
    assert list(render(project)) == [
        "migrate",
        "backend",
        "worker",
        "frontend",
        "nginx",
        "retention",
        *WATCHING,
    ]
    chosen = select(load(project, "prod"), ["nginx", "migrate"])
    assert [job.name for job in chosen] == ["migrate", "nginx"]


def test_an_unknown_job_is_refused(project: Path) -> None:
    with pytest.raises(UsageError, match="'front'"):
        select(load(project, "prod"), ["front"])


def test_an_optional_job_is_there_where_it_is_switched_on(project: Path) -> None:
    assert list(render(project, "prod", *AGENT)) == [*render(project), "agent"]


def test_an_optional_job_that_is_off_is_refused_and_its_switch_named(project: Path) -> None:
    with pytest.raises(UsageError, match="the job agent is switched off in prod") as caught:
        select(load(project, "prod"), ["agent"])
    assert "agent.enabled: true in jobs/environments/prod.yaml" in str(caught.value.hint)


@pytest.mark.parametrize("name", WATCHING)
def test_each_job_that_watches_can_be_switched_off(project: Path, name: str) -> None:
    switch = f"{name.replace('-', '_')}.enabled=false"
    assert list(render(project, "prod", switch)) == [one for one in render(project) if one != name]


def test_a_setting_that_no_one_declared_is_an_error_with_its_line(project: Path) -> None:
    template = project / "jobs" / "backend.nomad.hcl.j2"
    lines = template.read_text().splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "backend.count" in text)
    lines[line - 1] = "    count = [[ backend.cuont ]]"
    template.write_text("\n".join(lines))
    with pytest.raises(RenderError, match="cuont") as caught:
        render(project)
    assert str(caught.value.path) == "jobs/backend.nomad.hcl.j2"
    assert caught.value.line == line


def test_a_syntax_error_is_an_error_with_its_line(project: Path) -> None:
    (project / "jobs" / "migrate.nomad.hcl.j2").write_text("a\n[% if %]\n")
    with pytest.raises(RenderError) as caught:
        render(project)
    assert str(caught.value).startswith("jobs/migrate.nomad.hcl.j2:2: ")


def test_a_local_environment_without_a_build_says_how_to_make_one(project: Path) -> None:
    with pytest.raises(RenderError, match=r"release\.checksum") as caught:
        render(project, "dev")
    assert "flowrexctl build --version 0.1.0" in str(caught.value.hint)


def test_the_builds_manifest_gives_the_checksum(project: Path) -> None:
    (project / "dist").mkdir()
    manifest = project / "dist" / "flowrex-app-0.1.0.json"
    manifest.write_text('{"sha256": "%s"}' % ("ab" * 32))
    pages = manifest.with_name("flowrex-frontend-0.1.0.json")
    pages.write_text('{"sha256": "%s"}' % ("cd" * 32))
    assert f"sha256:{'ab' * 32}" in render(project, "dev")["backend"]
    assert f"sha256:{'cd' * 32}" in render(project, "dev")["frontend"]


def test_without_a_frontend_the_entry_has_no_pages(project: Path) -> None:
    jobs = render(project, "prod", "frontend.enabled=false")
    assert list(jobs) == [one for one in render(project) if one != "frontend"]
    assert 'FLOWREX_NGINX_FRONTEND           = "off"' in jobs["nginx"]
    assert 'FLOWREX_NGINX_FRONTEND           = "on"' in render(project)["nginx"]


def test_the_frontend_has_no_login_to_anything(project: Path) -> None:
    job = hcl2.loads(render(project)["frontend"])["job"][0]['"frontend"']
    (task,) = job["group"][0]['"frontend"']["task"]
    assert not {"vault", "consul", "identity", "template"} & set(task['"frontend"'])


def test_a_digest_pins_the_image(project: Path) -> None:
    digest = f"sha256:{'1' * 64}"
    for job in ("backend", "worker", "migrate"):
        hcl = render(project, "prod", f"release.digests.app={digest}")[job]
        assert f"/flowrex-app:0.1.0@{digest}" in hcl


def images(project: Path, registry: str) -> None:
    (project / "dist").mkdir()
    built = {"app": {"digest": f"sha256:{'2' * 64}"}, "nginx": {"digest": f"sha256:{'4' * 64}"}}
    document = {"registry": registry, "images": built}
    (project / "dist" / "flowrex-images-0.1.0.json").write_text(json.dumps(document))


def test_the_manifest_of_the_images_gives_their_digests(project: Path) -> None:
    images(project, "registry.flowrex.app")
    jobs = render(project)
    assert f"/flowrex-app:0.1.0@sha256:{'2' * 64}" in jobs["backend"]
    assert '/flowrex-nginx:0.1.0"' in jobs["nginx"]
    own = render(project, "prod", f"release.digests.app=sha256:{'3' * 64}")
    assert f"@sha256:{'3' * 64}" in own["backend"]


@pytest.mark.parametrize("driver", ["docker", "exec", "raw_exec"])
def test_a_release_leaves_the_entry_as_it_is(project: Path, driver: str) -> None:
    images(project, "registry.flowrex.app")
    built = [f"{section}.checksum={'0' * 64}" for section in ("release", "frontend")]
    words = (f"platform.driver={driver}", *built)
    before = render(project, "prod", *words)
    after = render(project, "prod", *words, "release.version=0.2.0")
    assert before["backend"] != after["backend"]
    assert before["nginx"] == after["nginx"]
    other = render(project, "prod", *words, "nginx.image_version=0.2.0")
    assert (other["nginx"] != before["nginx"]) is (driver == "docker")


def test_images_of_another_registry_are_not_taken(project: Path) -> None:
    images(project, "registry.example")
    assert '/flowrex-app:0.1.0"' in render(project)["backend"]


DRIVERS = {"docker": 1000, "exec": 65534, "raw_exec": None}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_tasks_secrets_belong_to_the_user_that_it_runs_as(project: Path, driver: str) -> None:
    built = [f"{section}.checksum={'0' * 64}" for section in ("release", "frontend")]
    owner = DRIVERS[driver]
    for job in ("backend", "worker", "migrate", "nginx"):
        hcl = render(project, "prod", f"platform.driver={driver}", *built)[job]
        written = hcl.count("      template {")
        assert hcl.count('perms                = "600"') == written
        assert hcl.count(f"uid                  = {owner}") == (written if owner else 0)


def test_every_task_keeps_as_many_logs_as_the_environment_says(project: Path) -> None:
    jobs = render(project, "prod", "platform.log_files=7", *AGENT)
    for hcl in jobs.values():
        assert hcl.count("max_files     = 7") == hcl.count("    task ")


def test_every_container_can_do_no_more_than_it_must(project: Path) -> None:
    for hcl in render(project).values():
        assert hcl.count('cap_drop        = ["all"]') == hcl.count('driver       = "docker"')
        assert hcl.count("readonly_rootfs = true") == hcl.count('driver       = "docker"')


def test_a_container_in_the_nodes_own_network_listens_where_nomad_says(project: Path) -> None:
    hcl = render(project, "prod", "platform.container.network=host")["backend"]
    assert 'network_mode    = "host"' in hcl
    assert "${NOMAD_IP_http}:${NOMAD_PORT_http}" in hcl
    assert "to = 8000" not in hcl


def test_the_limit_of_open_files_can_be_left_to_what_runs_containers(project: Path) -> None:
    assert 'nofile = "65536:65536"' in render(project)["nginx"]
    assert "nofile" not in render(project, "prod", "platform.container.open_files=0")["nginx"]


@pytest.mark.parametrize("value", ['x"\n}\n', "${NOMAD_TASK_DIR}", "%{x}", "é\u2028"])
def test_a_value_stays_in_its_string(project: Path, value: str) -> None:
    hcl = render(project, "prod", f"backend.env.LOG_LEVEL={value}")["backend"]
    job = hcl2.loads(hcl)["job"][0]['"backend"']
    plain = hcl2.loads(render(project)["backend"])["job"][0]['"backend"']
    env = job["group"][0]['"backend"']["task"][0]['"backend"']["env"][0]
    assert list(env) == list(plain["group"][0]['"backend"']["task"][0]['"backend"']["env"][0])
    assert list(job) == list(plain)


def test_an_environments_own_variable_wins_and_stands_once(project: Path) -> None:
    hcl = render(project, "prod", "backend.env.FLOWREX_WORKERS=9")["backend"]
    assert hcl.count("FLOWREX_WORKERS ") == 1
    assert 'FLOWREX_WORKERS                 = "9"' in hcl


def test_compiled_templates_are_kept_beside_the_source_and_follow_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    template = project / "jobs" / "migrate.nomad.hcl.j2"
    settings = load(project, "prod")
    before = render_jobs(settings, project, ["migrate"])
    assert list((project / "jobs" / "__pycache__").iterdir())
    assert render_jobs(settings, project, ["migrate"]) == before
    template.write_text(template.read_text() + "# changed\n")
    assert render_jobs(settings, project, ["migrate"])[0].hcl == before[0].hcl + "# changed\n"


def test_templates_that_can_not_be_kept_compiled_are_rendered_all_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (project / "jobs" / "__pycache__").write_text("no folder")
    assert render_jobs(load(project, "prod"), project, ["migrate"])
