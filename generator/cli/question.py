"""What a person is asked before something is changed; only a yes is taken for a yes."""

from __future__ import annotations

import click

from flowrex.command import output
from flowrex.errors import Declined, UsageError


def confirm(text: str, *, alone: str, hint: str) -> None:
    """Ask a person, and go on where the answer is yes.

    Args:
        text: the question.
        alone: the error where there is nobody to ask.
        hint: what to type then.

    Raises:
        UsageError: there is nobody to ask.
        Declined: the answer is no.
    """
    _somebody(alone, hint)
    if not click.confirm(f"\n{text}", err=True):
        raise Declined


def typed(text: str, *, alone: str, hint: str) -> str:
    """Return the name that a person types to show that it is meant.

    Args:
        text: what is to be typed.
        alone: the error where there is nobody to ask.
        hint: what to type then.

    Raises:
        UsageError: there is nobody to ask.
        Declined: nothing was typed.
    """
    _somebody(alone, hint)
    name: str = click.prompt(f"\n{text}", default="", show_default=False, err=True)
    if not name:
        raise Declined
    return name


def _somebody(alone: str, hint: str) -> None:
    if not output.interactive():
        raise UsageError(alone, hint=hint)
