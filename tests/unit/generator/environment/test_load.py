"""Environments: layers, checks, and mistakes that name file, line and the nearest name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.environment import Environment, load, names

ROOT = Path(__file__).parents[4]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    return tmp_path


def read(project: Path, name: str = "prod", *overrides: str) -> Environment:
    environ = {"FLOWREX_DEV_DIR": str(project / "cluster")}
    return load(project, name, overrides=overrides, environ=environ)


def write(project: Path, text: str) -> None:
    (project / "jobs" / "environments" / "prod.yaml").write_text(text)


def mistake(project: Path, *overrides: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read(project, "prod", *overrides)
    return caught.value


def test_every_environment_of_the_project_is_valid() -> None:
    for name in names(ROOT):
        assert load(ROOT, name, environ={"FLOWREX_DEV_DIR": "/nonexistent"}).name == name


def test_an_environments_file_lies_over_base(project: Path) -> None:
    write(project, "backend:\n  count: 7\n")
    assert read(project).backend.count == 7
    assert read(project).backend.canary == 1


def test_set_lies_over_everything(project: Path) -> None:
    assert read(project, "prod", "backend.count=9").backend.count == 9
    assert read(project, "prod", "backend.env.A=b=c").backend.env["A"] == "b=c"
    assert read(project, "prod", "platform.datacenters=[a, b]").platform.datacenters == ("a", "b")


def test_a_text_setting_takes_what_is_typed_as_it_stands(project: Path) -> None:
    assert read(project, "prod", "backend.env.A=true").backend.env["A"] == "true"
    assert read(project, "prod", "backend.env.A= 1").backend.env["A"] == " 1"


def test_null_takes_a_variable_of_a_lower_layer_away(project: Path) -> None:
    write(project, "backend:\n  env:\n    LOG_LEVEL: null\n")
    assert "LOG_LEVEL" not in read(project).backend.env


def test_a_local_cluster_says_where_its_servers_are(project: Path) -> None:
    (project / "cluster").mkdir()
    (project / "cluster" / "environment.yaml").write_text("nginx: {port: 24080}\n")
    assert read(project, "dev").nginx.port == 24080
    assert read(project, "dev", "nginx.port=1").nginx.port == 1
    assert read(project, "prod").nginx.port == 80


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("a:\n- b\n", 1, "unknown setting 'a'", "Known here"),
        ("\nbackend:\n  cuont: 1\n", 3, "unknown setting 'backend.cuont'", "backend.count"),
        ("backend:\n  count: many\n", 2, "backend.count is 'many'; expected a whole number", ""),
        ("backend:\n  count: -1\n", 2, "expected 0 or more", ""),
        ("nginx:\n  port: 99999\n", 2, "expected 1 to 65535", ""),
        ("backend: 3\n", 1, "backend is 3; expected settings by name", ""),
        ("backend:\n  health:\n    interval: 30\n", 3, "such as 30s", "quotes"),
        ("backend:\n  health:\n    interval: 30 s\n", 3, "'30 s'", ""),
        ("platform:\n  driver: podman\n", 2, "expected one of docker, exec, raw_exec", ""),
        ("platform:\n  local: 'no'\n", 2, "expected true or false", ""),
        ("platform:\n  datacenters: dc1\n", 2, "expected a list", ""),
        ("backend:\n  env:\n    A: 1\n", 3, "backend.env.A is 1; expected text", "quotes"),
        ("backend:\n  env:\n    A-B: x\n", 3, "'A-B' in backend.env is no name", ""),
        ("release:\n  version: '1'\n", 2, "release.version is '1'", ""),
        ("backend:\n  count: null\n", 2, "backend.count is empty", ""),
        ("backend:\n  count: 1\n  count: 2\n", 3, "a second time; the first is in line 2", ""),
        ("release:\n  version: 2026-13-45\n", 2, "'2026-13-45' can't be read", "quotes"),
        ("backend: [\n", 2, "not valid YAML", ""),
        ("backend:\n  [a]: 1\n", 2, "stands where a name is expected", "quotes"),
        ("{a: 1}: 1\n", 1, "stands where a name is expected", "quotes"),
        ("- a\n", 1, "expected settings by name", ""),
    ],
)
def test_a_mistake_names_its_place_and_what_was_expected(
    project: Path, text: str, line: int, said: str, hint: str
) -> None:
    write(project, text)
    error = mistake(project)
    assert str(error).startswith(f"jobs/environments/prod.yaml:{line}: ")
    assert said in str(error)
    assert hint in (error.hint or "")
    assert error.exit_status == 3


def test_an_empty_base_is_told_of_itself(project: Path) -> None:
    (project / "jobs" / "environments" / "base.yaml").write_text("# nothing\n")
    assert str(mistake(project)).startswith("jobs/environments/base.yaml: holds no setting")


def test_a_missing_setting_is_named(project: Path) -> None:
    base = project / "jobs" / "environments" / "base.yaml"
    base.write_text(base.read_text().replace("  canary: 1\n", ""))
    assert "setting 'backend.canary' is missing" in str(mistake(project))


@pytest.mark.parametrize(
    ("override", "said", "hint"),
    [
        ("backend.cuont=1", "no setting 'backend.cuont'", "backend.count"),
        ("backend=1", "'backend' is a section, and no setting", "below it, for example backend."),
        ("backend.health=1", "'backend.health' is a section", "backend.health."),
        ("backend.count", "has no '='", "PATH=VALUE"),
        ("backend.count=x", "--set backend.count: backend.count is 'x'", ""),
        ("backend.count=1.5", "expected a whole number", ""),
        ("platform.datacenters=[", "platform.datacenters is '['; expected a list", ""),
        ("backend.count={", "backend.count is '{'; expected a whole number", ""),
        ("backend.count=2026-13-45", "is '2026-13-45'; expected a whole number", ""),
    ],
)
def test_a_wrong_override_is_refused(project: Path, override: str, said: str, hint: str) -> None:
    error = mistake(project, override)
    assert said in str(error)
    assert hint in (error.hint or "")


def test_an_unknown_environment_is_refused_with_the_known_ones(project: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(project, "production")
    assert "dev, prod, staging" in str(caught.value.hint)


def test_a_file_that_is_no_manifest_is_refused(project: Path) -> None:
    (project / "dist").mkdir()
    (project / "dist" / "flowrex-app-0.1.0.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="no build manifest"):
        read(project, "dev")


def another(project: Path, name: str, text: str) -> None:
    (project / "jobs" / "environments" / f"{name}.yaml").write_text(text)


def test_an_environment_lies_over_the_one_that_it_extends(project: Path) -> None:
    write(project, "backend:\n  count: 7\nplatform:\n  datacenters: [a, b]\n")
    another(project, "prod-west", "extends: prod\nplatform:\n  region: west\n")
    found = read(project, "prod-west")
    assert (found.name, found.backend.count) == ("prod-west", 7)
    assert (found.platform.region, found.platform.datacenters) == ("west", ("a", "b"))
    assert read(project).platform.region == "global"


def test_a_mistake_is_told_where_it_was_written(project: Path) -> None:
    write(project, "backend:\n  cuont: 7\n")
    another(project, "prod-west", "extends: prod\n")
    with pytest.raises(ConfigurationError, match=r"prod\.yaml:2: .*cuont"):
        read(project, "prod-west")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("extends: production\n", "'production'; expected the name"),
        ("extends: base\n", "'base'; expected the name"),
        ("extends: [prod]\n", "extends is no text; expected the name of another environment$"),
        ("extends: prod-west\n", "leads back: prod-west → prod-west"),
    ],
)
def test_what_can_not_be_extended_is_refused_with_its_line(
    project: Path, text: str, says: str
) -> None:
    another(project, "prod-west", text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        read(project, "prod-west")
    assert "prod-west.yaml:1" in str(caught.value)


def test_a_node_class_for_a_job_that_there_is_not_is_refused(project: Path) -> None:
    write(project, "platform:\n  node_classes:\n    backnd: big\n")
    error = mistake(project)
    assert "prod.yaml:3: there is no job 'backnd'" in str(error)
    assert "backend" in (error.hint or "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("redis.host=", "redis.host is ''; expected a value of the form"),
        ("postgres.host=a b", "postgres.host is 'a b'; expected a value of the form"),
        ("deploy.deadline=0s", "deploy.deadline is '0s', no time at all; expected more than 0s"),
        ("prometheus.scrape_interval=0s", "no time at all"),
        ("backend.analysis.interval=0s", "no time at all"),
        ("nginx.read_timeout=0s", "no time at all"),
        ("preflight.public_urls.api=x", "preflight.public_urls.api is 'x', no address of a"),
    ],
)
def test_a_value_that_nothing_could_work_with_is_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(ROOT, "prod", overrides=(given,), environ={"FLOWREX_DEV_DIR": "/nonexistent"})
    assert said in str(caught.value)


@pytest.mark.parametrize("value", ["&a [*a]", "[" * 100_000])
def test_a_value_for_one_call_that_has_no_end_is_refused(project: Path, value: str) -> None:
    assert "--set platform.datacenters" in mistake(project, f"platform.datacenters={value}").message
