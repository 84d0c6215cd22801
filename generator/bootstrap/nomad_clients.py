"""Nomad's clients: whether their tasks outlive a Consul, a Vault or a Nomad that is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowrex.errors import ServerUnreachable
from generator.bootstrap.report import State, Step

if TYPE_CHECKING:
    from flowrex.nomad import NomadClient

# Nomad's configuration has a block for each, and its API a name (docs/runbooks/bootstrap.md).
_BLOCKS = {
    "consul_retry": "ConsulRetry",
    "vault_retry": "VaultRetry",
    "nomad_retry": "NomadRetry",
}
_FOREVER = 0


def steps(client: NomadClient) -> Iterator[Step]:
    """Tell of each client whether a template may give up there; only its keeper can change that.

    Args:
        client: with the right to read agents.
    """
    for node in client.nodes.list():
        if node.status != "ready":
            continue
        name = f"nomad client {node.name} templates"
        try:
            templates = client.nodes.configuration(node.id).get("TemplateConfig") or {}
        except ServerUnreachable as error:
            yield Step(name, State.UNKNOWN, error.message)
            continue
        limited = [
            block
            for block, named in _BLOCKS.items()
            if (templates.get(named) or {}).get("Attempts") != _FOREVER
        ]
        if not limited:
            yield Step(name, State.PRESENT)
            continue
        settings = " ".join(f"{block} {{ attempts = 0 }}" for block in limited)
        yield Step(
            name,
            State.DIFFERS,
            "an outage of about 5 minutes would kill what runs there; give its client block"
            f" `template {{ {settings} }}`",
        )
