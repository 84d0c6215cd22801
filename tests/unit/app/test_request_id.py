from __future__ import annotations

import pytest

from app.middleware.request_id import choose


@pytest.mark.parametrize("given", ["order-4711-abc", "0123456789abcdef", "a" * 64, "A.b_c-d1"])
def test_a_sane_id_is_taken_over(given: str) -> None:
    assert choose(given) == given


@pytest.mark.parametrize(
    "given", [None, "", "short", "a" * 65, "has space!", 'quo"te-id', "new\nline-id", "-leading1"]
)
def test_any_other_gets_a_new_one(given: str | None) -> None:
    made = choose(given)
    assert made != given
    assert len(made) == 32


def test_each_is_another() -> None:
    assert choose(None) != choose(None)
