import sys
from pathlib import Path

from generator.dev import layer
from generator.dev.layout import Layout
from generator.environment import load

PROJECT = Path(__file__).parents[4]
LAYOUT = Layout(Path("/state"), 26000)


def test_the_environment_dev_takes_its_addresses_from_the_cluster(tmp_path: Path) -> None:
    layer.write(Layout(tmp_path, 26000))
    dev = load(PROJECT, "dev", environ={"FLOWREX_DEV_DIR": str(tmp_path)})
    assert dev.servers.nomad == "http://127.0.0.1:26046"
    assert dev.servers.consul == "http://127.0.0.1:26050"
    assert dev.servers.vault == "http://127.0.0.1:26082"
    assert (dev.postgres.port, dev.redis.port, dev.nginx.port) == (26032, 26079, 26080)
    assert dev.nginx.tls.port == 26081
    assert dev.frontend.api == "http://127.0.0.1:26080"
    assert dev.s3.endpoint == "http://127.0.0.1:26070"


def test_production_takes_nothing_from_the_cluster(tmp_path: Path) -> None:
    layer.write(Layout(tmp_path, 26000))
    assert load(PROJECT, "prod", environ={"FLOWREX_DEV_DIR": str(tmp_path)}).redis.port == 6379


def test_tasks_run_on_the_interpreter_under_the_virtual_environment() -> None:
    found = Path(layer.interpreter())
    assert found.is_file()
    assert not found.is_relative_to(Path(sys.prefix)) or sys.prefix == sys.base_prefix


def test_without_nginx_its_path_is_left_to_the_environment() -> None:
    assert "nginx" not in layer.document(LAYOUT, python="/p", nginx=None)["platform"]


def test_the_frontend_runs_on_the_node_that_this_machine_has() -> None:
    document = layer.document(LAYOUT, python="/p", nginx=None, node="/opt/node")
    assert document["platform"] == {"python": "/p", "node": "/opt/node"}


def test_what_watches_is_started_from_where_this_machine_has_it() -> None:
    document = layer.document(
        LAYOUT,
        python="/p",
        nginx=None,
        watching={"prometheus": "/opt/p", "node_exporter": "/opt/n"},
    )
    assert document["prometheus"] == {"program": "/opt/p", "port": 26090}
    assert document["node_exporter"] == {"program": "/opt/n"}
    assert document["alertmanager"] == {"port": 26093}
