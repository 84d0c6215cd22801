"""Documents and pages over HTTP, from what has no client library here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flowrex.errors import ServerRefused, ServerUnreachable

_TIMEOUT_S = 10.0


class Fetch(Protocol):
    """Returns the JSON document at a URL."""

    def __call__(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """Ask; `params` is the query.

        Raises:
            ServerUnreachable: nobody answers, or the answer is none.
        """


@dataclass(frozen=True)
class Page:
    """An answer, as it came.

    Attributes:
        status: of HTTP.
        text: the body.
    """

    status: int
    text: str


def page(url: str) -> Page:
    """Return the page at a URL, whatever its status; redirects are not followed.

    Args:
        url: where.

    Raises:
        ServerUnreachable: nobody answers.
    """
    import requests

    try:
        answer = requests.get(url, timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.RequestException as error:
        raise ServerUnreachable(f"{url} does not answer: {error}") from error
    return Page(answer.status_code, answer.text)


def fetch(url: str, params: Mapping[str, str] | None = None) -> Any:
    """Return the JSON document at a URL.

    Args:
        url: without a query.
        params: the query.

    Raises:
        ServerUnreachable: nobody answers; `ServerRefused` where the answer is none.
    """
    import requests

    try:
        answer = requests.get(url, params=params, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()
    except requests.exceptions.HTTPError as error:
        raise ServerRefused(f"{url} answers {answer.status_code}: {answer.text[:300]}") from error
    except requests.exceptions.JSONDecodeError as error:
        raise ServerRefused(f"{url} answers what is no JSON") from error
    except requests.exceptions.RequestException as error:
        raise ServerUnreachable(f"{url} does not answer: {error}") from error
