"""Images in a real registry: pushed, written down by their digests, and found by them again."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex.errors import ServerUnreachable
from generator.images import build, builder, manifest
from generator.images.manifest import Built, Manifest
from tests.cluster import eventually, heed_interruptions
from tests.live.docker.conftest import PORT_BASE
from tests.live.docker.engine import Engine

PORT = PORT_BASE + 1900
REGISTRY = f"127.0.0.1:{PORT}/team"
_SETTINGS = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[None]:
    settings = tmp_path / "registry.yml"
    settings.write_text(_SETTINGS.format(folder=tmp_path / "registry", port=PORT))
    log = (tmp_path / "registry.log").open("w+")
    process = subprocess.Popen(
        ["docker-registry", "serve", str(settings)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=heed_interruptions,
    )
    try:
        eventually(lambda: _listens(process), what="the registry's port")
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _listens(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the registry ended"
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", PORT)) == 0


@pytest.fixture
def small(
    own_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Manifest]:
    """Two images of a few bytes, as a build leaves them."""
    for name, value in own_engine.variables.items():
        monkeypatch.setenv(name, value)
    images = {}
    for name in ("app", "nginx"):
        (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        reference = f"{REGISTRY}/flowrex-{name}:9.9.9"
        label = f"--label=which={name}"
        image = own_engine.podman("build", "--quiet", label, "--tag", reference, str(tmp_path))
        images[name] = Built(reference, f"sha256:{image}", 1)
    return tmp_path, Manifest("9.9.9", REGISTRY, None, images)


def told(image: str, line: str) -> None:
    """Nobody looks."""


@pytest.mark.usefixtures("registry")
def test_what_was_pushed_is_found_by_its_digest(
    own_engine: Engine, small: tuple[Path, Manifest]
) -> None:
    root, built = small
    podman = builder.find("podman", {"PATH": "/usr/bin"})
    pushed = build.push(root, built, podman, tell=told)
    digests = manifest.digests(root, "9.9.9", REGISTRY)
    assert digests == {name: one.digest for name, one in pushed.images.items()}
    assert len(set(digests.values())) == 2
    own_engine.podman("rmi", "--force", built.images["app"].reference)
    own_engine.podman("pull", f"{REGISTRY}/flowrex-app@{digests['app']}")


def test_a_registry_that_is_away_is_out_of_reach(small: tuple[Path, Manifest]) -> None:
    root, built = small
    podman = builder.find("podman", {"PATH": "/usr/bin"})
    with pytest.raises(ServerUnreachable):
        build.push(root, built, podman, tell=told)
