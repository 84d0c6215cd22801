from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.stub import Stubber

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.s3 import ObjectExists, S3Client, public_read_policy
from flowrex.secret import Secret

SHA256 = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def client() -> S3Client:
    return S3Client("http://127.0.0.1:1/", "dev", Secret("access"), Secret("hidden"), timeout_s=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def stubbed(client: S3Client) -> Stubber:
    stub = Stubber(client._client)
    stub.activate()
    return stub


def refuse(stub: Stubber, method: str, code: str, status: int = 400) -> None:
    stub.add_client_error(method, code, "the store's own words", status)


def test_a_store_that_is_not_there_is_a_sentence(client: S3Client) -> None:
    with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:1 does not answer"):
        client.list_buckets()


def test_an_endpoint_must_be_a_url() -> None:
    with pytest.raises(ConfigurationError, match="expected a URL"):
        S3Client("127.0.0.1:7070", "dev", Secret("a"), Secret("b"))


def test_settings_for_other_connections_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, client: S3Client
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent/bundle.pem")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
    local = S3Client("http://127.0.0.1:1", "dev", Secret("a"), Secret("b"), timeout_s=1)
    with pytest.raises(ServerUnreachable) as caught:
        local.list_buckets()
    assert "proxy" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDenied", 403, PermissionRefused),
        ("SignatureDoesNotMatch", 403, PermissionRefused),
        ("InvalidAccessKeyId", 403, PermissionRefused),
        ("403", 403, PermissionRefused),
        ("NoSuchBucket", 404, NotFound),
        ("InternalError", 500, ServerRefused),
        ("SomethingNew", 400, ServerRefused),
    ],
)
def test_a_refusal_carries_the_stores_words_and_no_key(
    client: S3Client, code: str, status: int, expected: type[FlowrexError]
) -> None:
    with stubbed(client) as stub:
        refuse(stub, "put_bucket_policy", code, status)
        with pytest.raises(expected) as caught:
            client.put_bucket_policy("artifacts", public_read_policy("artifacts"))
    assert type(caught.value) is expected
    assert "the store's own words" in caught.value.message
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize(
    "kind",
    sorted(
        (
            kind
            for kind in vars(botocore.exceptions).values()
            if isinstance(kind, type) and issubclass(kind, BotoCoreError)
        ),
        key=lambda kind: kind.__name__,
    ),
)
def test_no_exception_of_the_library_gets_through(
    client: S3Client, monkeypatch: pytest.MonkeyPatch, kind: type[BotoCoreError]
) -> None:
    def fail(**_: Any) -> None:
        raise kind.__new__(kind)

    monkeypatch.setattr(client._client, "list_buckets", fail)
    with pytest.raises(ServerUnreachable):
        client.list_buckets()


def test_a_missing_object_is_none(client: S3Client) -> None:
    with stubbed(client) as stub:
        refuse(stub, "head_object", "404", 404)
        assert client.head("artifacts", "key") is None


def test_a_bucket_is_made_once(client: S3Client) -> None:
    with stubbed(client) as stub:
        refuse(stub, "head_bucket", "404", 404)
        stub.add_response(
            "create_bucket", {}, {"Bucket": "backups", "ObjectLockEnabledForBucket": True}
        )
        stub.add_response("head_bucket", {})
        assert client.ensure_bucket("backups", object_lock=True) is True
        assert client.ensure_bucket("backups", object_lock=True) is False


def test_a_store_without_lifecycle_rules_is_told_by_the_answer(client: S3Client) -> None:
    with stubbed(client) as stub:
        refuse(stub, "put_bucket_lifecycle_configuration", "NotImplemented", 501)
        stub.add_response("put_bucket_lifecycle_configuration", {})
        assert client.set_lifecycle("backups", expire_days=30) is False
        assert client.set_lifecycle("backups", expire_days=30) is True


def test_an_upload_asks_that_nothing_be_replaced(client: S3Client, file: Path) -> None:
    sent: dict[str, Any] = {}

    def put_object(**parameters: Any) -> dict[str, Any]:
        sent.update(parameters)
        return {}

    client._client.put_object = put_object
    assert client.put_file("artifacts", "key", file, sha256=SHA256) is True
    assert sent["IfNoneMatch"] == "*"
    assert sent["Metadata"] == {"sha256": SHA256}


def test_the_same_object_twice_is_fine(client: S3Client, file: Path) -> None:
    with stubbed(client) as stub:
        refuse(stub, "put_object", "PreconditionFailed", 412)
        stub.add_response("head_object", {"ContentLength": 7, "Metadata": {"sha256": SHA256}})
        assert client.put_file("artifacts", "key", file, sha256=SHA256) is False


def test_another_object_under_that_name_is_refused(client: S3Client, file: Path) -> None:
    with stubbed(client) as stub:
        refuse(stub, "put_object", "PreconditionFailed", 412)
        stub.add_response("head_object", {"ContentLength": 7, "Metadata": {"sha256": "0" * 64}})
        with pytest.raises(ObjectExists, match="with other content"):
            client.put_file("artifacts", "key", file, sha256=SHA256)


def test_client_errors_are_not_botocore_errors() -> None:
    # The mapping treats the two apart; should the library change that, this says so.
    assert not issubclass(ClientError, BotoCoreError)
