"""PostgreSQL's own programs, where the server behind them does not answer."""

from pathlib import Path

import pytest

from flowrex.errors import ServerUnreachable
from generator.dev import postgres
from generator.dev.layout import Layout


def test_a_server_that_never_answers_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "psql").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "psql").chmod(0o755)
    monkeypatch.setattr(postgres, "programs", lambda: tmp_path)
    monkeypatch.setattr(postgres, "_SLOW_S", 0.1)
    with pytest.raises(ServerUnreachable, match=r"psql got no answer .* within 0.1 s") as caught:
        postgres.query(Layout(tmp_path, 20000), "SELECT 'a-password'")
    assert "a-password" not in caught.value.message
