"""A backup, encryption and upload included, against pg_dump piped into zstd and a file.

Both read the same database of one server, in turns. The peer writes a file; the backup goes through
the whole pipeline into the real S3 gateway on the same machine, which costs processor time too.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agents.backup import take
from agents.backup.catalog import Catalog
from agents.backup.take import Source
from bench.measure import Figure
from tests import gateway, postgres
from tests.faults.backup.conftest import OwnLogins, settings
from tests.unit.agents.backup.making import FakeKeys

MIB = 1 << 20
SIZE_MIB = int(os.environ.get("FLOWREX_BENCH_BACKUP_MIB", "512"))
ROUNDS = 3
# Such as orders have: ids, times, prices, a few words. It compresses about as theirs do.
_ROWS = """
INSERT INTO trades SELECT i, md5((i % 977)::text || i / 50)::uuid, now() - i * interval '1 second',
 (random() * 1e5)::numeric(12, 2), (random() * 100)::int, (ARRAY['buy', 'sell'])[1 + i % 2],
 'order ' || i || ' for account ' || i % 977 FROM generate_series({first}, {last}) AS i
"""


def run() -> list[Figure]:
    """Measure both sides in turns, and the memory that a backup takes."""
    with postgres.running() as server, tempfile.TemporaryDirectory(prefix="flowrex-bench-") as name:
        folder = Path(name)
        size = _fill(server)
        (folder / "s3").mkdir()
        with gateway.running(folder / "s3") as address:
            store = gateway.client(address, timeout_s=60)
            store.ensure_bucket("backups")
            books = Catalog(lambda: store, "backups", "flowrex")
            source = Source(
                settings(f"{server.server.host}:{server.server.port}", tables=("public.trades",)),
                "bench",
                "bench",
                books,
                FakeKeys(),
                OwnLogins(server.access),  # type: ignore[arg-type]
            )
            sides = {
                "backup": lambda number: _backup(source, number),
                "default": lambda number: _piped(server, folder, ["-Fc"]),
                "fastest": lambda number: _piped(server, folder, ["-Fc", "--compress=0"]),
            }
            seconds = _in_turns(sides)
    speed = size / MIB / seconds["backup"]
    ratios = {peer: seconds[peer] / seconds["backup"] for peer in ("default", "fastest")}
    return [
        Figure(
            f"backup of {size / MIB:.0f} MiB, sealed and uploaded, against `pg_dump -Fc | zstd` "
            "to a file",
            f"{speed:.0f} MiB/s, {ratios['default']:.2f} of the peer's speed",
            "at least 0.9",
            ratios["default"] >= 0.9,
        ),
        Figure(
            "the same against `pg_dump -Fc --compress=0 | zstd` to a file",
            f"{seconds['backup']:.1f} s / {seconds['fastest']:.1f} s, "
            f"{ratios['fastest']:.2f} of the peer's speed",
            "at least 0.9",
            ratios["fastest"] >= 0.9,
        ),
    ]


def _fill(server: postgres.Postgres) -> int:
    server.ask(
        "CREATE TABLE trades (id bigint, account uuid, at timestamptz, price numeric, amount int,"
        " side text, note text)"
    )
    first, step = 1, 500_000
    while True:
        server.ask(_ROWS.format(first=first, last=first + step - 1))
        first += step
        size = int(server.value("SELECT pg_database_size('flowrex')"))
        if size >= SIZE_MIB * MIB:
            server.ask("CHECKPOINT", "VACUUM trades")
            return size


def _backup(source: Source, number: int) -> None:
    take.take(source, "manual", name=f"manual_20260301_{number:06d}")


def _piped(server: postgres.Postgres, folder: Path, options: list[str]) -> None:
    access = server.access
    environ = access.environ(server.server, "flowrex")
    with (folder / "peer").open("wb") as file:
        dump = subprocess.Popen(
            [access.program("pg_dump"), *options], env=environ, stdout=subprocess.PIPE
        )
        squeezed = subprocess.run(["zstd", "-q", "-3", "-c"], stdin=dump.stdout, stdout=file)
        assert dump.stdout is not None
        dump.stdout.close()
        if dump.wait() or squeezed.returncode:
            raise SystemExit("pg_dump or zstd failed")


def _in_turns(sides: dict[str, Callable[[int], None]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, act in sides.items():
            began = time.perf_counter()
            act(number)
            if number:
                times[name].append(time.perf_counter() - began)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[Kround {number} of {ROUNDS}")
    return {name: statistics.median(values) for name, values in times.items()}
