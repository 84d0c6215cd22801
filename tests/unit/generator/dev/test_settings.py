from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.dev.settings import read


def test_nothing_set_is_the_usual_places_and_no_choice_of_ports() -> None:
    settings = read({}, root_user=True)
    assert settings.cache == Path("/var/cache/flowrex")
    assert settings.base is None


def test_a_user_has_a_cache_at_home() -> None:
    settings = read({"HOME": "/home/ann"}, root_user=False)
    assert settings.cache == Path("/home/ann/.cache/flowrex")


def test_a_relative_folder_is_made_absolute() -> None:
    assert read({"FLOWREX_DEV_DIR": "x"}, root_user=True).root == Path.cwd() / "x"


def test_the_port_base_is_a_number() -> None:
    assert read({"FLOWREX_DEV_PORT_BASE": "24000"}).base == 24000


def test_what_runs_containers_is_named_by_its_address() -> None:
    assert read({}).docker is None
    assert read({"FLOWREX_DEV_DOCKER": "unix:///run/x.sock"}).docker == "unix:///run/x.sock"


@pytest.mark.parametrize("text", ["/run/x.sock", 'unix:///a"b', "http://x"])
def test_what_is_no_address_of_a_socket_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="FLOWREX_DEV_DOCKER"):
        read({"FLOWREX_DEV_DOCKER": text})


@pytest.mark.parametrize("text", ["abc", "-1", "80", "64000", "1e4", "²4000"])
def test_a_base_that_does_not_fit_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="FLOWREX_DEV_PORT_BASE"):
        read({"FLOWREX_DEV_PORT_BASE": text})
