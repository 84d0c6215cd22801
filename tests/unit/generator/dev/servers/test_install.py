"""Installing is whole or not at all, and once for everybody."""

from __future__ import annotations

import json
import threading

import pytest

from flowrex.errors import ConfigurationError
from generator.dev.servers import CATALOG, PLUGIN, Binary, ensure, inspect
from tests.unit.generator.dev.servers.machine import Box, Heard, Site

VAULT = CATALOG["vault"]


def install(box: Box, heard: Heard, *names: str) -> dict[str, Binary]:
    return ensure(names, cache=box.cache, environ=box.environ, progress=heard, modules=box.modules)


def test_what_is_there_is_returned_without_a_lock_or_a_cache(box: Box, heard: Heard) -> None:
    path = box.put_on_path(VAULT)

    assert install(box, heard, "vault")["vault"].path == path
    assert not box.cache.exists()


def test_a_note_about_what_was_passed_over_is_told(box: Box, heard: Heard) -> None:
    box.put_go_on_path()
    box.put_on_path(VAULT, version="1.2.3")

    assert install(box, heard, "vault")["vault"].origin == "build"
    assert "is passed over" in heard.notes[0]


def test_what_is_missing_is_announced_with_an_estimate(box: Box, heard: Heard) -> None:
    box.put_go_on_path()

    install(box, heard, "nomad", "consul")

    assert heard.notes[0].startswith("Installing consul 1.19.2, nomad 1.11.2 into ")
    assert "about 7 min" in heard.notes[0]
    assert heard.started == ["consul 1.19.2", "nomad 1.11.2"]
    assert heard.ended == ["built in 0 s", "built in 0 s"]


def test_a_receipt_tells_how_a_server_was_had(box: Box, heard: Heard) -> None:
    box.put_go_on_path()

    path = install(box, heard, "nomad")["nomad"].path

    receipt = json.loads((path.parent / "receipt.json").read_text())
    assert (receipt["version"], receipt["origin"]) == ("1.11.2", "build")
    assert len(receipt["sha256"]) == 64


def test_a_minimal_vault_gets_its_plugin_beside_it(box: Box, heard: Heard) -> None:
    box.put_go_on_path()

    found = install(box, heard, PLUGIN, "vault")

    assert list(found) == ["vault", PLUGIN]
    assert found[PLUGIN].version == "1.18.0"


def test_an_official_vault_needs_no_plugin(box: Box, site: Site, heard: Heard) -> None:
    box.put_go_on_path()
    site.offer(VAULT)

    assert list(install(box, heard, "vault", PLUGIN)) == ["vault"]
    assert box.builds == []


def test_an_official_vault_on_path_needs_no_plugin_to_be_reported(box: Box) -> None:
    box.put_on_path(VAULT)

    found = inspect(["vault", PLUGIN], cache=box.cache, environ=box.environ)

    assert [each.name for each in found] == ["vault"]


def test_a_build_that_stops_half_way_leaves_nothing(box: Box, heard: Heard) -> None:
    box.put_go_on_path(build='printf half > "$out"; echo "link: no space left" >&2; exit 2')

    with pytest.raises(ConfigurationError, match="no space left"):
        install(box, heard, "nomad")

    assert box.left_in_cache() == set()
    assert heard.failures == 1


def test_one_that_failed_can_be_tried_again(box: Box, heard: Heard) -> None:
    box.put_go_on_path(build="exit 1")
    with pytest.raises(ConfigurationError):
        install(box, heard, "nomad")
    box.put_go_on_path()

    assert install(box, heard, "nomad")["nomad"].origin == "build"


def test_a_build_that_ends_well_with_a_broken_file_is_not_installed(box: Box, heard: Heard) -> None:
    box.put_go_on_path(build='printf half > "$out"; /bin/chmod 755 "$out"')

    with pytest.raises(ConfigurationError, match="says that it is version None"):
        install(box, heard, "nomad")
    assert box.left_in_cache() == set()


def test_what_a_killed_installation_left_is_cleared_away(box: Box, heard: Heard) -> None:
    box.put_go_on_path()
    left = box.cache / "staging" / "nomad-abc"
    left.mkdir(parents=True)
    (left / "nomad").write_bytes(b"half")

    install(box, heard, "nomad")

    assert box.left_in_cache() == {"nomad-1.11.2-linux-amd64"}


def test_a_folder_without_its_receipt_is_replaced(box: Box, heard: Heard) -> None:
    box.put_go_on_path()
    folder = box.cache / "nomad-1.11.2-linux-amd64"
    folder.mkdir(parents=True)
    (folder / "nomad").write_bytes(b"half")

    path = install(box, heard, "nomad")["nomad"].path

    assert path.read_bytes().startswith(b"#!/bin/sh")


def test_two_at_once_build_once(box: Box, heard: Heard) -> None:
    box.put_go_on_path()
    both = threading.Barrier(2)

    def one() -> None:
        both.wait()
        install(box, heard, "nomad")

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(box.builds) == 1


def test_a_cache_that_can_not_be_made_is_a_sentence(box: Box, heard: Heard) -> None:
    box.cache.write_text("a file")

    with pytest.raises(ConfigurationError, match=r"cache .* can't be written") as refused:
        install(box, heard, "nomad")
    assert "FLOWREX_CACHE_DIR" in (refused.value.hint or "")


def test_the_real_modules_are_the_ones_used_by_default() -> None:
    from generator.dev.servers.install import MODULES

    assert (MODULES / "nomad" / "go.mod").is_file()
