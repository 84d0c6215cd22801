"""The published schemas of what `--json` prints, and whether a document keeps to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from generator.cli import group

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"
PARTS, ERROR = "parts", "error"  # those that are of no verb
_PROGRAM = "flowrexctl"
_END = ".schema.json"


def verbs() -> list[str]:
    """Return the path of each verb that has --json, as `emergency status`."""
    return sorted(path for path, command in _walk("", group) if _prints_json(command))


def _prints_json(command: click.Command) -> bool:
    return any("--json" in one.opts for one in command.params)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _walk(f"{path} {name}".strip(), inner)


def name_of(verb: str) -> str:
    """Return the name of a verb's schema."""
    return verb.removeprefix(_PROGRAM).strip().replace(" ", "-")


@cache
def published() -> dict[str, Any]:
    """Return every schema, by name."""
    return {path.name.removesuffix(_END): json.loads(path.read_text()) for path in FOLDER.iterdir()}


@cache
def _registry() -> Registry[Any]:
    known = ((f"{name}{_END}", Resource.from_contents(one)) for name, one in published().items())
    return Registry().with_resources(known)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(published()[name], registry=_registry())


def wrong(document: Any, name: str) -> str | None:
    """Return what is wrong with a document, or None.

    Args:
        document: as it was printed.
        name: of the schema.
    """
    if name not in published():
        return f"there is no docs/schemas/{name}{_END}"
    found = best_match(_validator(name).iter_errors(document))
    if found is None:
        return None
    return f"docs/schemas/{name}{_END}: {found.json_path}: {found.message}"


def verb_of(words: Sequence[str]) -> str:
    """Return the verb that a command line names: the longest that its words begin with.

    Args:
        words: what is typed after the program's name; `releases ENV` lists.
    """
    fitting = [verb for verb in verbs() if list(words[: len(verb.split())]) == verb.split()]
    if not fitting and words[0] == "releases":
        return "releases list"
    return max(fitting, key=len)


def is_error(document: Any) -> bool:
    """Tell an error's document from a verb's own."""
    return isinstance(document, dict) and {"error", "message", "hint"} <= document.keys()


def wrong_of(document: Any, words: Sequence[str], status: int | None = None) -> str | None:
    """Return what is wrong with the document that a command line printed, or None.

    Args:
        document: as it was printed.
        words: the command line.
        status: with what the process left, where that is known.
    """
    told = document.get("exit_status", status) if isinstance(document, dict) else None
    if status is not None and told != status:
        return f"exit_status is {told}, and the process left with {status}"
    return wrong(document, ERROR if is_error(document) else name_of(verb_of(words)))
