"""Settings one by one: what each is, where it is written, and how two environments differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowrex.errors import UsageError
from flowrex.settings.source import Value


@dataclass(frozen=True)
class Written:
    """One setting of an environment.

    Attributes:
        path: its name, such as `backend.count`.
        value: what it is: a text, a number, a truth, a list of texts, or None.
        file: the last of the layers that says it.
        line: where in that file; 0 for `--set`.
    """

    path: str
    value: Any
    file: str
    line: int

    @property
    def place(self) -> str:
        """Where it is written, as people read it."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Difference:
    """One setting that two environments have otherwise; None where one has no such thing."""

    path: str
    left: Written | None
    right: Written | None


def written(tree: Value) -> list[Written]:
    """Return every setting of a merged tree, in the order in which it is written.

    Args:
        tree: the layers, merged.
    """
    return list(_leaves(tree, ""))


def chosen(found: Sequence[Written], paths: Sequence[str]) -> list[Written]:
    """Return the settings at or below some paths; all where there are none.

    Args:
        found: the settings.
        paths: such as `backend` or `backend.count`.

    Raises:
        UsageError: there is none at or below one of the paths.
    """
    for path in paths:
        if not any(_within(one.path, path) for one in found):
            raise UsageError(f"there is no setting {path!r}", hint=_nearest(path, found))
    return below(found, paths)


def below(found: Sequence[Written], paths: Sequence[str]) -> list[Written]:
    """Return the settings at or below some paths, if there are any; all where no path is given."""
    if not paths:
        return list(found)
    return [one for one in found if any(_within(one.path, path) for path in paths)]


def differences(left: Sequence[Written], right: Sequence[Written]) -> list[Difference]:
    """Return what two environments have otherwise, in the order of the first, then of the second.

    Args:
        left: one's settings.
        right: the other's.
    """
    ours, theirs = ({one.path: one for one in side} for side in (left, right))
    return [
        Difference(path, ours.get(path), theirs.get(path))
        for path in dict.fromkeys([*ours, *theirs])
        if _value(ours.get(path)) != _value(theirs.get(path))
    ]


def shown(value: Any) -> str:
    """Return a value as it stands in an environment's file.

    Args:
        value: a text, a number, a truth, a list of texts, or None.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return str(value)


def _leaves(value: Value, path: str) -> Iterator[Written]:
    if isinstance(value.content, Mapping):
        for key, item in value.content.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
        return
    content: Any = value.content
    if isinstance(content, tuple):
        content = [item.content for item in content]
    yield Written(path, content, value.path, value.line)


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}.")


def _nearest(path: str, found: Sequence[Written]) -> str:
    from difflib import get_close_matches

    known = {one.path for one in found} | {one.path.rpartition(".")[0] for one in found}
    near = get_close_matches(path, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else "docs/reference/settings.md lists them all."


def _value(one: Written | None) -> tuple[bool, str, Any]:
    # Not equal by accident: True is 1 in Python, and nothing is not the same as null.
    return (False, "", None) if one is None else (True, type(one.value).__name__, one.value)
