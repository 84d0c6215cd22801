"""What holds for all tests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# A busy machine is no mistake of the code: no example has to be quick.
settings.register_profile("flowrex", deadline=None)
settings.load_profile("flowrex")

# Folders whose files share more than a cluster: machines by name, or the engine of containers.
_TOGETHER = ("tests/live/agent/", "tests/live/docker/")


class ByServers(LoadScopeScheduling):
    """Gives one process all that shares servers, which are started once: a file, or a folder."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((one for one in _TOGETHER if file.startswith(one)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Take the place of xdist's own --dist loadfile, which knows no folders."""
    return ByServers(config, log) if config.getvalue("dist") == "loadfile" else None
