"""How a setting is declared: a field of a frozen dataclass, with what it does and its limits.

What no single setting shows, a section checks in its `__post_init__`, by raising `WrongSetting`.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, NewType

# A length of time as Nomad writes it: "30s", "1m30s", "500ms".
Duration = NewType("Duration", str)


def setting(doc: str, **limits: Any) -> Any:
    """Declare a setting.

    Args:
        doc: what it does, with its unit, for the reference page.
        limits: `minimum`, `maximum` (numbers), `pattern` (a regular expression for the whole), or
            `check` (a function that raises `ValueError` with what is wrong with the text). Those of
            a list or a mapping are for each of its texts.
    """
    return field(metadata={"doc": doc, **limits})


class WrongSetting(ValueError):
    """A setting does not go with the others of its section; it is told with its file and line."""

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        """Name the setting that is to be corrected.

        Args:
            name: the field.
            message: what is wrong with its value, to follow the setting's name.
            hint: what to do.
        """
        super().__init__(message)
        self.name = name
        self.hint = hint
