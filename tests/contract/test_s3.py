"""The object store: the same cases on the one in memory and on the real gateway."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex.errors import NotFound, PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.s3 import ObjectExists, S3Client, public_read_policy
from flowrex.secret import Secret
from flowrex.testing.s3 import FakeS3
from tests.cluster import eventually
from tests.contract import own

ACCESS, SECRET = "contract", "contract-secret"
Store = S3Client | FakeS3


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway of this test run's own."""
    folder = tmp_path_factory.mktemp("s3")
    for name in ("iam", "versions", "buckets", "attributes"):
        (folder / name).mkdir()
    address = f"127.0.0.1:{own.free_ports(1)[0]}"
    # The gateway compares these paths as texts: they must be absolute.
    command = [own.program("versitygw"), "--port", address, "--iam-dir", folder / "iam", "posix",
               "--sidecar", folder / "attributes", "--versioning-dir", folder / "versions",
               folder / "buckets"]  # fmt: skip
    keys = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    with own.running(command, folder, environ=keys):
        client = _client(f"http://{address}")
        eventually(lambda: _answers(client), every=0.05, what="the gateway answers")
        yield f"http://{address}"


@pytest.fixture(params=["fake", "real"])
def store(request: pytest.FixtureRequest) -> Store:
    """The store, once in memory and once the real one."""
    if request.param == "fake":
        return FakeS3()
    return _client(request.getfixturevalue("gateway"))


@pytest.fixture
def bucket(store: Store, tmp_path: Path) -> str:
    """A bucket of this case's own."""
    name = f"case-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16]}"
    store.ensure_bucket(name)
    return name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bucket_is_made_once(store: Store, bucket: str) -> None:
    assert store.ensure_bucket(bucket) is False
    assert bucket in store.list_buckets()


def test_an_object_is_found_as_it_was_put(store: Store, bucket: str, file: Path) -> None:
    assert store.head(bucket, "a/b") is None
    assert store.put_file(bucket, "a/b", file, sha256=digest(file)) is True
    head = store.head(bucket, "a/b")
    assert head is not None
    assert (head.size, head.sha256) == (7, digest(file))


def test_the_same_again_is_fine_and_other_content_is_refused(
    store: Store, bucket: str, file: Path
) -> None:
    before = digest(file)
    store.put_file(bucket, "key", file, sha256=before)
    assert store.put_file(bucket, "key", file, sha256=before) is False
    file.write_bytes(b"changed")
    with pytest.raises(ObjectExists):
        store.put_file(bucket, "key", file, sha256=digest(file))
    head = store.head(bucket, "key")
    assert head is not None
    assert head.sha256 == before


def test_replacing_has_to_be_asked_for(store: Store, bucket: str, file: Path) -> None:
    store.put_file(bucket, "key", file, sha256=digest(file))
    file.write_bytes(b"changed")
    assert store.put_file(bucket, "key", file, sha256=digest(file), if_absent=False) is True
    head = store.head(bucket, "key")
    assert head is not None
    assert head.sha256 == digest(file)


def test_content_that_does_not_fit_its_checksum_is_refused(
    store: Store, bucket: str, file: Path
) -> None:
    with pytest.raises(ServerRefused):
        store.put_file(bucket, "key", file, sha256="0" * 64)
    assert store.head(bucket, "key") is None


def test_a_bucket_that_is_not_there(store: Store, file: Path) -> None:
    with pytest.raises(NotFound):
        store.put_file("no-such-bucket", "key", file, sha256=digest(file))


class TestTheGatewayAlone:
    """What the store in memory has no notion of."""

    @pytest.fixture
    def store(self, gateway: str) -> S3Client:
        return _client(gateway)

    def test_a_readable_bucket_gives_objects_and_no_list(
        self, store: S3Client, bucket: str, file: Path
    ) -> None:
        store.put_file(bucket, "key", file, sha256=digest(file))
        assert _fetch(store.url(bucket, "key")) == 403
        store.put_bucket_policy(bucket, public_read_policy(bucket))
        assert _fetch(store.url(bucket, "key")) == 200
        assert _fetch(f"{store.endpoint}/{bucket}") == 403

    def test_a_wrong_key_is_refused_without_being_shown(self, gateway: str) -> None:
        with pytest.raises(PermissionRefused) as caught:
            _client(gateway, "wrong-secret").list_buckets()
        assert "wrong-secret" not in caught.value.message

    def test_retention_is_set_and_lifecycle_is_said_to_be_missing(
        self, store: S3Client, bucket: str
    ) -> None:
        locked = f"{bucket}-locked"
        store.ensure_bucket(locked, object_lock=True)
        store.set_default_retention(locked, 30, "GOVERNANCE")
        assert store.set_lifecycle(locked, expire_days=30) is False


def _client(endpoint: str, secret: str = SECRET) -> S3Client:
    return S3Client(endpoint, "us-east-1", Secret(ACCESS), Secret(secret), timeout_s=5)


def _answers(client: S3Client) -> bool:
    try:
        client.list_buckets()
    except ServerUnreachable:
        return False
    return True


def _fetch(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
