"""Errors carry what a person and a script need."""

from __future__ import annotations

import flowrex.errors as module
from flowrex.errors import ConfigurationError, FlowrexError, StalePlan

DOCUMENTED = {
    "FlowrexError": 1,
    "UsageError": 2,
    "ConfigurationError": 3,
    "RenderError": 3,
    "StalePlan": 4,
    "DeploymentFailed": 5,
    "ServerUnreachable": 6,
    "ServerRefused": 6,
    "PermissionRefused": 6,
    "NotFound": 6,
    "HardStop": 7,
    "LockHeld": 8,
    "CanaryWaiting": 9,
    "Declined": 130,
}


def errors() -> dict[str, type[FlowrexError]]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, FlowrexError)
    }


def test_every_error_has_its_documented_exit_status() -> None:
    assert {name: kind.exit_status for name, kind in errors().items()} == DOCUMENTED


def test_the_tree_at_the_top_of_the_module_shows_every_error() -> None:
    assert module.__doc__ is not None
    for name, status in DOCUMENTED.items():
        line = next(line for line in module.__doc__.splitlines() if f" {name} " in line)
        assert f" {status} " in line


def test_a_configuration_error_begins_with_its_place() -> None:
    assert str(ConfigurationError("is wrong", path="a.yaml", line=3)) == "a.yaml:3: is wrong"
    assert str(ConfigurationError("is wrong", path="a.yaml")) == "a.yaml: is wrong"
    assert str(ConfigurationError("is wrong")) == "is wrong"


def test_an_error_is_one_document_for_a_script() -> None:
    assert StalePlan("it moved", hint="plan again").as_document() == {
        "error": "StalePlan",
        "message": "it moved",
        "hint": "plan again",
        "exit_status": 4,
    }
