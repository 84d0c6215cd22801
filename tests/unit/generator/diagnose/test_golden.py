"""What is told of each kind of failure that was provoked on a cluster.

Beside each golden text is what Nomad and Consul answered, from which it is told here again;
`make diagnoses` provokes them all, and writes both anew.
"""

from __future__ import annotations

import pytest

from tests.diagnoses.fixture import GOLDEN, tell
from tests.diagnoses.kinds import KINDS

NAMES = [kind.name for kind in KINDS]


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_failure_is_told_as_it_was(name: str) -> None:
    assert tell(name) == (GOLDEN / f"{name}.txt").read_text()


def test_no_golden_file_is_without_its_kind() -> None:
    kept = {path.stem for path in GOLDEN.iterdir()}
    assert kept == set(NAMES)
    assert len(NAMES) == len(kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_failure_has_a_command_to_type_and_no_secret(name: str) -> None:
    told = (GOLDEN / f"{name}.txt").read_text()
    assert "flowrexctl " in told.splitlines()[-1]
    assert "hunter2" not in told
