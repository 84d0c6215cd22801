from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, LockHeld
from generator.dev import state
from generator.dev.layout import Layout
from generator.dev.process import Identity
from generator.dev.state import ClusterState, ServerRecord

VAULT = ServerRecord("vault", Identity(7, 99, "boot"), 20082, "1.18.0", 1.5, "abc")


def test_what_was_started_is_read_back(tmp_path: Path) -> None:
    kept = ClusterState(Layout(tmp_path, 20000, 2))
    kept.started(VAULT)
    kept.set_configured("finger")
    assert state.load(tmp_path) == kept


def test_what_was_stopped_is_forgotten(tmp_path: Path) -> None:
    kept = ClusterState(Layout(tmp_path, 20000), {"vault": VAULT})
    kept.stopped("vault")
    found = state.load(tmp_path)
    assert found is not None
    assert found.servers == {}


def test_no_cluster_is_none(tmp_path: Path) -> None:
    assert state.load(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"base": 1}', '{"base": "x", "nodes": 1}'])
def test_a_broken_record_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"cluster\.json"):
        state.load(tmp_path)


def test_a_second_command_is_told_who_works_already(tmp_path: Path) -> None:
    with (
        state.locked(tmp_path),
        pytest.raises(LockHeld, match=r"pid \d+") as caught,
        state.locked(tmp_path),
    ):
        pass
    assert caught.value.exit_status == 8


def test_the_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with state.locked(tmp_path):
            pass


def test_a_folder_that_cant_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="can't be written"),
        state.locked(tmp_path / "file" / "dev"),
    ):
        pass
