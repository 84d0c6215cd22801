"""Vault: raft storage on one node, initialised and unsealed here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowrex.errors import ConfigurationError, ServerUnreachable
from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.dev import api, secrets
from generator.dev.layout import HOST, Layout
from generator.dev.process import Command

NAME = "vault"


def settings(layout: Layout, plugins: Path | None) -> dict[str, Any]:
    """Return Vault's configuration.

    Args:
        layout: the cluster.
        plugins: the folder that plugins are loaded from, where Vault lacks one that is needed.
    """
    document: dict[str, Any] = {
        "storage": {"raft": {"path": str(layout.data(NAME)), "node_id": "node-1"}},
        "listener": {
            "tcp": {
                "address": f"{HOST}:{layout.vault}",
                "cluster_address": f"{HOST}:{layout.vault_cluster}",
                "tls_disable": True,
            }
        },
        "api_addr": layout.vault_address,
        "cluster_addr": f"https://{HOST}:{layout.vault_cluster}",
        "disable_mlock": True,
        "ui": False,
        "telemetry": {"prometheus_retention_time": "1m", "disable_hostname": True},
        "log_level": "info",
    }
    if plugins is not None:
        document["plugin_directory"] = str(plugins)
    return document


def prepare(layout: Layout, plugins: Path | None) -> None:
    """Write Vault's configuration."""
    layout.data(NAME).mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(settings(layout, plugins), indent=2)
    write_atomic(layout.config(NAME, "json"), text + "\n", mode=0o600)


def command(layout: Layout, binary: Path) -> Command:
    """Return how Vault is started."""
    argv = (str(binary), "server", f"-config={layout.config(NAME, 'json')}")
    return Command(NAME, argv, cwd=layout.data(NAME))


def open_up(layout: Layout) -> None:
    """Initialise Vault the first time, and unseal it; it must answer.

    Raises:
        ConfigurationError: Vault was initialised and its key is not here.
    """
    status = _seal_status(layout)
    if not status["initialized"]:
        answer = api.call(
            f"{layout.vault_address}/v1/sys/init",
            method="PUT",
            body={"secret_shares": 1, "secret_threshold": 1},
            timeout_s=30,
        )
        made = api.demand(answer, "Vault can't be initialised")
        secrets.write(layout.secret("vault-unseal"), Secret(made["keys_base64"][0]))
        secrets.write(layout.token("vault-management"), Secret(made["root_token"]))
    elif not status["sealed"]:
        return
    key = secrets.read(layout.secret("vault-unseal"))
    if key is None:
        raise ConfigurationError(
            f"Vault is sealed, and its key is not in {layout.secret('vault-unseal')}",
            hint="Without it the data is lost: `flowrexctl dev reset` starts anew.",
        )
    answer = api.call(
        f"{layout.vault_address}/v1/sys/unseal",
        method="PUT",
        body={"key": key.reveal()},
        timeout_s=30,
    )
    api.demand(answer, "Vault can't be unsealed")


def answering(layout: Layout) -> str | None:
    """Return why Vault can't even be asked, or None; it may be sealed."""
    try:
        _seal_status(layout)
    except ServerUnreachable as error:
        return error.message
    return None


def problem(layout: Layout) -> str | None:
    """Return why Vault is not ready, or None where it is: unsealed, and the active one."""
    try:
        answer = api.call(f"{layout.vault_address}/v1/sys/health", timeout_s=3)
    except ServerUnreachable as error:
        return error.message
    states = {429: "it is on standby", 501: "it is not initialised", 503: "it is sealed"}
    return None if answer.ok else states.get(answer.status, f"it answers HTTP {answer.status}")


def _seal_status(layout: Layout) -> dict[str, Any]:
    answer = api.call(f"{layout.vault_address}/v1/sys/seal-status", timeout_s=3)
    document: dict[str, Any] = api.demand(answer, "Vault does not tell whether it is sealed")
    return document
