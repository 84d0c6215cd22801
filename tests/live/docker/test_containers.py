"""The platform's own images, run by Nomad's docker driver: what a container may do, and may not."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import eventually
from tests.live.docker.conftest import Containers

USER = 1000
TASKS = ("backend", "worker", "frontend", "nginx", "entry")
# MiB, as jobs/environments/dev.yaml has them.
MEMORY_MAX = {"backend": 512, "worker": 256, "frontend": 384, "nginx": 128, "entry": 128}


def the(containers: Containers, task: str) -> dict[str, Any]:
    (found,) = containers.engine.containers(task)
    return found


def processes(pid: int) -> list[int]:
    """Return a process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in processes(int(child)))]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def secrets(containers: Containers) -> set[str]:
    """Return what is secret in the tasks' folders."""
    found: set[str] = set()
    for folder in (containers.cluster.state / "alloc" / "1").glob("*/*/secrets"):
        for name in ("consul_token", "database.json", "app.json"):
            path = folder / name
            if path.is_file():
                text = path.read_text().strip()
                document = json.loads(text) if name.endswith(".json") else {"token": text}
                found |= {str(document[key]) for key in document if "username" not in key}
    return found


@contextmanager
def requests(containers: Containers) -> Iterator[list[str]]:
    """Ask the API through nginx again and again, and gather what did not go well."""
    failed: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.05):
            try:
                containers.cluster.get("/api/v1/version")
            except OSError as error:
                failed.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failed
    finally:
        over.set()
        thread.join()


def test_a_request_through_nginx_is_answered(containers: Containers) -> None:
    assert containers.cluster.get("/api/v1/version")["release"] == "0.1.0"
    assert containers.cluster.get("/health/ready")["status"] == "ready"
    with urllib.request.urlopen(containers.cluster.entry, timeout=10) as page:
        assert "<html" in page.read().decode()


@pytest.mark.parametrize("task", TASKS)
def test_every_process_is_a_user_without_rights_below_an_init(
    containers: Containers, task: str
) -> None:
    running = processes(the(containers, task)["State"]["Pid"])
    assert Path(f"/proc/{running[0]}/comm").read_text().strip() == "tini"
    assert len(running) > 1
    for one in map(status, running):
        assert set(one["Uid"].split()) == set(one["Gid"].split()) == {str(USER)}
        assert int(one["CapEff"], 16) == int(one["CapBnd"], 16) == 0
        assert one["NoNewPrivs"] == "1"


@pytest.mark.parametrize("task", TASKS)
def test_a_container_has_its_limits(containers: Containers, task: str) -> None:
    limits = the(containers, task)["HostConfig"]
    assert limits["Memory"] == MEMORY_MAX[task] * 1024**2
    assert limits["PidsLimit"] == 256
    assert limits["ReadonlyRootfs"] is True


@pytest.mark.parametrize("task", TASKS)
def test_the_images_own_health_check_passes(containers: Containers, task: str) -> None:
    found = the(containers, task)
    assert found["Config"]["Healthcheck"]["Test"]
    containers.engine.podman("healthcheck", "run", found["Id"])


def test_a_health_check_fails_where_nobody_answers(containers: Containers) -> None:
    wrong = ("--env", "FLOWREX_LISTEN=127.0.0.1:9")
    backend, nginx = the(containers, "backend")["Id"], the(containers, "entry")["Id"]
    engine = containers.engine
    engine.podman("exec", *wrong, backend, "python3", "-m", "app.alive", expect=1)
    done = ("--env", "FLOWREX_NGINX_PORT=9", nginx, "sh", "-c", "nginx-alive || exit 5")
    engine.podman("exec", *done, expect=5)


def test_no_secret_is_seen_by_who_looks_at_a_container(containers: Containers) -> None:
    hidden = secrets(containers)
    assert len(hidden) >= len(("backend's token", "worker's", "their logins", "Redis"))
    seen = json.dumps(containers.engine.containers())
    assert not [secret for secret in hidden if secret in seen]


@pytest.mark.parametrize("name", ["app", "frontend", "nginx"])
def test_an_image_says_what_it_is_and_lets_nobody_become_root(
    containers: Containers, name: str
) -> None:
    reference = f"localhost/flowrex-{name}:0.1.0"
    (image,) = json.loads(containers.engine.podman("image", "inspect", reference))
    assert image["Config"]["User"] == f"{USER}:{USER}"
    assert image["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert image["Labels"]["org.opencontainers.image.revision"]
    found = containers.engine.podman(
        "run", "--rm", "--network=host", "--user=0", "--entrypoint=find", reference,
        "/", "-xdev", "-type", "f", "(", "-perm", "/6000", "-o", "-path", "*/pip/__init__.py", ")",
    )  # fmt: skip
    assert not found


def test_a_new_version_is_tried_beside_the_old_and_takes_over(containers: Containers) -> None:
    with requests(containers) as failed:
        change = "backend.env.ROLLOUT=1"
        containers.deploy(settings=(change,), expect=9)
        assert len(containers.engine.names("backend")) == 2
        containers.cluster.run("promote", "dev", *containers.words(change), timeout=600)
        eventually(
            lambda: len(containers.engine.names("backend")) == 1,
            within=60,
            what="the old version's end",
        )
    assert "ROLLOUT=1" in the(containers, "backend")["Config"]["Env"]
    assert not failed
