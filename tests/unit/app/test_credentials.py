from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.store import credentials
from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic


def test_a_lease_is_read(tmp_path: Path) -> None:
    file = tmp_path / "database.json"
    file.write_text(json.dumps({"username": "u", "password": "p"}))
    lease = credentials.read(file)
    assert lease.username == "u"
    assert lease.password.reveal() == "p"


def test_half_a_lease_is_refused_unseen(tmp_path: Path) -> None:
    file = tmp_path / "database.json"
    file.write_text('{"username": "u", "password": "half-a-wo')
    with pytest.raises(ConfigurationError) as caught:
        credentials.read(file)
    assert "half-a-wo" not in caught.value.message


def test_a_replaced_file_is_another_even_with_equal_content(tmp_path: Path) -> None:
    file = tmp_path / "database.json"
    write_atomic(file, "same")
    before = credentials.identity(file)
    assert credentials.identity(file) == before
    write_atomic(file, "same")
    assert credentials.identity(file) != before


def test_no_file_has_no_identity(tmp_path: Path) -> None:
    assert credentials.identity(tmp_path / "none") is None
