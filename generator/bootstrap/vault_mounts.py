"""Vault's engines: mounted where the environment says, of the right type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowrex.errors import ConfigurationError
from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.vault import VaultClient


def mount(
    client: VaultClient,
    path: str,
    kind: str,
    *,
    check_only: bool,
    options: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    table: str = "sys/mounts",
) -> Step:
    """Mount an engine or a login method.

    Args:
        client: with the right to mount.
        path: where.
        kind: its type, as Vault names it.
        check_only: change nothing.
        options: its options, such as `{"version": "2"}`.
        config: its lifetimes.
        table: `sys/mounts` for engines, `sys/auth` for login methods.

    Raises:
        ConfigurationError: something of another type is mounted there; it is never replaced.
    """
    found = (client.read(table) or {}).get(f"{path}/")
    if found is not None and (
        found["type"] != kind
        or any((found.get("options") or {}).get(k) != v for k, v in (options or {}).items())
    ):
        raise ConfigurationError(
            f"{path}/ in Vault is of type {found['type']}; expected {kind}"
            + (f" with {dict(options)}" if options else ""),
            hint="Name another mount in the environment's `vault` section, or move that one away.",
        )
    body: dict[str, Any] = {"type": kind, "options": dict(options or {})}
    if config:
        body["config"] = dict(config)
    return ensure(
        f"vault mount {path}/",
        lambda: client.write(f"{table}/{path}", body),
        present=found is not None,
        check_only=check_only,
    )
