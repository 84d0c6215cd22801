"""Finding a server that is already on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev.servers.binary import Binary, Missing
from generator.dev.servers.cache import Machine, installed
from generator.dev.servers.catalog import Server
from generator.dev.servers.probe import version_of


def find(
    server: Server, *, cache: Path, environ: Mapping[str, str], machine: Machine
) -> Binary | Missing:
    """Look where the setting says, then on PATH, then in the cache.

    Args:
        server: what is looked for.
        cache: the cache's folder.
        environ: the process's environment.
        machine: the kind of machine.

    Raises:
        ConfigurationError: the setting names no such binary, or one of another version.
    """
    if named := environ.get(server.setting):
        return _named(server, named, environ)
    notes: tuple[str, ...] = ()
    if found := shutil.which(server.name, path=environ.get("PATH", "")):
        path = Path(found).absolute()
        version = version_of(path, server)
        if version == server.version:
            return Binary(server.name, server.version, path, "path")
        notes = (
            f"{path} is passed over: it {_is(version)}, and {server.version} is needed"
            f" ({server.setting} can name another binary).",
        )
    if kept := installed(cache, server, machine):
        return Binary(server.name, server.version, kept, "cache", notes)
    way = "release or build" if server.released else "build"
    return Missing(server.name, server.version, way, notes)


def _named(server: Server, named: str, environ: Mapping[str, str]) -> Binary:
    found = shutil.which(str(Path(named).expanduser()), path=environ.get("PATH", ""))
    if found is None:
        raise ConfigurationError(
            f"{server.setting} is {named!r}, which is no executable file",
            hint=f"Name a {server} binary with it, or unset it to have one installed.",
        )
    path = Path(found).absolute()
    version = version_of(path, server)
    if version != server.version:
        raise ConfigurationError(
            f"{server.setting} is {named!r}, which {_is(version)}; {server.version} is needed",
            hint=f"Name a {server} binary with it, or unset it to have one installed.",
        )
    return Binary(server.name, server.version, path, "setting")


def _is(version: str | None) -> str:
    return f"is version {version}" if version else "does not tell its version"
