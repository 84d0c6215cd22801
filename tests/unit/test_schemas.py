"""What `--json` prints is published: a schema for each verb, and no document beside its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flowrex.errors import LockHeld
from tests import schemas

NAMES = sorted(schemas.published())
# They print a document a line; how it ends is not known yet then.
STREAMS = {"logs", "watch-release", "audit search", "audit quarantine"}


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a schema."""
    if isinstance(schema, dict):
        yield schema
        for one in schema.values():
            yield from subschemas(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from subschemas(one)


def test_there_is_one_for_each_verb_and_no_other() -> None:
    expected = {schemas.name_of(verb) for verb in schemas.verbs()}
    assert set(NAMES) == expected | {schemas.ERROR, schemas.PARTS}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_schema_and_named_as_its_file(name: str) -> None:
    schema = schemas.published()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == f"{name}.schema.json"
    assert schema["description"]


@pytest.mark.parametrize("verb", schemas.verbs())
def test_its_title_is_the_command(verb: str) -> None:
    assert schemas.published()[schemas.name_of(verb)]["title"] == f"flowrexctl {verb}"


@pytest.mark.parametrize("verb", schemas.verbs())
def test_a_document_is_an_object_and_tells_the_exit_status(verb: str) -> None:
    schema = schemas.published()[schemas.name_of(verb)]
    for one in schema.get("oneOf", [schema]):
        assert one["type"] == "object"
        in_a_stream = verb in STREAMS or "--follow" in one["description"]
        assert ("exit_status" in one.get("required", ())) is not in_a_stream


@pytest.mark.parametrize("name", NAMES)
def test_it_requires_nothing_that_it_does_not_describe(name: str) -> None:
    for one in subschemas(schemas.published()[name]):
        if one.get("type") == "object" and "required" in one:
            assert set(one["required"]) <= set(one["properties"]), one


def test_every_reference_leads_to_a_part_and_every_part_is_referred_to() -> None:
    parts = schemas.published()[schemas.PARTS]["$defs"]
    named = {
        one["$ref"].rpartition("#/$defs/")[2]
        for name in NAMES
        for one in subschemas(schemas.published()[name])
        if "$ref" in one
    }
    assert named == set(parts)


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (("status", "dev"), "status"),
        (("dev", "status"), "dev status"),
        (("releases", "show", "dev", "1.0.0"), "releases show"),
        (("releases", "dev"), "releases list"),
    ],
)
def test_a_command_line_names_its_verb(words: tuple[str, ...], verb: str) -> None:
    assert schemas.verb_of(words) == verb


def test_a_field_that_no_schema_has_is_wrong() -> None:
    document = {"environment": "dev", "exit_status": 0, "jobs": []}
    assert schemas.wrong_of(document, ("promote", "dev")) is None
    said = schemas.wrong_of({**document, "more": 1}, ("promote", "dev"))
    assert said is not None
    assert "'more'" in said


def test_a_field_that_is_missing_is_wrong() -> None:
    said = schemas.wrong_of({"environment": "dev", "jobs": []}, ("promote", "dev"))
    assert said is not None
    assert "'exit_status'" in said


def test_an_error_is_judged_as_one_whatever_the_verb() -> None:
    document = LockHeld("somebody is at it").as_document()
    assert schemas.wrong_of(json.loads(json.dumps(document)), ("promote", "dev")) is None
    assert schemas.wrong_of({**document, "jobs": []}, ("promote", "dev")) is not None
