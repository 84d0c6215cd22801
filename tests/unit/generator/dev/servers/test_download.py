"""An official release is used only when its SHA-256 is right."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from flowrex.errors import ConfigurationError, ServerRefused
from generator.dev.servers import CATALOG, Binary, ensure
from generator.dev.servers.release import ReleaseSite
from tests.unit.generator.dev.servers.machine import Answer, Box, Heard, Site, program

CONSUL = CATALOG["consul"]


def install(box: Box, heard: Heard, *names: str) -> dict[str, Binary]:
    return ensure(
        names or ["consul"],
        cache=box.cache,
        environ=box.environ,
        progress=heard,
        modules=box.modules,
    )


def test_a_right_file_is_installed_and_nothing_is_built(box: Box, site: Site, heard: Heard) -> None:
    box.put_go_on_path()
    site.offer(CONSUL)

    consul = install(box, heard)["consul"]

    assert consul.origin == "release"
    assert consul.path.read_bytes() == program(CONSUL)
    assert consul.path.stat().st_mode & 0o777 == 0o755
    assert box.builds == []
    assert box.left_in_cache() == {"consul-1.19.2-linux-amd64"}


def test_the_second_time_it_comes_from_the_cache(box: Box, site: Site, heard: Heard) -> None:
    site.offer(CONSUL)
    install(box, heard)
    asked = len(site.asked)

    assert install(box, heard)["consul"].origin == "cache"
    assert len(site.asked) == asked


def test_a_wrong_file_is_an_error_and_never_built_instead(
    box: Box, site: Site, heard: Heard
) -> None:
    box.put_go_on_path()
    path = site.offer(CONSUL)
    site.answers[path][0].body = b"not what was promised"

    with pytest.raises(ServerRefused, match="is not what the list of sums names"):
        install(box, heard)

    assert box.builds == []
    assert box.left_in_cache() == set()
    assert heard.failures == 1


def test_a_truncated_file_is_fetched_once_more(box: Box, site: Site, heard: Heard) -> None:
    path = site.offer(CONSUL)
    whole = site.answers[path][0]
    site.answers[path] = [Answer(whole.body, cut=100), whole]

    assert install(box, heard)["consul"].origin == "release"
    assert "broke off after" in heard.notes[-1]


def test_a_file_that_stays_truncated_is_not_used_and_the_server_is_built(
    box: Box, site: Site, heard: Heard
) -> None:
    box.put_go_on_path()
    path = site.offer(CONSUL)
    site.answers[path][0].cut = 100

    assert install(box, heard)["consul"].origin == "build"
    assert site.asked.count(path) == 2


def test_a_truncated_file_of_unannounced_length_has_the_wrong_checksum(
    box: Box, site: Site, heard: Heard
) -> None:
    box.put_go_on_path()
    path = site.offer(CONSUL)
    site.answers[path][0].cut = 100
    site.answers[path][0].announce = False

    with pytest.raises(ServerRefused, match="SHA-256"):
        install(box, heard)


def test_a_site_without_this_version_falls_through_to_the_build(
    box: Box, site: Site, heard: Heard
) -> None:
    box.put_go_on_path()

    assert install(box, heard)["consul"].origin == "build"


def test_a_list_that_does_not_name_the_file_falls_through_to_the_build(
    box: Box, site: Site, heard: Heard
) -> None:
    box.put_go_on_path()
    path = site.offer(CONSUL)
    site.answers[path.rsplit("/", 1)[0] + "/consul_1.19.2_SHA256SUMS"][0].body = b"cut o"

    assert install(box, heard)["consul"].origin == "build"
    assert path not in site.asked


def test_a_failing_site_falls_through_to_the_build(box: Box, site: Site, heard: Heard) -> None:
    box.put_go_on_path()
    path = site.offer(CONSUL)
    site.answers[path][0].status = 503

    assert install(box, heard)["consul"].origin == "build"


def test_an_unreachable_site_falls_through_quietly(box: Box, heard: Heard) -> None:
    box.put_go_on_path()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        box.environ["FLOWREX_RELEASES_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert install(box, heard)["consul"].origin == "build"

    assert not any("out of reach" in note for note in heard.notes)


def test_an_unreachable_site_is_not_waited_for_again(
    box: Box, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.put_go_on_path()
    box.environ["FLOWREX_RELEASES_URL"] = "https://mirror.example"
    asked: list[str] = []

    def refuse(request: urllib.request.Request, **options: object) -> None:
        asked.append(request.full_url)
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    install(box, heard, "consul", "nomad")

    assert asked == ["https://mirror.example/consul/1.19.2/consul_1.19.2_SHA256SUMS"]


def test_an_archive_without_the_server_is_an_error(box: Box, site: Site, heard: Heard) -> None:
    box.put_go_on_path()
    site.offer(CONSUL, member="something-else")

    with pytest.raises(ServerRefused, match="no consul in it"):
        install(box, heard)


def test_a_release_that_is_another_version_is_not_installed(
    box: Box, site: Site, heard: Heard
) -> None:
    site.offer(CONSUL, content=program(CONSUL, version="1.0.0"))

    with pytest.raises(ConfigurationError, match=r"release of consul 1\.19\.2 says .* 1\.0\.0"):
        install(box, heard)
    assert box.left_in_cache() == set()


def test_what_has_no_release_is_never_asked_for(box: Box, site: Site, heard: Heard) -> None:
    box.put_go_on_path()

    assert install(box, heard, "versitygw")["versitygw"].origin == "build"
    assert site.asked == []


@pytest.mark.parametrize(
    "url", ["http://mirror.example", "ftp://mirror.example", "mirror.example", "https://"]
)
def test_a_site_that_is_not_https_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="FLOWREX_RELEASES_URL"):
        ReleaseSite.from_environ({"FLOWREX_RELEASES_URL": url})


@pytest.mark.parametrize("url", ["https://mirror.example/releases/", "http://localhost:1", "off"])
def test_a_mirror_with_https_or_on_this_machine_is_accepted(url: str) -> None:
    ReleaseSite.from_environ({"FLOWREX_RELEASES_URL": url})
