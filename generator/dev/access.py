"""What a person's shell needs to talk to the cluster with the servers' own tools."""

from __future__ import annotations

import shlex

from flowrex.errors import ServerUnreachable
from generator.dev import secrets
from generator.dev.layout import Layout


def environment(layout: Layout) -> dict[str, str]:
    """Return the addresses and the operator's tokens as the servers' tools read them.

    Args:
        layout: the cluster.

    Raises:
        ServerUnreachable: there are no tokens yet, since the cluster was never up.
    """
    found = {
        "NOMAD_ADDR": layout.nomad_address,
        "CONSUL_HTTP_ADDR": layout.consul_address,
        "VAULT_ADDR": layout.vault_address,
    }
    for variable, name in (
        ("NOMAD_TOKEN", "nomad-operator"),
        ("CONSUL_HTTP_TOKEN", "consul-operator"),
        ("VAULT_TOKEN", "vault-operator"),
    ):
        token = secrets.read(layout.token(name))
        if token is None:
            raise ServerUnreachable(
                f"the cluster has no token for you yet: {layout.token(name)} is missing",
                hint="`flowrexctl dev up` makes it.",
            )
        found[variable] = token.reveal()
    return found


def exports(values: dict[str, str]) -> str:
    """Return lines that a shell evaluates."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
