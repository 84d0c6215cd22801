"""From a tree of values to the model, and every mistake on the way as a sentence."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from flowrex.settings.declare import Duration, WrongSetting
from flowrex.settings.source import Value

_DURATION = re.compile(r"(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?")
Model = TypeVar("Model")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Setting:
    """One setting's declaration."""

    path: str
    kind: Any
    doc: str
    limits: Mapping[str, Any]


@cache
def _hints(model: type) -> dict[str, Any]:
    return get_type_hints(model)


def settings(model: type, prefix: str = "") -> Iterator[Setting]:
    """Yield every setting of `model`, depth first, in the order of declaration."""
    for field in dataclasses.fields(model):
        kind = _hints(model)[field.name]
        path = f"{prefix}{field.name}"
        if not field.metadata:
            continue
        if dataclasses.is_dataclass(kind):
            yield from settings(kind, f"{path}.")  # type: ignore[arg-type]
        else:
            limits = {k: v for k, v in field.metadata.items() if k != "doc"}
            yield Setting(path, kind, field.metadata["doc"], limits)


def build(model: type[Model], tree: Value, *, reference: str, **given: object) -> Model:
    """Check the whole tree and return it as a `model`.

    Args:
        model: the dataclass whose fields are the settings.
        tree: all its layers, merged.
        reference: the commented file that names and explains every setting, for the hint.
        given: fields that are not settings, with their values.

    Raises:
        ConfigurationError: an unknown or missing setting, or a value of the wrong kind; it names
            the file and line, the value, and what was expected.
    """
    checked = _section(model, tree, "", reference, **given)
    assert isinstance(checked, model)
    return checked


def _section(model: type, value: Value, path: str, reference: str, **given: object) -> object:
    if not isinstance(value.content, Mapping):
        raise value.error(f"{path} is {_shown(value)}; expected settings by name below it")
    fields = [field for field in dataclasses.fields(model) if field.name not in given]
    known = [field.name for field in fields]
    for key, item in value.content.items():
        if key not in known:
            raise item.error(
                f"unknown setting {_join(path, key)!r}", hint=nearest(path, key, known)
            )
    hints = _hints(model)
    arguments: dict[str, object] = dict(given)
    for field in fields:
        where = _join(path, field.name)
        if field.name not in value.content:
            raise value.error(
                f"setting {where!r} is missing",
                hint=f"{reference} is the reference that names and explains all.",
            )
        item = value.content[field.name]
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            arguments[field.name] = _section(kind, item, where, reference)  # type: ignore[arg-type]
        else:
            arguments[field.name] = convert(kind, item, where, field.metadata)
    try:
        built: object = model(**arguments)
    except WrongSetting as error:
        where = _join(path, error.name)
        raise value.content[error.name].error(f"{where} {error}", hint=error.hint) from error
    return built


def convert(kind: Any, value: Value, path: str, limits: Mapping[str, Any]) -> object:
    """Return the value as `kind`, or raise the error that says why it is none.

    Args:
        kind: the declared type.
        value: what was written.
        path: the setting's name, for the message.
        limits: `minimum`, `maximum`, `pattern`, `check` of the declaration.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value.content is None:
            return None
        kind = next(option for option in get_args(kind) if option is not type(None))
        origin = get_origin(kind)
    if origin is tuple:
        return _sequence(value, path, limits)
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping(value, path, limits)
    if origin is Literal:
        if value.content not in get_args(kind):
            options = ", ".join(map(str, get_args(kind)))
            raise value.error(f"{path} is {_shown(value)}; expected one of {options}")
        return value.content
    return _scalar(kind, value, path, limits)


def _scalar(kind: Any, value: Value, path: str, limits: Mapping[str, Any]) -> object:
    content = value.content
    if kind is bool:
        if not isinstance(content, bool):
            raise value.error(f"{path} is {_shown(value)}; expected true or false")
        return content
    if kind is int:
        if not isinstance(content, int) or isinstance(content, bool):
            raise value.error(f"{path} is {_shown(value)}; expected a whole number")
        low, high = limits.get("minimum"), limits.get("maximum")
        if (low is not None and content < low) or (high is not None and content > high):
            raise value.error(f"{path} is {content}; expected {_range(low, high)}")
        return content
    if not isinstance(content, str):
        expected = "a length of time such as 30s" if kind is Duration else "text"
        raise value.error(
            f"{path} is {_shown(value)}; expected {expected}", hint="Put the value in quotes."
        )
    if kind is Duration and not _DURATION.fullmatch(content):
        raise value.error(f"{path} is {content!r}; expected a length of time such as 30s or 1m30s")
    pattern = limits.get("pattern")
    if pattern is not None and not re.fullmatch(pattern, content):
        raise value.error(f"{path} is {content!r}; expected a value of the form {pattern}")
    if (check := limits.get("check")) is not None:
        try:
            check(content)
        except ValueError as error:
            raise value.error(f"{path} is {content!r}, {error}") from error
    return content


def _sequence(value: Value, path: str, limits: Mapping[str, Any]) -> tuple[str, ...]:
    if not isinstance(value.content, tuple) or not value.content:
        raise value.error(f"{path} is {_shown(value)}; expected a list of at least one text")
    for item in value.content:
        if not isinstance(item.content, str):
            raise item.error(f"an entry of {path} is {_shown(item)}; expected text")
    entry = f"an entry of {path}"
    return tuple(str(_scalar(str, item, entry, limits)) for item in value.content)


def _mapping(value: Value, path: str, limits: Mapping[str, Any]) -> Mapping[str, str]:
    if not isinstance(value.content, Mapping):
        raise value.error(f"{path} is {_shown(value)}; expected texts by name")
    result: dict[str, str] = {}
    for key, item in value.content.items():
        if not _VARIABLE.fullmatch(key):
            raise item.error(f"{key!r} in {path} is no name; expected letters, digits and _")
        if item.content is None:  # null in a layer above takes a name of a layer below away
            continue
        if not isinstance(item.content, str):
            raise item.error(
                f"{path}.{key} is {_shown(item)}; expected text", hint="Put the value in quotes."
            )
        result[key] = str(_scalar(str, item, f"{path}.{key}", limits))
    return result


def nearest(path: str, key: str, known: list[str]) -> str:
    """Return the hint for a setting that does not exist."""
    from difflib import get_close_matches

    if near := get_close_matches(key, known, n=1):
        return f"Did you mean {_join(path, near[0])!r}?"
    return f"Known here: {', '.join(known)}."


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _range(low: int | None, high: int | None) -> str:
    if high is None:
        return f"{low} or more"
    return f"{low} to {high}" if low is not None else f"{high} or less"


def _shown(value: Value) -> str:
    if isinstance(value.content, Mapping):
        return "a group of settings"
    if isinstance(value.content, tuple):
        return "a list"
    if value.content is None:
        return "empty"
    return str(value.content).lower() if isinstance(value.content, bool) else repr(value.content)
