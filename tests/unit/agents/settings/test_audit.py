"""The section `audit` says what does not fit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agents.settings import load
from agents.settings.audit import Retention
from flowrex.errors import ConfigurationError


def loaded(tmp_path: Path, text: str) -> object:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    return load(path).audit


def test_patterns_and_rules_are_read(tmp_path: Path) -> None:
    audit = loaded(
        tmp_path,
        "audit:\n  archive_bucket: old\n  sources: {access: /a/*.jsonl /b/*.jsonl}\n"
        "  retention: {access: 400d move}\n",
    )
    assert audit.patterns()["access"] == ["/a/*.jsonl", "/b/*.jsonl"]  # type: ignore[attr-defined]
    assert audit.kept()["access"] == Retention(timedelta(days=400), move=True)  # type: ignore[attr-defined]
    # The agents' own records are locked as long as any, and never removed.
    assert audit.locked()["agent"] == timedelta(days=1827)  # type: ignore[attr-defined]
    assert "agent" not in audit.kept()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "audit:\n  retention: {trading: 5y}\n",
            "agent.yaml:2: audit.retention has '5y' for trading",
        ),
        ("audit:\n  retention: {trading: 0d}\n", "has '0d' for trading"),
        ("audit:\n  sources: {access: /a}\n", "audit.retention does not have the class 'access'"),
        (
            "audit:\n  sources: {agent: /a}\n",
            "agent.yaml:2: audit.sources has 'agent', which can't be a class",
        ),
        ("audit:\n  retention: {trading: 5d move}\n", "audit.archive_bucket is empty"),
        ("audit:\n  longest_line: 10\n", "agent.yaml:2: audit.longest_line is 10"),
        ("audit:\n  sinks: {}\n", "agent.yaml:2: unknown setting 'audit.sinks'"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    assert said in str(caught.value)
