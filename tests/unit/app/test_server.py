from __future__ import annotations

from pathlib import Path

import pytest

from app import metrics
from app.process_metrics import ServerProcesses
from app.server import options
from app.settings import load

VARIABLES = {
    "FLOWREX_DATABASE_HOST": "db",
    "FLOWREX_DATABASE_CREDENTIALS": "/none",
    "FLOWREX_SECRETS": "/none",
    "FLOWREX_REDIS_HOST": "redis",
    "FLOWREX_CONSUL_ADDRESS": "http://consul:8500",
    "FLOWREX_STATE_DIR": "/state",
    "FLOWREX_AUDIT_DIR": "/audit",
    "FLOWREX_DRAIN_SECONDS": "5",
    "FLOWREX_GRACEFUL_SECONDS": "20",
}


def test_the_master_waits_longer_than_its_workers_take() -> None:
    assert options(load(VARIABLES))["graceful_timeout"] > 25


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert options(load({**VARIABLES, "FLOWREX_LISTEN": "[::1]:8000"}))["bind"] == ["[::1]:8000"]


def test_no_control_socket_is_opened() -> None:
    assert options(load(VARIABLES))["control_socket_disable"] is True


def test_the_metrics_folder_is_made_and_emptied_of_values_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "metrics"
    metrics.prepare_folder(folder)
    (folder / "counter_17.db").write_bytes(b"old")
    (folder / "README").write_text("not ours")
    metrics.prepare_folder(folder)
    assert [path.name for path in folder.iterdir()] == ["README"]


def test_processes_are_summed_and_ended_children_still_count(tmp_path: Path) -> None:
    def stat(pid: int, utime: int, stime: int, ended: int, pages: int) -> None:
        fields = ["S", "1"] + ["0"] * 9 + [str(utime), str(stime), str(ended), "0"]
        fields += ["0"] * 6 + [str(pages)]
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a ) (b) {' '.join(fields)}\n")

    stat(10, 100, 50, 1000, 7)
    stat(11, 10, 5, 0, 3)
    children = tmp_path / "10" / "task" / "10"
    children.mkdir(parents=True)
    (children / "children").write_text("11 12 ")  # 12 has just ended
    cpu, memory = ServerProcesses(10, tmp_path).collect()
    assert cpu.samples[0].value == pytest.approx(1165 / 100)
    assert memory.samples[0].value == 10 * 4096


def test_without_proc_there_are_no_process_metrics(tmp_path: Path) -> None:
    assert list(ServerProcesses(10, tmp_path).collect()) == []
