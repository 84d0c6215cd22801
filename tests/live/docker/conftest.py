"""The platform in containers: images built here, run by Nomad's docker driver through podman."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.cluster import Cluster, copy_project, running
from tests.live.docker import engine
from tests.live.docker.engine import BASE, Engine

PORT_BASE = int(os.environ.get("FLOWREX_TEST_DOCKER_PORT_BASE", "16000"))
# What watches the platform brings images that are made elsewhere.
_OFF = ("node_exporter", "postgres_exporter", "redis_exporter", "nginx_exporter")
_SETTINGS = (
    "platform.driver=docker",
    "release.registry=localhost",
    # The service may not give more than it has.
    "platform.container.open_files=0",
    "deploy.deadline=5m",
    "backend.count=1",
    "worker.count=1",
    "frontend.count=1",
    # A container takes its time on a machine that does much else.
    *(
        f"{job}.health.{name}={value}"
        for job in ("backend", "worker", "frontend", "nginx")
        for name, value in {
            "grace": "90s",
            "healthy_deadline": "3m",
            "progress_deadline": "4m",
        }.items()
    ),
    *(f"{name}.enabled=false" for name in (*_OFF, "alertmanager", "prometheus")),
)


@dataclass(frozen=True)
class Containers:
    """The platform, and what runs it.

    Attributes:
        cluster: the cluster.
        engine: its containers.
    """

    cluster: Cluster
    engine: Engine

    def words(self, *settings: str) -> list[str]:
        """Return the overrides that make it run in containers, and more of them."""
        return [word for one in (*_SETTINGS, *settings) for word in ("--set", one)]

    def build(self) -> None:
        """Build the images, with podman."""
        self.cluster.run(
            "build", "--images", "dev", "--builder", "podman", "--base", BASE,
            "--builder-option=--network=host", *self.words(), timeout=900,
        )  # fmt: skip

    def deploy(self, *words: str, settings: tuple[str, ...] = (), expect: int = 0) -> None:
        """Release it, with other settings."""
        self.cluster.run(
            "run", "dev", "--yes", *self.words(*settings), *words, expect=expect, timeout=600
        )


@pytest.fixture(scope="module")
def own_engine() -> Iterator[Engine]:
    with engine.running() as own:
        yield own
    assert not engine.mounts(own.folder)
    assert not engine.processes(own.folder)
    assert not own.folder.exists()


@pytest.fixture(scope="module")
def containers(
    own_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containers]:
    """The platform in containers. That it can't be had is an error, never a skip."""
    more = {**own_engine.variables, "FLOWREX_DEV_DOCKER": own_engine.socket}
    folder = tmp_path_factory.mktemp("images")
    copy_project(folder / "project")
    maker = Containers(Cluster(folder / "project", folder / "none", PORT_BASE, more), own_engine)
    with ThreadPoolExecutor(1) as other:
        building = other.submit(maker.build)
        with running(PORT_BASE, deploy=False, more=more) as cluster:
            building.result()
            found = Containers(cluster, own_engine)
            found.deploy("--promote")
            yield found
    assert not own_engine.podman("ps", "--all", "--quiet"), "Nomad left containers"
