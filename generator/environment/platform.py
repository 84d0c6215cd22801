"""Where the jobs run, by which driver, and what the container of a task is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flowrex.settings.declare import setting

_NAME = r"[a-z0-9][a-z0-9_-]*"
# Whom Nomad runs `exec` tasks as.
_NOBODY = 65534


@dataclass(frozen=True, kw_only=True)
class Container:
    """The same for every container; none has a capability or a file system that it may write."""

    network: Literal["bridge", "host"] = setting(
        "`bridge`: a network of its own, ports mapped into it; `host`: the node's."
    )
    user: int = setting("User and group that the platform's images run as.", minimum=1)
    pids: int = setting("Processes and threads, at most.", minimum=16)
    open_files: int = setting(
        "Open files of a process, at most; 0 leaves it to what runs the containers.", minimum=0
    )
    tmp: int = setting("Size of /tmp, which is memory, in MiB.", minimum=1)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Where it runs."""

    region: str = setting("Nomad region.", pattern=_NAME)
    namespace: str = setting("Nomad namespace.", pattern=_NAME)
    datacenters: tuple[str, ...] = setting("Datacenters whose nodes may run the jobs.")
    node_pool: str = setting("Nomad node pool.", pattern=_NAME)
    node_class: str | None = setting(
        "Class of the nodes that may run the jobs; null: any. A job's own comes first.",
        pattern=_NAME,
    )
    node_classes: Mapping[str, str] = setting(
        "Class of the nodes that may run a job, by the job's name."
    )
    driver: Literal["docker", "exec", "raw_exec"] = setting("Nomad task driver of every task.")
    local: bool = setting("True where the servers are `flowrexctl dev`'s, on this machine.")
    python: str = setting("Interpreter that runs the artifact (exec and raw_exec).")
    node: str = setting("Node.js program (exec and raw_exec).")
    nginx: str = setting("nginx program (exec and raw_exec).")
    log_files: int = setting("Log files that Nomad keeps of each task's output.", minimum=1)
    log_file_size: int = setting("Size at which the next one begins, in MiB.", minimum=1)
    container: Container = setting("")

    @property
    def bridged(self) -> bool:
        """Whether tasks have a network of their own, into which ports are mapped."""
        return self.driver == "docker" and self.container.network == "bridge"

    @property
    def owner(self) -> int | None:
        """The user and group that own what a task is to read; None where tasks are root's."""
        users = {"docker": self.container.user, "exec": _NOBODY, "raw_exec": None}
        return users[self.driver]
