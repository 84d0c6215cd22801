"""What does the work of a request: a plain function for each kind.

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]: ...

It is called in a thread of its own, so it may block. What it returns is the answer's `result`, so
it must be JSON, and small: a document in Consul has at most 512 KiB. It reports what goes wrong by
raising: a `FlowrexError` becomes the answer `failed` with its message, hint and exit status;
`Refused` becomes `refused`, for what was asked and must not be done; anything else is a bug.

It calls `progress` at every step and at least every few minutes in a long one: a handler that is
silent for too long is taken for stuck, and the agent is restarted. `progress` raises
`Interrupted` when the agent stops; let it pass through, after undoing what must be undone.

A capability gives its handlers by kind, in agents/wiring.py:

    handlers = {"backup": Handling(backup.handle), "verify": Handling(verify.handle, resumes=True)}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agents.context import Context
from flowrex.errors import FlowrexError
from flowrex.node_requests import Request


class Refused(FlowrexError):
    """What is asked must not be done; nothing was."""

    exit_status = 7


def only(asked: Mapping[str, str], *known: str) -> None:
    """Insist that a request has no argument that its kind does not know.

    Args:
        asked: its arguments.
        known: those of its kind.

    Raises:
        Refused: it has one; it may be what the person counts on.
    """
    for name in asked:
        if name not in known:
            raise Refused(
                f"{name!r} is no argument of this request",
                hint=f"Known here: {', '.join(known) or 'none'}.",
            )


class Interrupted(BaseException):
    """The agent stops in the middle of a request.

    It is no Exception, so that a handler that catches those lets it pass.
    """


class Progress(Protocol):
    """How a handler tells how far it is."""

    def __call__(self, message: str, **result: Any) -> None:
        """Tell it; cheap, so it may be called often: what is written is spaced out.

        Args:
            message: a sentence for the operator who watches; empty where there is nothing new to
                say but that it gets on.
            result: what is known already, such as the backup's `name`.

        Raises:
            Interrupted: the agent stops; the handler is to end.
        """
        ...


class Handler(Protocol):
    """Does what requests of one kind ask. See the module."""

    def __call__(self, request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        """Do it.

        Args:
            request: what is asked; its arguments are texts and not checked yet.
            context: the agent's `agents.context.Context`.
            progress: how it tells how far it is.

        Returns:
            What came of it, by name, as JSON.
        """
        ...


@dataclass(frozen=True)
class Handling:
    """How requests of one kind are done.

    Attributes:
        handle: does one.
        resumes: whether one that a dying agent left half-way is called again from the start with
            the same request; else it is answered `failed`, with `interrupted` in its result. Only
            for what may be done twice: reading, verifying.
    """

    handle: Handler
    resumes: bool = False
