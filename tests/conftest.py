"""What holds for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no mistake of the code: no example has to be quick.
settings.register_profile("flowrex", deadline=None)
settings.load_profile("flowrex")

_HERE = Path(__file__).parent
# Folders whose files share more than a cluster: machines by name, or the engine of containers.
_TOGETHER = ("live/agent", "live/docker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what one process runs where several do, with --dist loadgroup."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))


def _group(path: Path) -> str:
    """Return the folder or the file that a test belongs to: its servers are started once."""
    name = path.relative_to(_HERE).as_posix()
    return next((one for one in _TOGETHER if name.startswith(f"{one}/")), name)
