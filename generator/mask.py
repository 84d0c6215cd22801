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
_SHAPES = (
    re.compile(r"\bhv[sbr]\.[\w-]{8,}"),
    re.compile(r"\b[\w+.-]+://[^/\s:@]*:(?P<secret>[^@/\s]+)@"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.|\n)*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
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


def shapes(text: str) -> str:
    """Mask what has the shape of a token, a key or a password wherever it stands."""
    for shape in _SHAPES:
        text = shape.sub(_masked_shape, text)
    return text


def _masked_shape(found: re.Match[str]) -> str:
    secret = found.groupdict().get("secret")
    return found[0].replace(f":{secret}@", f":{MASK}@") if secret else MASK
