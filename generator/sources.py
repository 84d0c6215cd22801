"""What a task's templates read, and whether it is there.

Nomad says only what a template waits for. Whether the server lacks it or refuses it to the task is
found out by asking with the deployer's own token, which may look and not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowrex.errors import PermissionRefused, ServerUnreachable
from flowrex.nomad import Allocation

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.vault import VaultClient

_SOURCE = re.compile(r"\b(?:vault|kv|health|catalog|nomad)\.[\w.]+\([^)]*\)")
_DATA = "/data/"


def named(message: str) -> list[str]:
    """Return what a message of the template engine names, as it writes it, each once."""
    return list(dict.fromkeys(_SOURCE.findall(message)))


def parts(source: str) -> tuple[str, str]:
    """Return the kind (`vault`, `kv`, …) and the name of a source such as `kv.block(a/b)`."""
    kind, _, rest = source.partition(".")
    return kind, rest.partition("(")[2].rstrip(")").partition("@")[0]


def waited_for(allocations: Iterable[Allocation]) -> list[str]:
    """Return what the templates of these allocations wait for."""
    found = [
        source
        for allocation in allocations
        for task in allocation.tasks.values()
        for event in task.events
        if event.type == "Template"
        for source in named(event.message)
    ]
    return list(dict.fromkeys(found))


def there(source: str, consul: ConsulClient, vault: VaultClient | None) -> bool | None:
    """Tell whether a server has what a template reads.

    Args:
        source: as the template engine names it.
        consul: asked for keys.
        vault: asked for the secret's metadata, never for the secret; None where nobody may ask.

    Returns:
        None where that can't be found out.
    """
    kind, name = parts(source)
    try:
        if kind == "kv":
            return consul.kv_get(name) is not None
        if kind == "vault" and vault is not None and _DATA in name:
            return vault.read(name.replace(_DATA, "/metadata/", 1)) is not None
    except (PermissionRefused, ServerUnreachable):
        return None
    return None
