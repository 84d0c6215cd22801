"""Every error that Flowrex shows to a person, with the exit status that goes with it.

    FlowrexError                     1  a bug
    ├── UsageError                   2  the command line is wrong
    ├── ConfigurationError           3  a file or a setting is wrong (names file and line)
    ├── RenderError                  3  a job template is wrong
    ├── StalePlan                    4  something changed since the plan was made
    ├── DeploymentFailed             5  a deployment failed or was reverted
    ├── ServerUnreachable            6  Nomad, Consul, Vault, PostgreSQL … can't be reached
    │   └── ServerRefused            6  it can be reached, and it refuses or fails
    │       ├── PermissionRefused    6  the token may not do this
    │       └── NotFound             6  it has no such thing
    ├── HardStop                     7  a hard stop refuses
    ├── LockHeld                     8  somebody else holds the lock
    ├── CanaryWaiting                9  the canary is healthy and waits for a person
    └── Declined                   130  a person was asked, and the answer is no

They are raised where the thing happens and reported once, in `flowrex.command.edge`.
"""

from __future__ import annotations

from pathlib import Path


class FlowrexError(Exception):
    """What happened, where it happened, and what to do about it."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the two sentences apart, so that each edge can lay them out its own way.

        Args:
            message: what happened and where, in one sentence, without a trailing newline.
            hint: what to do, often the command to type next.
        """
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_text(self) -> str:
        """Return the lines that a person reads, without a trailing newline."""
        return f"error: {self.message}" + (f"\n{self.hint}" if self.hint else "")

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints for this error."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "exit_status": self.exit_status,
        }


class UsageError(FlowrexError):
    """The command line asks for something that makes no sense."""

    exit_status = 2


class ConfigurationError(FlowrexError):
    """A file or a setting is wrong."""

    exit_status = 3

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        """Put the place before the message, as compilers do.

        Args:
            message: the value, and what was expected in its stead.
            path: the file, or another name of the source (`--set`).
            line: the line in it, counted from 1.
            hint: what to do.
        """
        place = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(place + message, hint=hint)
        self.path = path
        self.line = line


class RenderError(ConfigurationError):
    """A job template can't be rendered."""


class StalePlan(FlowrexError):
    """The job was changed after the plan was made."""

    exit_status = 4


class DeploymentFailed(FlowrexError):
    """A deployment failed, was reverted, or did not end in time."""

    exit_status = 5


class ServerUnreachable(FlowrexError):
    """A server does not answer."""

    exit_status = 6


class ServerRefused(ServerUnreachable):
    """A server answers, with a refusal or with an error of its own."""


class PermissionRefused(ServerRefused):
    """The token in use may not do this."""


class NotFound(ServerRefused):
    """The server has no such job, key, version or path."""


class HardStop(FlowrexError):
    """One of the hard stops refuses the deployment."""

    exit_status = 7


class LockHeld(FlowrexError):
    """Another deployment, or another set-up, holds the lock."""

    exit_status = 8


class CanaryWaiting(FlowrexError):
    """The canary is healthy and waits for somebody to promote it."""

    exit_status = 9


class Declined(FlowrexError):
    """A person was asked, and the answer is no."""

    exit_status = 130  # as after Ctrl-C

    def __init__(self, message: str = "nothing was changed", *, hint: str | None = None) -> None:
        """Say that it ended there.

        Args:
            message: what came of it.
            hint: what to do about it; mostly nothing.
        """
        super().__init__(message, hint=hint)
