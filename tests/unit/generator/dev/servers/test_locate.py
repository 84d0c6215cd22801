"""Setting, then PATH, then the cache; nothing but the pinned version."""

from __future__ import annotations

import pytest

from flowrex.errors import ConfigurationError
from generator.dev.servers import CATALOG, Binary, Missing, inspect
from tests.unit.generator.dev.servers.machine import Box

NOMAD = CATALOG["nomad"]


def look(box: Box) -> Binary | Missing:
    (found,) = inspect(["nomad"], cache=box.cache, environ=box.environ)
    return found


def test_nothing_anywhere_is_missing_and_says_how_it_would_be_had(box: Box) -> None:
    assert look(box) == Missing("nomad", "1.11.2", "release or build")


def test_what_has_no_release_would_be_built(box: Box) -> None:
    (found,) = inspect(["versitygw"], cache=box.cache, environ=box.environ)

    assert found == Missing("versitygw", "1.8.0", "build")


def test_looking_installs_nothing(box: Box) -> None:
    box.put_go_on_path()

    look(box)

    assert not box.cache.exists()
    assert box.builds == []


def test_a_setting_wins_over_path_and_cache(box: Box) -> None:
    box.put_on_path(NOMAD)
    box.put_in_cache(NOMAD)
    own = (box.bin / "nomad").rename(box.root / "my-nomad")
    box.put_on_path(NOMAD)
    box.environ["FLOWREX_NOMAD"] = str(own)

    assert look(box) == Binary("nomad", "1.11.2", own, "setting")


def test_path_wins_over_the_cache(box: Box) -> None:
    box.put_in_cache(NOMAD)
    path = box.put_on_path(NOMAD)

    assert look(box) == Binary("nomad", "1.11.2", path, "path")


def test_another_version_on_path_is_passed_over_with_a_note(box: Box) -> None:
    path = box.put_on_path(NOMAD, version="1.9.0")
    kept = box.put_in_cache(NOMAD)

    found = look(box)

    assert isinstance(found, Binary)
    assert (found.path, found.origin) == (kept, "cache")
    assert found.notes == (
        f"{path} is passed over: it is version 1.9.0, and 1.11.2 is needed"
        " (FLOWREX_NOMAD can name another binary).",
    )


def test_a_development_version_is_not_the_release(box: Box) -> None:
    box.put_on_path(NOMAD, version="1.11.2-dev")

    assert isinstance(look(box), Missing)


def test_a_program_on_path_that_does_not_run_is_passed_over(box: Box) -> None:
    (box.bin / "nomad").write_bytes(b"\x7fELF of another machine")
    (box.bin / "nomad").chmod(0o755)

    assert "does not tell its version" in look(box).notes[0]


def test_a_setting_that_names_nothing_is_an_error(box: Box) -> None:
    box.environ["FLOWREX_NOMAD"] = "/nowhere/nomad"

    with pytest.raises(ConfigurationError, match="FLOWREX_NOMAD is '/nowhere/nomad', which is no"):
        look(box)


def test_a_setting_that_names_another_version_is_an_error_even_with_a_good_one_cached(
    box: Box,
) -> None:
    box.put_in_cache(NOMAD)
    old = box.put_on_path(NOMAD, version="1.9.0")
    box.environ["FLOWREX_NOMAD"] = str(old)

    with pytest.raises(ConfigurationError, match=r"is version 1\.9\.0; 1\.11\.2 is needed"):
        look(box)


def test_an_empty_setting_is_none(box: Box) -> None:
    box.environ["FLOWREX_NOMAD"] = ""
    path = box.put_on_path(NOMAD)

    assert look(box) == Binary("nomad", "1.11.2", path, "path")


@pytest.mark.parametrize("damage", ["cut", "not executable", "no receipt", "broken receipt"])
def test_a_damaged_binary_in_the_cache_counts_as_missing(box: Box, damage: str) -> None:
    kept = box.put_in_cache(NOMAD)
    receipt = kept.parent / "receipt.json"
    if damage == "cut":
        kept.write_bytes(kept.read_bytes()[:-1])
    elif damage == "not executable":
        kept.chmod(0o644)
    elif damage == "no receipt":
        receipt.unlink()
    else:
        receipt.write_text("[")

    assert isinstance(look(box), Missing)


def test_what_is_found_becomes_a_document(box: Box) -> None:
    kept = box.put_in_cache(NOMAD)

    assert look(box).as_document() == {
        "name": "nomad",
        "version": "1.11.2",
        "path": str(kept),
        "origin": "cache",
        "notes": [],
    }


def test_what_is_missing_becomes_a_document_with_the_same_fields(box: Box) -> None:
    document = look(box).as_document()

    assert document["path"] is None
    assert document["way"] == "release or build"
