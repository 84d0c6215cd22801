"""What must not be shown of a value, decided by its name and its shape.

Rendered jobs hold no secrets; this is the second line, for the day somebody writes one into an
environment file or a template.
"""

from __future__ import annotations

import re

MASK = "***"

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|private_?key|access_?key|signing_?key"
    r"|encryption_?key|_key$|credential|dsn$",
    re.IGNORECASE,
)
# What such names often hold without being secret: where the secret is, not what it is.
# A lone part after a slash is none: secrets in base64 begin with one, too.
_PLACE = re.compile(
    r"(|/|\.{0,2}(/[\w.-]+){2,}|\$\{[\w.]+\}(/[\w.-]+)*|secrets(/[\w.-]+)+"
    r"|[\w-]+/data(/[\w.-]+)+|true|false)"
)
_ASSIGNMENT = re.compile(
    r"""(?P<head>["']?(?P<name>[A-Za-z_][\w.-]*)["']?\s*[:=]\s*)(?P<value>"[^"]*"|'[^']*'|[^\s,;]+)"""
)
# A key first, while it is whole; of one whose beginning was cut off, all before its end. None of
# them may look back far: a log is long, and may be of one kind of character.
_SHAPES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----[\s\S]*?(-----END [A-Z ]*-----|\Z)"),
    re.compile(r"\A[A-Za-z0-9+/=\s]*-----END [A-Z ]*PRIVATE KEY[A-Z ]*-----"),
    re.compile(r"\bhv[sbr]\.[\w-]{8,}"),
    re.compile(r"://[^/\s:@]*:(?P<password>[^@/\s]+)@"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    # A word after it has no digit, and is not filled up with `=`.
    re.compile(
        r"\b(?:Bearer|Basic)\s+(?P<token>(?=[\w.~+/-]*(?:\d|=+(?![\w\"'])))[\w.~+/-]{8,}=*)",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:A3T[0-9A-Z]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{22,}"),
    re.compile(r"\bgl(?:pat|dt|ft|rt|ptt|cbt|agent|oas|soat)-[\w-]{20,}"),
    re.compile(r"\bxox[a-z]-[\w-]{8,}|\bxapp-[\w-]{8,}|\bhooks\.slack\.com/services/[\w/]+"),
    re.compile(r"\b[rs]k_live_[0-9A-Za-z]{24,}"),
    re.compile(r"\bSG\.[\w-]{22}\.[\w-]{43}\b"),
    re.compile(r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{70,}"),
    re.compile(r"\bsk-(?:[\w-]{0,40}-)?[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b"),
    re.compile(r"\bsq0csp-[\w-]{43}|\b(?:AC|SK)[0-9a-f]{32}\b|\b[0-9a-z]{32}-us\d{1,2}\b"),
    re.compile(r"\bAccountKey=[A-Za-z0-9+/=]{88}|\b\d{8,10}:[\w-]{35}(?![\w-])"),
    re.compile(r"\b[MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27}"),
)


def looks_secret(name: str) -> bool:
    """Tell whether a setting of this name is likely to hold a secret."""
    return bool(_SECRET_NAME.search(name))


def value(name: str, text: str) -> str:
    """Return `text` as it may be shown for the setting `name`."""
    if looks_secret(name) and not _PLACE.fullmatch(text):
        return MASK
    return shapes(text)


def line(text: str) -> str:
    """Return one line of a file with the values of secret-looking names masked."""
    if "{{" in text:
        # A template action names where a secret is, which is what the reader must see.
        return shapes(text)

    def masked(found: re.Match[str]) -> str:
        raw = found["value"]
        bare = raw.strip("\"'")
        shown = value(found["name"], bare)
        return found["head"] + (raw if shown == bare else shown)

    return shapes(_ASSIGNMENT.sub(masked, text))


def lines(text: str) -> list[str]:
    """Return the lines of a log with secrets masked; a key may go over several of them."""
    return [line(one) for one in shapes(text).splitlines()]


def shapes(text: str) -> str:
    """Mask what has the shape of a token, a key or a password wherever it stands.

    Args:
        text: all of it: a key goes over many lines, and of one line nobody can tell.
    """
    for shape in _SHAPES:
        text = shape.sub(_masked_shape, text)
    return text


def _masked_shape(found: re.Match[str]) -> str:
    for name, secret in found.groupdict().items():
        begin, end = (at - found.start() for at in found.span(name))
        if secret:
            return found[0][:begin] + MASK + found[0][end:]
    return MASK
