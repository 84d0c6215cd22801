"""YAML files as trees of values that know the file and the line they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from flowrex.errors import ConfigurationError

Scalar = str | int | float | bool | None

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Settings have five levels. What is made of a file calls itself once for each, and so does libyaml,
# which ends the process where there are too many.
_DEEPEST = 32
# A few lines of aliases can stand for more values than there is memory.
_MOST = 100_000


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
        ConfigurationError: the file is missing, is not YAML, holds a key twice, refers to itself,
            is nested too deep, stands for too many values, or is no mapping.
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
        refuse_excess(text, shown_as)
        node = loader.get_single_node()
        if node is None:
            return Value({}, shown_as, 1)
        value = _value(node, loader, shown_as, ())
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


def refuse_excess(text: str, shown_as: str) -> None:
    """Refuse YAML that is nested too deep or stands for too much, before anything is made of it.

    Args:
        text: the YAML.
        shown_as: its name in error messages.

    Raises:
        ConfigurationError: it is.
        yaml.YAMLError: it is no YAML.
    """
    # How many values each collection that is open stands for, and each that has a name.
    open_: list[tuple[str | None, int]] = [(None, 0)]
    named: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) - 1 > _DEEPEST:
                raise _too_deep(shown_as, _line(event))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            name, count = open_.pop()
            if name is not None:
                named[name] = count
        elif isinstance(event, yaml.AliasEvent):
            count = named.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            count = 1
        else:
            continue
        outer, before = open_[-1]
        open_[-1] = (outer, before + count)
        if before + count > _MOST:
            raise ConfigurationError(
                f"stands for more than {_MOST} values, which no settings are",
                path=shown_as,
                line=_line(event),
                hint="Write out what its aliases (`*name`) stand for.",
            )


def _line(event: yaml.Event) -> int | None:
    mark = event.start_mark
    return mark.line + 1 if mark else None


def _too_deep(path: str, line: int | None) -> ConfigurationError:
    return ConfigurationError(
        f"is nested deeper than {_DEEPEST} levels, which no setting is", path=path, line=line
    )


def _value(
    node: yaml.Node, loader: yaml.SafeLoader, path: str, within: tuple[yaml.Node, ...]
) -> Value:
    """Make a tree of a node that stands within others, the outermost first."""
    line = node.start_mark.line + 1
    if any(node is outer for outer in within):
        raise ConfigurationError(
            "what stands here has itself within it, by an alias (`*name`)",
            path=path,
            line=line,
            hint="Write the value out.",
        )
    if len(within) > _DEEPEST:  # by aliases of what has aliases
        raise _too_deep(path, line)
    inner = (*within, node)
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
            value = _value(value_node, loader, path, inner)
            # The key's line is the better place to point at: a block's value starts below it.
            content[key] = Value(value.content, path, key_node.start_mark.line + 1)
        return Value(content, path, line)
    if isinstance(node, yaml.SequenceNode):
        return Value(tuple(_value(item, loader, path, inner) for item in node.value), path, line)
    try:
        scalar: Scalar = loader.construct_object(node)
    except (ValueError, AttributeError) as error:
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
