"""Values as HCL2 source text.

The rules are those of the HCL native syntax specification, "Template Expressions" and "Literals":
inside a quoted template a backslash escapes, and `${` and `%{` begin an interpolation unless the
first sign is doubled.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from markupsafe import Markup

from flowrex.errors import RenderError

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEVER_CLOSED = re.compile(r"([$%])\{(?![^}]*\})")
_RUNTIME = re.compile(r"\$\{(?:NOMAD_[A-Za-z_]+|(?:attr|meta|node|env)\.[A-Za-z0-9_.]+)\}")


class Hcl(Markup):
    """Text that is HCL already and is written as it stands."""


def quote(text: str) -> Hcl:
    """Return `text` as an HCL string that means exactly `text`, whatever is in it.

    Args:
        text: any text that has no lone surrogates.

    Raises:
        RenderError: the text can't be written as UTF-8, or holds a NUL.
    """
    return Hcl(f'"{_escaped(text)}"')


def runtime(text: str) -> Hcl:
    """Return `text` as an HCL string in which Nomad's own variables stay variables.

    Args:
        text: for example `${NOMAD_IP_http}:${NOMAD_PORT_http}`; anything else that looks like an
            interpolation is quoted as in `quote`.
    """
    parts = _RUNTIME.split(text)
    variables = [*_RUNTIME.findall(text), ""]
    body = "".join(_escaped(part) + name for part, name in zip(parts, variables, strict=True))
    return Hcl(f'"{body}"')


def heredoc(text: str, label: str = "EOT") -> Hcl:
    """Return `text` as an HCL heredoc, for templates that people read in plans.

    Args:
        text: lines; a missing last newline is added, since a heredoc always ends with one.
        label: the word that ends it; lengthened where a line of the text is that word.
    """
    _refuse_unwritable(text)
    if "\r" in text:
        return quote(text)  # HCL gives a heredoc's line ends no escape
    lines = text.splitlines()
    while any(line.strip() == label for line in lines):
        label += "_"
    body = text if text.endswith("\n") else text + "\n"
    return Hcl(f"<<{label}\n{_doubled(body)}{label}")


def identifier(text: str) -> Hcl:
    """Return `text` unquoted, to stand before an equals sign.

    Raises:
        RenderError: it is no identifier.
    """
    if not _IDENTIFIER.fullmatch(text):
        raise RenderError(f"{text!r} can't be a name in HCL; expected letters, digits and _")
    return Hcl(text)


def literal(value: object) -> Hcl:
    """Return any setting's value as HCL; what a template writes passes through here.

    Args:
        value: text, a number, a truth value, or a sequence or mapping of them.

    Raises:
        RenderError: a value of any other kind, None among them.
    """
    if isinstance(value, Markup):
        return Hcl(value)
    if isinstance(value, bool):
        return Hcl("true" if value else "false")
    if isinstance(value, int | float):
        return Hcl(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, tuple | list):
        return Hcl("[" + ", ".join(literal(item) for item in value) + "]")
    if isinstance(value, Mapping):
        items = (f"{quote(str(key))} = {literal(item)}" for key, item in value.items())
        return Hcl("{ " + ", ".join(items) + " }")
    raise RenderError(f"{value!r} can't be written as HCL")


def _escaped(text: str) -> str:
    _refuse_unwritable(text)
    escaped = "".join(
        _ESCAPES.get(character)
        or (f"\\u{ord(character):04x}" if _is_control(character) else character)
        for character in text
    )
    # Doubled, python-hcl2 would read on to the next brace that closes one, wherever that is.
    never_closed = _NEVER_CLOSED.sub(lambda sign: f"\\u{ord(sign[1]):04x}{{", escaped)
    return _doubled(never_closed)


def _doubled(text: str) -> str:
    """Double the sign of each `${` and `%{`; a run of signs needs only its last one doubled."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _is_control(character: str) -> bool:
    return ord(character) < 32 or 0x7F <= ord(character) < 0xA0 or character in "\u2028\u2029\ufeff"


def _refuse_unwritable(text: str) -> None:
    if not unicodedata.is_normalized("NFC", text):
        raise RenderError(
            f"{text!r} would arrive changed: HCL brings all text to Unicode's normal form C",
            hint="Write it in that form, with composed letters.",
        )
    if "\0" in text:
        raise RenderError("a value holds a NUL character, which no task can be given")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RenderError(f"a value can't be written as UTF-8: {error.reason}") from error
