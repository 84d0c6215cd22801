"""What a YAML file may not be is refused with its line, whatever would be made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from flowrex.settings import source

_CHAIN = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))
# A few lines that stand for two to the power of thirty values.
_BOMB = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x: 1\na: &a [*a]\n", "2: what stands here has itself within it"),
        ("x: 1\na: &a\n  b:\n    c: *a\n", "has itself within it"),
        ("x: &x\n  <<: *x\n", "has itself within it"),
        ("x: 1\na: " + "[" * 33 + "]" * 33 + "\n", "2: is nested deeper than 32 levels"),
        ("x: " + "[" * 200_000, "1: is nested deeper than 32 levels"),
        ("x:\n" + "".join(" " * n + "a:\n" for n in range(1, 40)), "is nested deeper than 32"),
        (_CHAIN, "is nested deeper than 32 levels"),
        (_BOMB, "15: stands for more than 100000 values"),
        (
            "x: 1\n? &a [*a]\n: 1\n",
            "2: a list or a group of settings stands where a name is expected",
        ),
        ("x: 1\ny: !!timestamp 99\n", "2: '99' can't be read"),
    ],
)
def test_what_has_no_end_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"^agent\.yaml:\d+: ") as caught:
        source.read(path, "agent.yaml")
    assert says in caught.value.message


def test_an_alias_of_what_is_whole_is_its_value(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("a: &a {b: [1, 2]}\nc: *a\n")
    read = source.read(path, "agent.yaml").content
    assert isinstance(read, dict)
    assert read["c"].content == read["a"].content
