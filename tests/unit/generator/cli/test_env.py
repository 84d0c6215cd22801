"""`flowrexctl env` on the project's own environments."""

from __future__ import annotations

import json

import pytest

from tests.unit.generator.cli.test_edge import run


def test_a_setting_is_shown_with_its_value_and_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, "env", "show", "prod", "backend.count")
    assert status == 0
    path, value, place = out.splitlines()[1].split()
    assert (path, value) == ("backend.count", "5")
    assert place.startswith("jobs/environments/")


def test_what_base_says_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "env", "show", "prod", "--own", "--json")
    places = {one["file"] for one in json.loads(out)["settings"].values()}
    assert places == {"jobs/environments/prod.yaml"}


def test_an_override_is_a_layer_like_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("env", "show", "prod", "--set", "backend.count=7", "backend.count", "--json")
    _, out, _ = run(capsys, *words)
    assert json.loads(out)["settings"] == {
        "backend.count": {"value": 7, "file": "--set backend.count", "line": 0}
    }


def test_a_mistake_in_the_environment_is_an_error_also_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _, err = run(capsys, "env", "show", "prod", "--set", "backend.count=many")
    assert status == 3
    assert "backend.count is 'many'; expected a whole number" in err


def test_an_unknown_path_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "env", "diff", "staging", "prod", "backend.cuont")
    assert status == 2
    assert "Did you mean 'backend.count'?" in err


def test_two_environments_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "env", "diff", "staging", "prod", "backend", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["environments"] == ["staging", "prod"]
    assert found["differences"]["backend.count"] == [2, 5]
    assert all(path.startswith("backend.") for path in found["differences"])


def test_a_difference_can_be_an_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("env", "diff", "staging", "prod", "--detailed-exitcode")
    assert run(capsys, *words)[0] == 1
    assert run(capsys, *words, "platform.driver")[0] == 0
    assert run(capsys, "env", "diff", "prod", "prod")[1] == "prod and prod are alike.\n"
    assert run(capsys, "env", "diff", "prod", "other", "--detailed-exitcode")[0] == 3
