"""The real servers of this machine answer the versions that are pinned."""

from __future__ import annotations

import os

import pytest

from generator.dev import settings
from generator.dev.servers import CATALOG, PLUGIN, Binary, Lines, ensure
from generator.dev.servers.probe import lacks_plugin, version_of

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def servers() -> dict[str, Binary]:
    cache = settings.read(os.environ).cache
    return ensure(CATALOG, cache=cache, environ=os.environ, progress=Lines())


@pytest.mark.parametrize("name", CATALOG)
def test_each_server_answers_its_pinned_version(servers: dict[str, Binary], name: str) -> None:
    if name == PLUGIN and name not in servers:
        pytest.skip("this Vault has its plugin built in")

    assert version_of(servers[name].path, CATALOG[name]) == CATALOG[name].version


def test_there_is_a_plugin_exactly_where_vault_lacks_it(servers: dict[str, Binary]) -> None:
    assert (PLUGIN in servers) == lacks_plugin(servers["vault"].path)
