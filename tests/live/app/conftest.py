"""A database and a cache of the application's own; the cluster is not needed here."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowrex.files import write_atomic
from tests.live.app.process import ROOT
from tests.live.app.servers import Postgres, Redis, postgres, redis

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def area() -> Iterator[Path]:
    """A folder that PostgreSQL's user may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="flowrex-app-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database(area: Path) -> Iterator[Postgres]:
    with postgres(area / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def cache(area: Path) -> Iterator[Redis]:
    with redis(area / "redis") as server:
        yield server


@dataclass
class Place:
    """One application's surroundings: its files and its variables."""

    folder: Path
    database: Postgres
    environ: dict[str, str]

    @property
    def credentials(self) -> Path:
        return Path(self.environ["FLOWREX_DATABASE_CREDENTIALS"])

    def lease(self, role: str = "flowrex_app") -> dict[str, str]:
        """Make a login as Vault does and return it."""
        name = f"v_{os.getpid()}_{next(_numbers)}"
        login = {"username": name, "password": f"pass-{name}"}
        self.database.lease(name, login["password"], role)
        return login

    def hand_over(self, login: object) -> None:
        """Replace the credentials file as Nomad's template does."""
        write_atomic(self.credentials, json.dumps(login), mode=0o600)


@pytest.fixture(scope="session")
def migrated(database: Postgres, area: Path) -> Postgres:
    """The database with the schema that this release expects."""
    place = _place(area / "migrate", database)
    place.hand_over(place.lease("flowrex_owner"))
    subprocess.run(
        [sys.executable, "-m", "app.migrate"],
        cwd=ROOT, check=True, env={**os.environ, **place.environ}, capture_output=True,
    )  # fmt: skip
    return database


@pytest.fixture
def place(migrated: Postgres, cache: Redis, tmp_path: Path) -> Place:
    """Everything that an application needs to run, with a lease of its own."""
    place = _place(tmp_path / "place", migrated)
    (place.folder / "metrics").mkdir()
    write_atomic(
        place.folder / "app.json",
        json.dumps(
            {
                "jwt_secret_key": "not-a-real-key",
                "redis_username": cache.username,
                "redis_password": cache.password,
            }
        ),
        mode=0o600,
    )
    place.environ |= {
        "FLOWREX_ENVIRONMENT": "test",
        "FLOWREX_RELEASE": "9.9.9",
        "FLOWREX_WORKERS": "2",
        "FLOWREX_DRAIN_SECONDS": "1",
        "FLOWREX_GRACEFUL_SECONDS": "5",
        "FLOWREX_SECRETS": str(place.folder / "app.json"),
        "FLOWREX_REDIS_HOST": "127.0.0.1",
        "FLOWREX_REDIS_PORT": str(cache.port),
        "PROMETHEUS_MULTIPROC_DIR": str(place.folder / "metrics"),
        # Nobody listens there: without a reading of the switch, everything but trading works.
        "FLOWREX_CONSUL_ADDRESS": "http://127.0.0.1:9",
        "FLOWREX_STATE_DIR": str(place.folder / "state"),
        "FLOWREX_AUDIT_DIR": str(place.folder / "audit"),
    }
    place.hand_over(place.lease())
    return place


def _place(folder: Path, database: Postgres) -> Place:
    folder.mkdir()
    return Place(
        folder,
        database,
        {
            "FLOWREX_DATABASE_HOST": "127.0.0.1",
            "FLOWREX_DATABASE_PORT": str(database.port),
            "FLOWREX_DATABASE_NAME": "flowrex",
            "FLOWREX_DATABASE_CREDENTIALS": str(folder / "database.json"),
        },
    )
