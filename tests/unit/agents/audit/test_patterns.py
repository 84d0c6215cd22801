# ruff: noqa: PTH207 - the standard library's glob is what is compared with
"""The patterns find what the standard library's glob finds."""

from __future__ import annotations

from glob import glob
from pathlib import Path

import pytest

from agents.audit.patterns import Pattern


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "alloc/a1/alloc/audit/x.jsonl", "alloc/a1/alloc/audit/x.jsonl.1", "alloc/a1/alloc/audit/y",
        "alloc/a2/alloc/audit/.hidden.jsonl", "alloc/a2/other/audit/x.jsonl",
        "alloc/.a3/alloc/audit/x.jsonl", "alloc/a4[1]/alloc/audit/x.jsonl", "alloc/file",
        "volumes/one/audit/b.jsonl",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "alloc/*/alloc/audit/*.jsonl*",
        "alloc/*/*/audit/*",
        "alloc/a[12]/alloc/audit/*.jsonl",
        "alloc/a?/alloc/audit/x.jsonl",
        "alloc/*/alloc/audit/.*.jsonl",
        "alloc/.*/alloc/audit/*",
        "alloc/a4[[]1]/alloc/audit/*",
        "volumes/*/audit/*.jsonl",
        "nothing/*/audit/*.jsonl",
        "alloc/file/*",
        "*/*",
    ],
)
def test_it_finds_what_glob_finds(tree: Path, pattern: str) -> None:
    whole = f"{tree}/{pattern}"
    found = sorted(name for name in Pattern(whole).names() if Path(name).exists())
    assert found == sorted(glob(whole))


def test_a_pattern_without_magic_is_a_path(tree: Path) -> None:
    assert list(Pattern(f"{tree}/alloc/file").names()) == [f"{tree}/alloc/file"]


def test_the_root_itself_can_be_listed() -> None:
    assert sorted(Pattern("/*").names()) == sorted(glob("/*"))
