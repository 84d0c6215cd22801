"""Node.js, which builds the frontend, and its package manager."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError, ServerUnreachable

# The oldest that Next and the frontend's own server run on; Debian 12 has it.
OLDEST = (18, 20)

_UNREACHABLE = ("enotfound", "eai_again", "econnrefused", "econnreset", "etimedout", "enetunreach")
_HINT = "`make setup` installs it where it may; otherwise install Node.js with npm, and run again."
_LAST_LINES = 12

# Runs npm with some arguments in a folder.
Npm = Callable[[Sequence[str], Path], None]


@dataclass(frozen=True)
class Node:
    """The Node.js that builds.

    Attributes:
        version: as it says it, for example `v20.11.0`.
        npm: runs its package manager.
    """

    version: str
    npm: Npm


def find(environ: Mapping[str, str]) -> Node:
    """Return the Node.js on PATH.

    Args:
        environ: the process's environment.

    Raises:
        ConfigurationError: there is none, it is too old, or it has no npm.
    """
    path = environ.get("PATH", os.defpath)
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        missing = " and ".join(name for name, at in (("node", node), ("npm", npm)) if at is None)
        raise ConfigurationError(f"the frontend is built by {missing}, not on PATH", hint=_HINT)
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = said.stdout.strip()
    if new_enough(version) is False:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigurationError(
            f"{node} is {version or 'of no version that it tells'}; the frontend is built by "
            f"{oldest} or newer",
            hint="Put a newer one on PATH before it.",
        )
    return Node(version, lambda arguments, folder: _npm(npm, arguments, folder, environ))


def new_enough(version: str) -> bool:
    """Tell whether a version such as `v18.20.4` builds the frontend."""
    found = re.match(r"v([0-9]+)\.([0-9]+)\.", version)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def failure(arguments: Sequence[str], output: str, folder: Path) -> Exception:
    """Return what to raise for an npm that failed.

    Args:
        arguments: what it was to do.
        output: all that it printed.
        folder: where.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    what = f"`npm {' '.join(arguments)}`"
    if any(sign in output.lower() for sign in _UNREACHABLE) and arguments[0] == "ci":
        return ServerUnreachable(
            f"{what} can't fetch the frontend's locked packages",
            hint="The first build of a lock needs the package index. Check the network and npm's "
            "settings (`npm config list`), then build again.",
        )
    said = "\n".join(lines[-_LAST_LINES:]) or "it said nothing"
    return ConfigurationError(f"{what} failed: {said}", path=folder)


def _npm(npm: str, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
    # With NODE_ENV=production the compiler would not be installed; the rest keeps it to its work.
    own = {name: value for name, value in environ.items() if name != "NODE_ENV"}
    own |= {"NEXT_TELEMETRY_DISABLED": "1", "NPM_CONFIG_UPDATE_NOTIFIER": "false", "CI": "1"}
    done = subprocess.run(
        [npm, *arguments],
        cwd=folder,
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise failure(arguments, done.stdout, folder)
