"""Having every server that is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev.servers import cache as store
from generator.dev.servers import gobuild, locate, lock, toolchain
from generator.dev.servers.binary import Binary, Missing, Origin
from generator.dev.servers.cache import Machine
from generator.dev.servers.catalog import CATALOG, PLUGIN, Server, select
from generator.dev.servers.probe import lacks_plugin, version_of
from generator.dev.servers.progress import Progress, duration, estimate
from generator.dev.servers.release import ReleaseSite, UnavailableError

MODULES = Path(__file__).resolve().parents[3] / "servers"


def ensure(
    names: Iterable[str],
    *,
    cache: Path,
    environ: Mapping[str, str],
    progress: Progress,
    modules: Path = MODULES,
) -> dict[str, Binary]:
    """Return the named servers, installing into the cache those that this machine lacks.

    Only one process installs at a time; a second waits. Whatever is interrupted leaves nothing
    that would be taken for a server.

    Args:
        names: servers of the catalog. The PostgreSQL plugin is left out of the result where the
            Vault that is found or installed has it built in.
        cache: the cache's folder .
        environ: the process's environment.
        progress: is told what is done.
        modules: the folder of the Go modules.

    Raises:
        ConfigurationError: a setting names a wrong binary, or a server can't be built here.
        ServerRefused: a downloaded release is not what its SHA-256 says.
        UsageError: a name is not in the catalog.
    """
    machine = Machine.this()
    looked = _look(names, cache, environ, machine)
    for server in looked.values():
        for note in server.notes:
            progress.note(note)
    if any(isinstance(found, Missing) for found in looked.values()):
        store.prepare(cache)
        with lock.hold(cache / "lock", progress):
            store.sweep(cache)
            # Who held the lock before may have installed some of them.
            looked = _look(names, cache, environ, machine)
            installer = _Installer(cache, environ, progress, modules, machine)
            installer.announce([CATALOG[n] for n, f in looked.items() if isinstance(f, Missing)])
            for name, found in list(looked.items()):
                if isinstance(found, Missing) and name in _without_spare_plugin(looked):
                    looked[name] = installer.install(CATALOG[name])
    wanted = _without_spare_plugin(looked)
    return {name: found for name, found in wanted.items() if isinstance(found, Binary)}


def inspect(
    names: Iterable[str], *, cache: Path, environ: Mapping[str, str]
) -> list[Binary | Missing]:
    """Return where each of the named servers is, or how it would be had; install nothing.

    Args:
        names: servers of the catalog.
        cache: the cache's folder.
        environ: the process's environment.

    Raises:
        ConfigurationError: a setting names a wrong binary.
        UsageError: a name is not in the catalog.
    """
    return list(_look(names, cache, environ, Machine.this()).values())


def _look(
    names: Iterable[str], cache: Path, environ: Mapping[str, str], machine: Machine
) -> dict[str, Binary | Missing]:
    looked = {
        server.name: locate.find(server, cache=cache, environ=environ, machine=machine)
        for server in select(names)
    }
    return _without_spare_plugin(looked)


def _without_spare_plugin(
    looked: Mapping[str, Binary | Missing],
) -> dict[str, Binary | Missing]:
    """Leave the plugin out where there is a Vault that has it built in."""
    vault = looked.get("vault")
    spare = isinstance(vault, Binary) and not lacks_plugin(vault.path)
    return {name: found for name, found in looked.items() if not (spare and name == PLUGIN)}


class _Installer:
    """Installs one server after another; call it only while holding the lock."""

    def __init__(
        self,
        cache: Path,
        environ: Mapping[str, str],
        progress: Progress,
        modules: Path,
        machine: Machine,
    ) -> None:
        self._cache = cache
        self._environ = environ
        self._progress = progress
        self._modules = modules
        self._machine = machine
        self._site = ReleaseSite.from_environ(environ)

    def announce(self, servers: Sequence[Server]) -> None:
        """Say what is about to be done, and how long it can take."""
        if servers:
            longest = estimate(sum(server.build_seconds for server in servers))
            self._progress.note(
                f"Installing {', '.join(map(str, servers))} into {self._cache}. What can't be"
                f" downloaded is built from source: {longest} the first time."
            )

    def install(self, server: Server) -> Binary:
        """Download the release or, where that can't be had, build the server."""
        began = time.monotonic()
        self._progress.start(str(server))
        try:
            with store.staging(self._cache, server.name) as folder:
                staged, origin = self._obtain(server, folder)
                version = version_of(staged, server)
                if version != server.version:
                    raise ConfigurationError(
                        f"the {origin} of {server} says that it is version {version}",
                        hint=f"Name a ready binary with {server.setting} (docs/servers.md).",
                    )
                path = store.keep(self._cache, server, self._machine, staged, origin)
        except BaseException:
            self._progress.stopped()
            raise
        how = "downloaded" if origin == "release" else "built"
        self._progress.done(f"{how} in {duration(time.monotonic() - began)}")
        return Binary(server.name, server.version, path, origin)

    def _obtain(self, server: Server, folder: Path) -> tuple[Path, Origin]:
        if server.released:
            try:
                return self._site.fetch(server, self._machine, folder, self._progress), "release"
            except UnavailableError as reason:
                self._progress.step(f"no release here ({reason})")
        return self._build(server, folder), "build"

    def _build(self, server: Server, folder: Path) -> Path:
        go = toolchain.choose(
            self._modules / server.module,
            cache=self._cache,
            machine=self._machine,
            environ=self._environ,
            progress=self._progress,
        )
        log = self._cache / "logs" / f"{server.name}-{server.version}.log"
        log.parent.mkdir(exist_ok=True)
        return gobuild.build(
            server,
            go,
            modules=self._modules,
            folder=folder,
            log=log,
            environ=self._environ,
            progress=self._progress,
        )
