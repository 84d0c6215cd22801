"""The servers that a dev cluster is made of, one pinned version each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowrex.errors import UsageError


@dataclass(frozen=True)
class Server:
    """One server, and the ways to have it.

    Attributes:
        name: its command, and its folder's name in the cache.
        version: the one that everything here is tried with.
        module: the folder in servers/ whose go.mod and go.sum pin its source.
        package: the Go package that is built.
        source: the Go module that the package belongs to, as the build information names it.
        version_arguments: what makes it print its version; none where nothing does.
        build_seconds: a first build, on two cores, with nothing cached.
        tags: Go build tags.
        released: whether its makers' release site has it.
    """

    name: str
    version: str
    module: str
    package: str
    source: str
    version_arguments: tuple[str, ...]
    build_seconds: int
    tags: tuple[str, ...] = ()
    released: bool = False

    @property
    def setting(self) -> str:
        """Return the environment variable that names a binary of it."""
        return "FLOWREX_" + self.name.upper().replace("-", "_")

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


# Vault's cloud plugins need modules that can't be verified; `minimal` leaves them out, and with
# them the PostgreSQL plugin, which is therefore built beside it, from the same module.
_MINIMAL = ("minimal",)

PLUGIN = "postgresql-database-plugin"

_SERVERS = (
    Server(
        "consul", "1.19.2", "consul", "github.com/hashicorp/consul",
        "github.com/hashicorp/consul", ("version",), 165, released=True,
    ),
    Server(
        "vault", "1.18.0", "vault", "github.com/hashicorp/vault",
        "github.com/hashicorp/vault", ("version",), 300, _MINIMAL, released=True,
    ),
    Server(
        PLUGIN, "1.18.0", "vault",
        "github.com/hashicorp/vault/plugins/database/postgresql/postgresql-database-plugin",
        "github.com/hashicorp/vault", (), 10, _MINIMAL,
    ),
    Server(
        "nomad", "1.11.2", "nomad", "github.com/hashicorp/nomad",
        "github.com/hashicorp/nomad", ("version",), 230, released=True,
    ),
    Server(
        "versitygw", "1.8.0", "versitygw", "github.com/versity/versitygw/cmd/versitygw",
        "github.com/versity/versitygw", ("--version",), 60,
    ),
    Server(
        "consul-template", "0.41.1", "consul-template", "github.com/hashicorp/consul-template",
        "github.com/hashicorp/consul-template", ("-v",), 40, released=True,
    ),
)  # fmt: skip

CATALOG: dict[str, Server] = {server.name: server for server in _SERVERS}


def select(names: Iterable[str]) -> tuple[Server, ...]:
    """Return the named servers, each once, in the catalog's order (Vault before its plugin).

    Raises:
        UsageError: a name is not in the catalog.
    """
    wanted = set(names)
    if unknown := sorted(wanted - CATALOG.keys()):
        raise UsageError(
            f"there is no server {', '.join(unknown)}",
            hint=f"The servers are {', '.join(CATALOG)}.",
        )
    return tuple(server for server in _SERVERS if server.name in wanted)
