"""The real servers: where each comes from, and one pinned version of each.

    binary named by a setting ─┐
    binary on PATH ────────────┼─ of the pinned version ──────────────┐
    the cache ─────────────────┘                                      ├─→ Binary
    the makers' release, SHA-256 checked ──┐                          │
    a Go build, modules checked by go.sum ─┴─→ staging → the cache ───┘

`ensure` installs what is missing; `inspect` only looks.
"""

from generator.dev.servers.binary import Binary, Missing
from generator.dev.servers.catalog import CATALOG, PLUGIN, Server
from generator.dev.servers.install import ensure, inspect
from generator.dev.servers.progress import Lines, Progress

__all__ = [
    "CATALOG",
    "PLUGIN",
    "Binary",
    "Lines",
    "Missing",
    "Progress",
    "Server",
    "ensure",
    "inspect",
]
