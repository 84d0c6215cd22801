"""YAML files as trees of values that know the file and the line they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from flowrex.errors import ConfigurationError

Scalar = str | int | float | bool | None

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Value:
    """A value and where it was written.

    `content` is a scalar, a tuple of values, or a mapping of values by key.
    """

    content: Scalar | tuple[Value, ...] | Mapping[str, Value]
    path: str
    line: int

    def error(self, message: str, *, hint: str | None = None) -> ConfigurationError:
        """Return the error that says `message` of this place."""
        return ConfigurationError(message, path=self.path, line=self.line, hint=hint)


def read(path: Path, shown_as: str) -> Value:
    """Read one YAML file.

    Args:
        path: the file.
        shown_as: its name in error messages, relative to the project where it can be.

    Returns:
        The file's mapping; an empty one for an empty file.

    Raises:
        ConfigurationError: the file is missing, is not YAML, holds a key twice, or is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"can't be read: {error.strerror}", path=shown_as, hint="Check its name and mode."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"is not UTF-8: {error.reason}", path=shown_as) from error
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Value({}, shown_as, 1)
        value = _value(node, loader, shown_as)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigurationError(
            f"is not valid YAML: {error.problem}", path=shown_as, line=line
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"is not valid YAML: {error}", path=shown_as) from error
    finally:
        loader.dispose()
    if not isinstance(value.content, Mapping):
        raise value.error("expected settings by name (`backend:` …) at the top of the file")
    return value


def _value(node: yaml.Node, loader: yaml.SafeLoader, path: str) -> Value:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        content: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigurationError(
                    "a list or a group of settings stands where a name is expected",
                    path=path,
                    line=key_node.start_mark.line + 1,
                    hint="Put a name that begins with [ or { in quotes.",
                )
            key = str(key_node.value)
            if key in content:
                raise ConfigurationError(
                    f"{key!r} stands here a second time; the first is in line {content[key].line}",
                    path=path,
                    line=key_node.start_mark.line + 1,
                    hint="Keep one of the two.",
                )
            value = _value(value_node, loader, path)
            # The key's line is the better place to point at: a block's value starts below it.
            content[key] = Value(value.content, path, key_node.start_mark.line + 1)
        return Value(content, path, line)
    if isinstance(node, yaml.SequenceNode):
        return Value(tuple(_value(item, loader, path) for item in node.value), path, line)
    try:
        scalar: Scalar = loader.construct_object(node)
    except ValueError as error:
        # A thirteenth month, for example: what looks like a date is read as one.
        raise ConfigurationError(
            f"{node.value!r} can't be read: {error}",
            path=path,
            line=line,
            hint="Put the value in quotes.",
        ) from error
    return Value(scalar, path, line)


def merge(lower: Value, upper: Value) -> Value:
    """Lay one tree over another: mappings merge key by key, anything else is replaced.

    Args:
        lower: the tree below, such as base.yaml's.
        upper: the tree above, such as prod.yaml's.
    """
    if not (isinstance(lower.content, Mapping) and isinstance(upper.content, Mapping)):
        return upper
    merged = dict(lower.content)
    for key, value in upper.content.items():
        merged[key] = merge(merged[key], value) if key in merged else value
    return Value(merged, upper.path, upper.line)
