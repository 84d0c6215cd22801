"""`python -m app.server`: gunicorn, started from code, with as many workers as it is told."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from app.folders import prepare_folders
from app.settings import Settings, load, load_secrets
from flowrex import log
from flowrex.errors import FlowrexError

Factory = Callable[[Settings], Any]

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_HEARTBEAT_S = 30
# Longer than any proxy keeps an idle connection: nginx must be the one that closes it, or a request
# could meet a connection that is just being closed.
_KEEP_ALIVE_S = 75
_MARGIN_S = 3


class _JsonLogger(Logger):  # type: ignore[misc]
    """Lets gunicorn's lines go through the root logger's formatter."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.loglevel = self.LOG_LEVELS[cfg.loglevel]
        self._access_log_enabled = False
        for part in (self.error_log, self.access_log):
            part.handlers = []
            part.propagate = True
            part.setLevel(self.loglevel)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Takes Ctrl-C as the same polite request as SIGTERM; a second one still means at once."""

    handle_int = Arbiter.handle_term


class Server(BaseApplication):  # type: ignore[misc]
    """The master process."""

    def __init__(
        self, settings: Settings, factory: Factory, own_folder: Path | None = None
    ) -> None:
        """Prepare the server.

        Args:
            settings: what it was told.
            factory: makes the application, in each worker.
            own_folder: a folder that is removed at the end.
        """
        self._own_folder = own_folder
        self._settings = settings
        self._factory = factory
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its options."""
        for name, value in options(self._settings).items():
            self.cfg.set(name, value)
        if (folder := self._own_folder) is not None:
            self.cfg.set("on_exit", lambda _arbiter: shutil.rmtree(folder, ignore_errors=True))

    def load(self) -> Any:
        """Make the application; called in each worker."""
        return self._factory(self._settings)

    def run(self) -> None:
        """Serve until a signal ends it, which ends the process."""
        _Arbiter(self).run()


def options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's options for these settings."""
    from app.metrics import forget_worker

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    shared_memory = Path("/dev/shm")  # noqa: S108 - for heartbeats, which must not wait for a disk
    return {
        "bind": [f"{host}:{settings.port}"],
        "workers": settings.workers,
        "worker_class": "app.worker.Worker",
        "worker_tmp_dir": str(shared_memory) if os.access(shared_memory, os.W_OK) else None,
        "timeout": _HEARTBEAT_S,
        "keepalive": _KEEP_ALIVE_S,
        # The workers bound themselves; the master kills only what exceeds that.
        "graceful_timeout": int(settings.drain_s + settings.graceful_s + _MARGIN_S),
        "loglevel": settings.log_level,
        "logger_class": _JsonLogger,
        "proc_name": "flowrex-backend",
        "control_socket_disable": True,
        "child_exit": lambda _arbiter, worker: forget_worker(worker.pid),
    }


def serve(
    settings: Settings, factory: Factory | None = None, *, own_folder: Path | None = None
) -> None:
    """Serve until a signal ends it; then exit.

    Args:
        settings: what it was told.
        factory: makes the application; ours unless given.
        own_folder: a folder that is removed at the end.
    """
    log.configure(
        settings.log_level,
        service="flowrex-backend",
        environment=settings.environment,
        release=settings.release,
    )
    logging.captureWarnings(True)
    if factory is None:
        # Imported before the workers are forked, so that it is done once and its pages are shared.
        from app.main import create_app

        factory = create_app
    Server(settings, factory, own_folder).run()


def prepare_metrics() -> Path | None:
    """Give the workers a folder for their metrics; to be called before these are imported.

    Returns:
        The folder, where PROMETHEUS_MULTIPROC_DIR named none and one was made, to be removed at
        the end.
    """
    named = os.environ.get(_FOLDER)
    folder = named or tempfile.mkdtemp(prefix="flowrex-metrics-")
    # The client library looks at the variable once, at its first import.
    os.environ[_FOLDER] = folder
    from app.metrics import prepare_folder

    prepare_folder(Path(folder))
    return None if named else Path(folder)


def main() -> None:
    """Read the environment and serve."""
    try:
        settings = load(os.environ)
        load_secrets(settings.secrets)  # wrong ones are told here once, not by each worker
        prepare_folders(settings.consul.state_dir, settings.audit_dir)
        serve(settings, own_folder=prepare_metrics())
    except FlowrexError as error:
        sys.stderr.write(f"{error.as_text()}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
