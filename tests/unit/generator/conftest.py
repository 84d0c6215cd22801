from __future__ import annotations

from pathlib import Path

import pytest

from generator.environment import Environment, load

ROOT = Path(__file__).parents[3]


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """The environment dev as the repository has it, whatever cluster runs on this machine."""
    monkeypatch.setenv("FLOWREX_DEV_DIR", str(tmp_path / "none"))
    return load(ROOT, "dev")
