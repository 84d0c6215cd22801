"""How a setting is declared: a field of a frozen dataclass, with what it does and its limits."""

from __future__ import annotations

from dataclasses import field
from typing import Any, NewType

# A length of time as Nomad writes it: "30s", "1m30s", "500ms".
Duration = NewType("Duration", str)


def setting(doc: str, **limits: Any) -> Any:
    """Declare a setting.

    Args:
        doc: what it does, with its unit, for the reference page.
        limits: `minimum`, `maximum` (numbers) or `pattern` (a regular expression for the whole).
    """
    return field(metadata={"doc": doc, **limits})
