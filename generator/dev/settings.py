"""Where a dev cluster lives and which ports it may have, from the process's environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev.layout import DEFAULT_BASE, SPAN, state_dir

_HIGHEST = 65535
_DOCKER = re.compile(r"(unix:///|tcp://)[A-Za-z0-9_./:-]+")


@dataclass(frozen=True)
class Settings:
    """What a person may choose about the dev cluster.

    Attributes:
        root: the cluster's folder.
        cache: where built or downloaded servers are kept.
        base: the first port, or None where nothing was chosen.
        docker: the address of what runs containers, or None.
    """

    root: Path
    cache: Path
    base: int | None
    docker: str | None = None


def read(environ: Mapping[str, str], *, root_user: bool | None = None) -> Settings:
    """Read FLOWREX_DEV_DIR, FLOWREX_CACHE_DIR, FLOWREX_DEV_PORT_BASE and FLOWREX_DEV_DOCKER.

    Args:
        environ: the process's environment.
        root_user: whether the caller is root; found out unless given.

    Raises:
        ConfigurationError: the port base is no number, or the range does not fit; or what is to
            run containers has no address.
    """
    is_root = os.geteuid() == 0 if root_user is None else root_user
    home = Path(environ.get("HOME") or "~").expanduser()
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "flowrex"
    if is_root:
        cache = Path("/var/cache/flowrex")
    return Settings(
        root=state_dir(environ, root_user=is_root),
        cache=Path(environ.get("FLOWREX_CACHE_DIR") or cache).absolute(),
        base=_base(environ.get("FLOWREX_DEV_PORT_BASE")),
        docker=_docker(environ.get("FLOWREX_DEV_DOCKER")),
    )


def _docker(text: str | None) -> str | None:
    if text and not _DOCKER.fullmatch(text):
        raise ConfigurationError(
            f"FLOWREX_DEV_DOCKER is {text!r}; expected the address of a socket",
            hint="For example unix:///run/podman/podman.sock.",
        )
    return text or None


def _base(text: str | None) -> int | None:
    if not text:
        return None
    highest = _HIGHEST - SPAN + 1
    if not text.isascii() or not text.isdigit() or not 1024 <= int(text) <= highest:
        raise ConfigurationError(
            f"FLOWREX_DEV_PORT_BASE is {text!r}; a number from 1024 to {highest} is needed",
            hint=f"The cluster takes {SPAN} ports from there; {DEFAULT_BASE} is the default.",
        )
    return int(text)
