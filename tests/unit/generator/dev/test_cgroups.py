from pathlib import Path

from generator.dev import cgroups
from generator.dev.layout import Layout

OURS = "50ee3c01-ad5d-2474-5807-1f20999d253d"
THEIRS = "ed78f408-bd97-0a3f-aea1-f34965b22383"


def made(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


def test_with_v1_only_our_allocations_groups_are_ours(tmp_path: Path) -> None:
    memory, cpu = tmp_path / "memory/nomad", tmp_path / "cpu/nomad"
    made(memory / f"{OURS}.web", memory / f"{THEIRS}.web", cpu / f"{OURS}.web")
    made(tmp_path / "cpuset/nomad/reserve" / f"{OURS}.web.scope", tmp_path / "cpuset/nomad/share")
    found = cgroups.of_cluster(Layout(Path("/s"), 20000), {OURS}, tmp_path)
    assert found == [
        tmp_path / "cpuset/nomad/reserve" / f"{OURS}.web.scope",
        cpu / f"{OURS}.web",
        memory / f"{OURS}.web",
    ]


def test_with_v2_the_clusters_slice_is_ours_whole_and_inner_groups_come_first(
    tmp_path: Path,
) -> None:
    inner = tmp_path / "flowrex-20000.slice/share.slice"
    made(inner, tmp_path / "flowrex-24000.slice", tmp_path / "nomad.slice")
    found = cgroups.of_cluster(Layout(Path("/s"), 20000), set(), tmp_path)
    assert found == [inner, inner.parent]


def test_removing_leaves_other_clusters_groups(tmp_path: Path) -> None:
    ours, theirs = tmp_path / f"cpu/nomad/{OURS}.web", tmp_path / f"cpu/nomad/{THEIRS}.web"
    made(ours, theirs)
    (theirs / "cgroup.procs").touch()
    cgroups.remove(Layout(Path("/s"), 20000), {OURS}, tmp_path)
    assert not ours.exists()
    assert theirs.exists()


def test_a_groups_members_are_its_processes(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("12\n34\n")
    assert cgroups.members([tmp_path, tmp_path / "gone"]) == {12, 34}


def test_only_folders_named_by_an_id_are_allocations(tmp_path: Path) -> None:
    made(tmp_path / "alloc/1" / OURS, tmp_path / "alloc/1/something-else")
    assert cgroups.allocation_ids(Layout(tmp_path, 20000)) == {OURS}
