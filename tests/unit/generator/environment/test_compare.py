from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import UsageError
from flowrex.settings import source
from generator.environment import compare
from generator.environment.compare import Written

BASE = """\
backend:
  count: 2
  env:
    LOG_LEVEL: info
    ONLY_HERE: "1"
platform:
  datacenters: [dc1]
  local: true
  note: null
"""


def tree(folder: Path, *texts: str) -> source.Value:
    layers = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.yaml"
        path.write_text(text)
        layers.append(source.read(path, path.name))
    merged = layers[0]
    for layer in layers[1:]:
        merged = source.merge(merged, layer)
    return merged


def test_each_setting_is_said_with_the_place_that_decides(tmp_path: Path) -> None:
    found = compare.written(tree(tmp_path, BASE, "# prod\nbackend:\n  count: 5\n"))
    assert found[0] == Written("backend.count", 5, "1.yaml", 3)
    assert found[0].place == "1.yaml:3"
    assert found[1] == Written("backend.env.LOG_LEVEL", "info", "0.yaml", 4)
    assert [one.path for one in found][2:] == [
        "backend.env.ONLY_HERE", "platform.datacenters", "platform.local", "platform.note",
    ]  # fmt: skip


def test_values_are_shown_as_they_are_written(tmp_path: Path) -> None:
    found = {one.path: compare.shown(one.value) for one in compare.written(tree(tmp_path, BASE))}
    assert found == {
        "backend.count": "2",
        "backend.env.LOG_LEVEL": "info",
        "backend.env.ONLY_HERE": "1",
        "platform.datacenters": "[dc1]",
        "platform.local": "true",
        "platform.note": "null",
    }


class TestChosen:
    def test_a_path_is_a_setting_or_all_below_it(self, tmp_path: Path) -> None:
        found = compare.written(tree(tmp_path, BASE))
        chosen = compare.chosen(found, ["backend.env", "platform.local"])
        assert [one.path for one in chosen] == [
            "backend.env.LOG_LEVEL", "backend.env.ONLY_HERE", "platform.local",
        ]  # fmt: skip
        assert compare.chosen(found, []) == found

    def test_a_part_of_a_name_is_none(self, tmp_path: Path) -> None:
        found = compare.written(tree(tmp_path, BASE))
        with pytest.raises(UsageError, match=r"no setting 'backend\.coun'") as caught:
            compare.chosen(found, ["backend", "backend.coun"])
        assert caught.value.hint == "Did you mean 'backend.count'?"


class TestDifferences:
    def test_only_what_differs_is_told_wherever_it_stands(self, tmp_path: Path) -> None:
        left = compare.written(tree(tmp_path, BASE))
        right = compare.written(tree(tmp_path, "# moved\n" + BASE, "backend:\n  count: 3\n"))
        (only,) = compare.differences(left, right)
        assert (only.path, only.left and only.left.value, only.right and only.right.value) == (
            "backend.count", 2, 3,
        )  # fmt: skip

    def test_what_one_has_not_at_all_differs(self, tmp_path: Path) -> None:
        left = compare.written(tree(tmp_path, BASE))
        (only,) = compare.differences(left, [one for one in left if "ONLY" not in one.path])
        assert (only.path, only.right) == ("backend.env.ONLY_HERE", None)

    def test_a_truth_is_no_number_and_null_is_not_nothing(self, tmp_path: Path) -> None:
        one = [Written("a", True, "f", 1), Written("b", None, "f", 2)]
        other = [Written("a", 1, "f", 1)]
        assert [each.path for each in compare.differences(one, other)] == ["a", "b"]
