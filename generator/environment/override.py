"""`--set PATH=VALUE`: one setting, for one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args, get_origin

import yaml

from flowrex.errors import ConfigurationError
from flowrex.settings.declare import Duration
from flowrex.settings.schema import Setting, settings
from flowrex.settings.source import Value, refuse_excess
from generator.environment.model import Environment


def parse(text: str) -> Value:
    """Turn `PATH=VALUE` into a tree with that one value, to be merged over the others.

    A value whose setting is text is taken as it stands; any other is read as YAML, so that
    `backend.count=3` is a number and `platform.datacenters=[a, b]` a list.

    Args:
        text: what followed `--set`.

    Raises:
        ConfigurationError: there is no `=`, or no such setting.
    """
    source = f"--set {text.split('=', 1)[0]}"
    path, separator, written = text.partition("=")
    if not separator:
        raise ConfigurationError(
            f"{text!r} has no '='", path="--set", hint="Write --set PATH=VALUE."
        )
    declared = _declaration(path, source)
    content = written if _is_text(declared) else _read(written, source)
    try:
        value = _tree(content, source)
    except RecursionError as error:
        raise ConfigurationError(f"{written!r} has itself within it", path=source) from error
    for key in reversed(path.split(".")):
        value = Value({key: value}, source, 0)
    return value


def _declaration(path: str, source: str) -> Setting:
    known = {setting.path: setting for setting in settings(Environment)}
    if path in known:
        return known[path]
    parent, _, _ = path.rpartition(".")
    if parent in known and _is_mapping(known[parent]):
        return known[parent]
    below = [one for one in known if one.startswith(f"{path}.")]
    if below:
        raise ConfigurationError(
            f"{path!r} is a section, and no setting",
            path=source,
            hint=f"Name one below it, for example {below[0]}; docs/reference/settings.md has all.",
        )
    from difflib import get_close_matches

    near = get_close_matches(path, known, n=1, cutoff=0.5)
    raise ConfigurationError(
        f"there is no setting {path!r}",
        path=source,
        hint=f"Did you mean {near[0]!r}?" if near else "docs/reference/settings.md lists them all.",
    )


def _is_mapping(setting: Setting) -> bool:
    return get_origin(setting.kind) is Mapping


def _is_text(setting: Setting) -> bool:
    if _is_mapping(setting):
        return True
    kinds = get_args(setting.kind) or (setting.kind,)
    return get_origin(setting.kind) is not tuple and (str in kinds or Duration in kinds)


def _read(written: str, source: str) -> object:
    try:
        refuse_excess(written, source)
        return yaml.safe_load(written)
    except (yaml.YAMLError, ValueError):
        return written  # as text it is refused, in words that say what is expected in its stead


def _tree(content: object, source: str) -> Value:
    if isinstance(content, Mapping):
        return Value({str(k): _tree(v, source) for k, v in content.items()}, source, 0)
    if isinstance(content, list):
        return Value(tuple(_tree(item, source) for item in content), source, 0)
    if content is None or isinstance(content, str | int | float | bool):
        return Value(content, source, 0)
    return Value(str(content), source, 0)
