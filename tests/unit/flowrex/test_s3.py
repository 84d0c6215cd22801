from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
import urllib3

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
    UsageError,
)
from flowrex.s3 import ObjectExists, Part, S3Client, WrongChecksum, public_read_policy
from flowrex.secret import Secret

STORE = "http://127.0.0.1:1"
SHA256 = hashlib.sha256(b"content").hexdigest()
INITIATED = "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>"
COMPLETED = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"


def refusing(code: str) -> str:
    return (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>its own words</Message></Error>"
    )


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> S3Client:
    client = S3Client(f"{STORE}/", "dev", Secret("access"), Secret("hidden"), timeout_s=1)
    monkeypatch.setattr(client._transport, "_sleep", lambda seconds: None)
    return client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


class TestWhereAndAsWhom:
    def test_a_store_that_is_not_there_is_a_sentence(self, client: S3Client) -> None:
        with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:1 does not answer"):
            client.list_buckets()

    @pytest.mark.parametrize("endpoint", ["127.0.0.1:7070", "", "ftp://store", "http://"])
    def test_an_endpoint_must_be_a_url(self, endpoint: str) -> None:
        with pytest.raises(ConfigurationError, match="expected a URL"):
            S3Client(endpoint, "dev", Secret("a"), Secret("b"))

    def test_settings_for_other_connections_do_not_matter(
        self, monkeypatch: pytest.MonkeyPatch, client: S3Client
    ) -> None:
        monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent/bundle.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/bundle.pem")
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
        with pytest.raises(ServerUnreachable) as caught:
            client.list_buckets()
        assert "proxy" not in str(caught.value.__cause__)

    def test_a_login_kept_for_curl_does_not_replace_the_signature(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, requests_mock: requests_mock.Mocker
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine store.test login somebody password anything\n")
        monkeypatch.setenv("NETRC", str(netrc))
        requests_mock.get("https://store.test/", text="<ListAllMyBucketsResult/>")
        S3Client("https://store.test", "dev", Secret("access"), Secret("hidden")).list_buckets()
        assert requests_mock.last_request is not None
        sent = requests_mock.last_request.headers["Authorization"]
        assert sent.startswith("AWS4-HMAC-SHA256 Credential=access/")

    @pytest.mark.parametrize("key", ["a/../b", "/a", "a//b", "a/", "."])
    def test_a_name_that_http_would_change_is_refused(self, client: S3Client, key: str) -> None:
        with pytest.raises(UsageError, match="is no name for an object"):
            client.head("bucket", key)

    def test_no_secret_is_sent_and_every_header_of_the_stores_is_signed(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(f"{STORE}/bucket/key")
        client.put("bucket", "key", b"content", metadata={"kind": "case"})
        assert requests_mock.last_request is not None
        headers = requests_mock.last_request.headers
        signed = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        assert {name.lower() for name in headers if name.lower().startswith("x-amz-")} <= {*signed}
        assert {"host", "if-none-match", "content-type"} <= {*signed}
        assert headers["X-Amz-Content-SHA256"] == SHA256
        assert "hidden" not in str(dict(headers))


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "status", "expected"),
        [
            ("AccessDenied", 403, PermissionRefused),
            ("SignatureDoesNotMatch", 403, PermissionRefused),
            ("InvalidAccessKeyId", 403, PermissionRefused),
            ("RequestTimeTooSkewed", 403, PermissionRefused),
            ("NoSuchBucket", 404, NotFound),
            ("BadDigest", 400, WrongChecksum),
            ("XAmzContentSHA256Mismatch", 400, WrongChecksum),
            ("InternalError", 500, ServerRefused),
            ("SomethingNew", 400, ServerRefused),
            ("PermanentRedirect", 301, ServerRefused),
            # It began well and ended badly.
            ("SomethingNew", 200, ServerRefused),
        ],
    )
    def test_a_refusal_carries_the_stores_words_and_no_key(
        self,
        client: S3Client,
        requests_mock: requests_mock.Mocker,
        code: str,
        status: int,
        expected: type[FlowrexError],
    ) -> None:
        requests_mock.put(f"{STORE}/artifacts", status_code=status, text=refusing(code))
        with pytest.raises(expected) as caught:
            client.put_bucket_policy("artifacts", public_read_policy("artifacts"))
        assert type(caught.value) is expected
        assert "its own words" in caught.value.message
        assert "hidden" not in caught.value.message

    @pytest.mark.parametrize(
        "kind",
        [
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.TooManyRedirects,
            urllib3.exceptions.ReadTimeoutError(None, "", "slow"),  # type: ignore[arg-type]
            urllib3.exceptions.ProtocolError("cut"),
            ConnectionResetError,
        ],
    )
    def test_no_exception_of_the_libraries_gets_through(
        self, client: S3Client, requests_mock: requests_mock.Mocker, kind: type[Exception]
    ) -> None:
        requests_mock.get(f"{STORE}/", exc=kind)
        with pytest.raises(ServerUnreachable, match="does not answer"):
            client.list_buckets()

    @pytest.mark.parametrize(
        "body",
        [
            "<html>Welcome to nginx</html>",
            "",
            "<ListAllMyBucketsResult>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><ListAllMyBucketsResult/>",
        ],
    )
    def test_an_answer_that_is_no_stores_is_told(
        self, client: S3Client, requests_mock: requests_mock.Mocker, body: str
    ) -> None:
        requests_mock.get(f"{STORE}/", text=body)
        with pytest.raises(ServerRefused, match="not with ListAllMyBucketsResult"):
            client.list_buckets()

    def test_an_answer_without_end_is_given_up(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.get(f"{STORE}/", content=b"x" * (9 << 20))
        with pytest.raises(ServerRefused, match="without end"):
            client.list_buckets()


class TestRepeating:
    def test_what_passes_is_tried_again(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(
            f"{STORE}/bucket/key",
            [{"exc": requests.ConnectionError}, {"status_code": 503}, {"status_code": 200}],
        )
        assert client.put("bucket", "key", b"content") is True
        assert requests_mock.call_count == 3

    def test_but_not_for_ever(self, client: S3Client, requests_mock: requests_mock.Mocker) -> None:
        requests_mock.put(f"{STORE}/bucket/key", status_code=503, text=refusing("SlowDown"))
        with pytest.raises(ServerRefused, match="SlowDown"):
            client.put("bucket", "key", b"content")
        assert requests_mock.call_count == 3

    def test_a_refusal_is_not_asked_twice(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(f"{STORE}/bucket/key", status_code=403, text=refusing("AccessDenied"))
        with pytest.raises(PermissionRefused):
            client.put("bucket", "key", b"content")
        assert requests_mock.call_count == 1

    def test_a_file_is_sent_from_its_beginning_again(
        self, client: S3Client, requests_mock: requests_mock.Mocker, file: Path
    ) -> None:
        bodies: list[bytes] = []

        def answer(request: Any, context: object) -> str:
            assert not isinstance(request.body, bytes | str | None)
            bodies.append(request.body.read())
            if len(bodies) == 1:
                raise requests.ConnectionError
            return ""

        requests_mock.head(f"{STORE}/bucket/key", status_code=404)
        requests_mock.put(f"{STORE}/bucket/key", text=answer)
        client.put_file("bucket", "key", file, sha256=SHA256)
        assert bodies == [b"content", b"content"]

    def test_an_upload_in_parts_is_not_begun_twice(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.post(f"{STORE}/bucket/key", exc=requests.ConnectionError)
        with pytest.raises(ServerUnreachable):
            client.multipart("bucket", "key")
        assert requests_mock.call_count == 1


class TestObjects:
    def test_a_missing_object_is_none(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.head(f"{STORE}/artifacts/key", status_code=404)
        assert client.head("artifacts", "key") is None

    def test_retention_is_asked_for_in_utc(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(f"{STORE}/bucket/key")
        until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        client.put("bucket", "key", b"content", retain_until=until, mode="COMPLIANCE")
        assert requests_mock.last_request is not None
        headers = requests_mock.last_request.headers
        assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
        assert headers["x-amz-object-lock-retain-until-date"] == "2030-01-02T03:04:05Z"

    def test_the_same_object_twice_is_fine(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(f"{STORE}/bucket/key", status_code=412)
        kept = {"Content-Length": "7", "x-amz-meta-sha256": SHA256}
        requests_mock.head(f"{STORE}/bucket/key", headers=kept)
        assert client.put("bucket", "key", b"content") is False

    def test_another_object_under_that_name_is_refused(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(f"{STORE}/bucket/key", status_code=412)
        requests_mock.head(f"{STORE}/bucket/key", headers={"Content-Length": "7"})
        with pytest.raises(ObjectExists, match="with other content"):
            client.put("bucket", "key", b"content")

    def test_a_store_that_kept_something_else_is_told(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        other = b64encode(bytes(32)).decode()
        requests_mock.put(f"{STORE}/bucket/key", headers={"x-amz-checksum-sha256": other})
        with pytest.raises(WrongChecksum):
            client.put("bucket", "key", b"content")

    def test_a_store_without_lifecycle_rules_is_told_by_the_answer(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.put(
            f"{STORE}/backups",
            [{"status_code": 501, "text": refusing("NotImplemented")}, {"status_code": 200}],
        )
        assert client.set_lifecycle("backups", expire_days=30) is False
        assert client.set_lifecycle("backups", expire_days=30) is True


class TestReading:
    def test_other_content_than_was_put_is_told(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        headers = {"Content-Length": "7", "x-amz-meta-sha256": SHA256}
        requests_mock.get(f"{STORE}/bucket/key", content=b"changed", headers=headers)
        with pytest.raises(WrongChecksum, match=SHA256):
            client.get("bucket", "key")

    def test_a_connection_that_breaks_is_taken_up_where_it_was(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        whole = {"Content-Length": "7", "x-amz-meta-sha256": SHA256, "ETag": '"tag"'}
        rest = {"Content-Length": "3", "Content-Range": "bytes 4-6/7"}
        requests_mock.get(
            f"{STORE}/bucket/key",
            [
                {"content": b"cont", "headers": whole},
                {"status_code": 206, "content": b"ent", "headers": rest},
            ],
        )
        assert client.get("bucket", "key") == b"content"
        assert requests_mock.last_request is not None
        assert requests_mock.last_request.headers["range"] == "bytes=4-"
        assert requests_mock.last_request.headers["if-match"] == '"tag"'

    def test_one_that_breaks_again_and_again_is_given_up(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.get(f"{STORE}/bucket/key", exc=requests.ConnectionError)
        with pytest.raises(ServerUnreachable):
            client.get("bucket", "key")
        assert requests_mock.call_count == 3

    def test_an_object_that_was_replaced_meanwhile_is_not_mixed(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        whole = {"Content-Length": "7", "ETag": '"tag"'}
        requests_mock.get(
            f"{STORE}/bucket/key",
            [{"content": b"cont", "headers": whole}, {"status_code": 412}],
        )
        with pytest.raises(ServerRefused):
            client.get("bucket", "key")


class TestLists:
    def test_names_out_of_order_are_an_error_and_not_an_endless_list(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        entry = (
            "<Contents><Key>a</Key><Size>1</Size><LastModified>2030-01-01T00:00:00Z</LastModified>"
            "</Contents>"
        )
        requests_mock.get(
            f"{STORE}/bucket",
            text=f"<ListBucketResult>{entry}<IsTruncated>true</IsTruncated>"
            "<NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
        )
        with pytest.raises(ServerRefused, match="in their order"):
            list(client.list("bucket"))

    def test_more_without_a_place_is_an_error(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.get(
            f"{STORE}/bucket",
            text="<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        )
        with pytest.raises(ServerRefused, match="there is more"):
            list(client.list("bucket"))


class TestParts:
    PART = Part(1, 7, '"tag"', b64encode(bytes(32)).decode())

    def marks(self, requests_mock: requests_mock.Mocker) -> str:
        return str(requests_mock.request_history[0].headers["x-amz-meta-upload"])

    def kept(self, requests_mock: requests_mock.Mocker, size: int = 7) -> None:
        headers = {
            "Content-Length": str(size),
            "x-amz-meta-upload": self.marks(requests_mock),
        }
        requests_mock.head(f"{STORE}/bucket/key", headers=headers)

    @pytest.mark.parametrize("code", ["InternalError", "InvalidPart"])
    def test_an_error_in_a_good_answer_is_an_error(
        self, client: S3Client, requests_mock: requests_mock.Mocker, code: str
    ) -> None:
        requests_mock.post(
            f"{STORE}/bucket/key", [{"text": INITIATED}, {"text": f"   \n{refusing(code)}"}]
        )
        upload = client.multipart("bucket", "key")
        with pytest.raises(ServerRefused, match="its own words"):
            upload.complete([self.PART])

    def test_a_lost_answer_is_found_out_about(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.post(
            f"{STORE}/bucket/key", [{"text": INITIATED}, {"exc": requests.ReadTimeout}]
        )
        upload = client.multipart("bucket", "key")
        self.kept(requests_mock)
        upload.complete([self.PART])

    def test_an_object_that_is_not_this_upload_is_no_success(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.post(
            f"{STORE}/bucket/key", [{"text": INITIATED}, {"exc": requests.ReadTimeout}]
        )
        requests_mock.head(f"{STORE}/bucket/key", headers={"Content-Length": "7"})
        upload = client.multipart("bucket", "key")
        with pytest.raises(ServerUnreachable):
            upload.complete([self.PART])

    def test_a_store_that_says_done_and_keeps_less_is_told(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.post(f"{STORE}/bucket/key", [{"text": INITIATED}, {"text": COMPLETED}])
        upload = client.multipart("bucket", "key")
        self.kept(requests_mock, size=6)
        with pytest.raises(ServerRefused, match="is not there"):
            upload.complete([self.PART])

    def test_a_part_that_arrived_as_something_else_is_told(
        self, client: S3Client, requests_mock: requests_mock.Mocker
    ) -> None:
        requests_mock.post(f"{STORE}/bucket/key", text=INITIATED)
        other = b64encode(bytes(32)).decode()
        requests_mock.put(
            f"{STORE}/bucket/key", headers={"x-amz-checksum-sha256": other, "ETag": '"t"'}
        )
        with pytest.raises(WrongChecksum):
            client.multipart("bucket", "key").upload(1, b"content")
