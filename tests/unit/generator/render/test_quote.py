"""No value breaks out of its string: what was quoted reads back as it was."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import hcl2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowrex.errors import RenderError
from generator.render import quote

# HCL knows no other form of a text; what is in another is refused.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(
    lambda value: unicodedata.normalize("NFC", value)
)

_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def unquote(literal: str) -> str:
    """Read a quoted HCL template as its specification says, and refuse an interpolation in it."""
    assert literal[0] == literal[-1] == '"'
    result, rest = "", literal[1:-1]
    while rest:
        if rest[0] == "\\":
            if rest[1] == "u":
                result, rest = result + chr(int(rest[2:6], 16)), rest[6:]
            else:
                result, rest = result + _SIMPLE[rest[1]], rest[2:]
            continue
        assert rest[0] not in '"\n', "the string ends early"
        if rest.startswith(("$${", "%%{")):
            result, rest = result + rest[1:3], rest[3:]
            continue
        assert not rest.startswith(("${", "%{")), "an interpolation begins"
        result, rest = result + rest[0], rest[1:]
    return result


@given(text)
@example('"')
@example("\\")
@example("${secret}")
@example("$${x}")
@example("$$${x}")
@example("%{ if true }")
@example('"\n}\njob "evil" {')
@example("Zürich 東京 \U0001f4b9")
@example("\u2028\u0085\x7f\ufeff")
def test_a_quoted_value_reads_back_as_it_was(value: str) -> None:
    assert unquote(str.__str__(quote.quote(value))) == value


@given(text)
@example("${")
@example("%{ never closed")
@example("%{ } %{ $${")
def test_a_quoted_value_stays_one_attribute_of_its_block(value: str) -> None:
    document = hcl2.loads(f"before = 1\nblock {{\n  a = {quote.quote(value)}\n}}\nafter = 2\n")
    assert document["before"] == 1
    assert document["after"] == 2
    assert set(document["block"][0]) - {"__is_block__"} == {"a"}


@given(text)
@example("EOT")
@example("  EOT\nEOT_")
@example("{{ key }}\n${x} %{y}")
def test_a_heredoc_ends_where_its_text_ends(value: str) -> None:
    document = hcl2.loads(f"before = 1\na = {quote.heredoc(value)}\nafter = 2\n")
    assert set(document) - {"__comments__", "__inline_comments__"} == {"before", "a", "after"}


def test_a_heredoc_keeps_a_label_free_of_its_own_lines() -> None:
    assert quote.heredoc("a\nEOT\nb").startswith("<<EOT_\n")


def test_a_heredoc_keeps_no_interpolation() -> None:
    assert "$${a} %%{b}" in quote.heredoc("${a} %{b}\n")


def test_runtime_keeps_what_nomad_fills_in_and_nothing_else() -> None:
    literal = quote.runtime('${NOMAD_IP_http}:${NOMAD_PORT_http} ${meta.a.b} ${upper("x")}')
    assert literal == '"${NOMAD_IP_http}:${NOMAD_PORT_http} ${meta.a.b} $${upper(\\"x\\")}"'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (3, "3"),
        (("a", 'b"'), '["a", "b\\""]'),
        ({"k": "v"}, '{ "k" = "v" }'),
    ],
)
def test_a_setting_becomes_a_literal_of_its_kind(value: object, expected: str) -> None:
    assert quote.literal(value) == expected


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_text_that_no_task_can_be_given_is_refused(value: str) -> None:
    with pytest.raises(RenderError):
        quote.quote(value)


@pytest.mark.parametrize("value", ["A-B", "1A", "", 'A" = "', "Ä"])
def test_a_name_that_is_no_identifier_is_refused(value: str) -> None:
    with pytest.raises(RenderError, match=re.escape(repr(value))):
        quote.identifier(value)


@pytest.mark.parametrize("value", ["e\u0301", "\U0002f800", "\u212b"])
@pytest.mark.parametrize("write", [quote.quote, quote.heredoc, quote.runtime])
def test_a_text_that_hcl_would_change_is_refused(write: Any, value: str) -> None:
    with pytest.raises(RenderError, match="normal form C"):
        write(value)
