"""The order of a bootstrap, in two halves: what Nomad needs to start, and what needs Nomad."""

from __future__ import annotations

from generator.bootstrap.report import Report
from generator.bootstrap.target import Target


def before_nomad(target: Target, *, check_only: bool = False) -> Report:
    """Configure PostgreSQL, Vault and Consul as far as that goes without Nomad.

    Args:
        target: the servers; `nomad` and `nomad_jwks_url` are not used.
        check_only: report what is missing or differs, and change nothing.

    Returns:
        Every step with its state.

    Raises:
        ServerUnreachable: a server does not answer, or refuses.
    """
    raise NotImplementedError


def after_nomad(target: Target, *, check_only: bool = False) -> Report:
    """Make Vault and Consul trust Nomad's workload identities, and configure Nomad's ACLs.

    Args:
        target: the servers; `nomad` and `nomad_jwks_url` are needed.
        check_only: report what is missing or differs, and change nothing.

    Returns:
        Every step with its state.

    Raises:
        ServerUnreachable: a server does not answer, or refuses.
        ConfigurationError: `nomad` or `nomad_jwks_url` is missing.
    """
    raise NotImplementedError


def run(target: Target, *, check_only: bool = False) -> Report:
    """Take both halves, one after the other.

    Args:
        target: the servers, all of them up.
        check_only: report what is missing or differs, and change nothing.

    Returns:
        Every step with its state.

    Raises:
        ServerUnreachable: a server does not answer, or refuses.
    """
    first = before_nomad(target, check_only=check_only)
    return first + after_nomad(target, check_only=check_only)
