from pathlib import Path

import pytest

from generator.dev.layout import MAX_NODES, SPAN, Layout, state_dir

LAYOUT = Layout(Path("/state"), 20000, MAX_NODES)


def all_ports(layout: Layout) -> list[int]:
    fixed = [port for ports in layout.ports().values() for port in ports]
    dynamic = [
        port for node in layout.nodes for port in range(node.dynamic[0], node.dynamic[1] + 1)
    ]
    return [*fixed, *layout.job_ports(), *dynamic]


def test_no_port_is_used_twice() -> None:
    ports = all_ports(LAYOUT)
    assert len(ports) == len(set(ports))


def test_the_largest_cluster_stays_within_its_span() -> None:
    assert min(all_ports(LAYOUT)) >= 20000
    assert max(all_ports(LAYOUT)) < 20000 + SPAN


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("postgres", 32),
        ("replica", 33),
        ("redis", 79),
        ("s3", 70),
        ("s3_tls", 71),
        ("nginx", 80),
        ("prometheus", 90),
        ("alertmanager", 93),
        ("vault", 82),
    ],
)
def test_a_server_is_at_its_offset_from_the_base(name: str, offset: int) -> None:
    assert getattr(Layout(Path("/s"), 24000), name) == 24000 + offset


def test_each_node_is_a_hundred_ports_on() -> None:
    first, second, _ = LAYOUT.nodes
    assert (first.nomad_http, first.consul_http) == (20046, 20050)
    assert (second.nomad_http, second.consul_http) == (20146, 20150)
    assert second.dynamic == (21300, 21599)


def test_only_the_first_node_runs_servers() -> None:
    assert [node.is_server for node in LAYOUT.nodes] == [True, False, False]


def test_two_clusters_have_cgroups_of_their_own() -> None:
    assert LAYOUT.cgroup != Layout(Path("/state"), 24000).cgroup


@pytest.mark.parametrize(
    ("environ", "root_user", "expected"),
    [
        ({}, True, "/var/lib/flowrex/dev"),
        ({"HOME": "/home/ann"}, False, "/home/ann/.local/state/flowrex/dev"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/s"}, False, "/s/flowrex/dev"),
        ({"FLOWREX_DEV_DIR": "/elsewhere"}, True, "/elsewhere"),
    ],
)
def test_the_folder_follows_the_user_and_the_setting(
    environ: dict[str, str], root_user: bool, expected: str
) -> None:
    assert state_dir(environ, root_user=root_user) == Path(expected)


def test_the_folder_is_named_as_the_kernel_names_it(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    for environ, expected in (
        ({"FLOWREX_DEV_DIR": f"{tmp_path}/link/dev"}, "disk/dev"),
        ({"XDG_STATE_HOME": f"{tmp_path}/link"}, "disk/flowrex/dev"),
        ({"HOME": f"{tmp_path}/link"}, "disk/.local/state/flowrex/dev"),
    ):
        assert state_dir(environ, root_user=False) == tmp_path / expected
