"""What a handler adds to its request's audit record."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request

from flowrex.audit.record import Detail

_NAME = "audit"


def begin(scope: MutableMapping[str, Any]) -> dict[str, Detail]:
    """Give a request an empty detail, and return it."""
    detail: dict[str, Detail] = {}
    scope.setdefault("state", {})[_NAME] = detail
    return detail


def note(request: Request, **detail: Detail) -> None:
    """Add to a request's record.

    Args:
        request: the request; one that is not recorded takes it without harm.
        detail: by name: an order's id, a reason.
    """
    kept = request.scope.get("state", {}).get(_NAME)
    if kept is not None:
        kept.update(detail)
