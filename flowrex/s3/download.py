"""Reading an object piece by piece, going on where a connection broke, and checking the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import requests

from flowrex.errors import FlowrexError, ServerRefused, ServerUnreachable
from flowrex.s3.answers import refusal
from flowrex.s3.model import SHA256, WrongChecksum
from flowrex.s3.transport import Transport

_TRIES_WITHOUT_PROGRESS = 3


@contextmanager
def opened(transport: Transport, bucket: str, key: str, chunk: int) -> Iterator[Iterator[bytes]]:
    """Give an object's content in pieces, see `S3Client.stream`."""
    pieces = _pieces(transport, transport.url(bucket, key), chunk)
    try:
        yield pieces
    finally:
        pieces.close()


def _pieces(transport: Transport, url: str, chunk: int) -> Generator[bytes, None, None]:
    action = f"read {url}"
    read, tag, size, wanted, failures = 0, "", -1, "", 0
    digest = hashlib.sha256()
    while size < 0 or read < size:
        # Only the same object may be continued; another one is refused by its tag.
        headers = {"range": f"bytes={read}-", "if-match": tag} if size >= 0 else {}
        before = read
        try:
            with transport.opened(action, "GET", url, {}, headers) as response:
                if response.status_code != (206 if headers else 200):
                    raise _no_content(transport, response, action)
                if size < 0:
                    size, tag, wanted = _measures(response, action)
                elif not response.headers.get("Content-Range", "").startswith(f"bytes {read}-"):
                    raise ServerRefused(f"can't {action}: the store goes on somewhere else")
                for piece in _read(transport, response, action, chunk):
                    digest.update(piece)
                    read += len(piece)
                    yield piece
        except ServerRefused:
            raise
        except ServerUnreachable:
            failures = 1 if read > before else failures + 1
            if failures >= _TRIES_WITHOUT_PROGRESS or (size >= 0 and not tag):
                raise
            transport.pause(failures)
    if read != size:
        raise WrongChecksum(f"can't {action}: {read} bytes came instead of {size}")
    if wanted and digest.hexdigest() != wanted:
        raise WrongChecksum(
            f"can't {action}: its SHA-256 is {digest.hexdigest()} instead of {wanted}"
        )


def _measures(response: requests.Response, action: str) -> tuple[int, str, str]:
    length = response.headers.get("Content-Length", "")
    if not length.isdigit():
        raise ServerRefused(f"can't {action}: the store does not say how long it is")
    recorded = response.headers.get(f"x-amz-meta-{SHA256}", "")
    return int(length), response.headers.get("ETag", ""), recorded


def _read(
    transport: Transport, response: requests.Response, action: str, chunk: int
) -> Iterator[bytes]:
    while True:
        with transport.mapped(action):
            piece = response.raw.read(chunk)
        if not piece:
            response.raw.release_conn()
            return
        yield piece


def _no_content(transport: Transport, response: requests.Response, action: str) -> FlowrexError:
    answer = transport.answer_of(response, action)
    if transport.passing(answer):
        # Worth another attempt, as a broken connection is.
        return ServerUnreachable(f"can't {action}: the store answers HTTP {answer.status}")
    return refusal(answer, action, transport.endpoint)
