"""pip itself, without a network: what it says becomes a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, ServerUnreachable
from generator.artifact.packages import pip_install, site_packages


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)


def lock(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "app.lock"
    path.write_text(content)
    return path


def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def test_no_index_in_reach(tmp_path: Path) -> None:
    given = lock(tmp_path, f"not-a-package==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ServerUnreachable, match="can't fetch the locked packages"):
        pip_install(given, target(tmp_path))


def test_a_lock_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"app\.lock: pip can't install"):
        pip_install(lock(tmp_path, "this is no requirement\n"), target(tmp_path))


def test_an_empty_lock_needs_no_network(tmp_path: Path) -> None:
    assert site_packages(lock(tmp_path, "# nothing\n"), tmp_path / "cache").is_dir()


def test_a_cache_that_can_t_be_written_is_a_sentence(tmp_path: Path) -> None:
    # Root may write everywhere, but not even root may in /proc.
    with pytest.raises(ConfigurationError, match="can't keep packages in /proc"):
        site_packages(lock(tmp_path, "# nothing\n"), Path("/proc/self"))
