from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests_mock

from app.consul import Connector
from flowrex.errors import ServerUnreachable
from flowrex.files import write_atomic

ADDRESS = "http://127.0.0.1:8500"


@pytest.fixture
def server() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        mocker.get(f"{ADDRESS}/v1/kv/key", status_code=404, headers={"X-Consul-Index": "1"})
        yield mocker


def token_of(server: requests_mock.Mocker, connect: Connector) -> str | None:
    connect().kv_get("key")
    assert server.last_request is not None
    token: str | None = server.last_request.headers.get("X-Consul-Token")
    return token


def test_the_files_token_is_sent_and_a_new_one_is_taken_up(
    server: requests_mock.Mocker, tmp_path: Path
) -> None:
    file = tmp_path / "consul_token"
    connect = Connector(ADDRESS, file)
    file.write_text("first\n")
    assert token_of(server, connect) == "first"
    assert connect() is connect()
    write_atomic(file, "second")
    assert token_of(server, connect) == "second"


def test_without_a_file_named_it_asks_as_anonymous(server: requests_mock.Mocker) -> None:
    assert token_of(server, Connector(ADDRESS, None)) is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_token_that_cant_be_read_is_consul_out_of_reach(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "consul_token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServerUnreachable, match="consul_token"):
        Connector(ADDRESS, file)()


def test_a_file_that_goes_away_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "consul_token"
    file.write_text("first")
    connect = Connector(ADDRESS, file)
    connect()
    file.unlink()
    with pytest.raises(ServerUnreachable):
        connect()
