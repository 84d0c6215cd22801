"""What the container of a task is given (docker); docs/images.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flowrex.settings.declare import setting


@dataclass(frozen=True, kw_only=True)
class Container:
    """The same for every container; none has a capability or a file system that it may write."""

    network: Literal["bridge", "host"] = setting(
        "`bridge`: a network of its own, ports mapped into it; `host`: the node's."
    )
    user: int = setting("User and group that the platform's images run as.", minimum=1)
    pids: int = setting("Processes and threads, at most.", minimum=16)
    open_files: int = setting("Open files of a process, at most.", minimum=256)
    tmp: int = setting("Size of /tmp, which is memory, in MiB.", minimum=1)
