"""The object store: the same cases on the one in memory and on the real gateway."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowrex.errors import NotFound, PermissionRefused, ServerRefused
from flowrex.s3 import ObjectExists, S3Client, WrongChecksum, public_read_policy
from flowrex.testing.s3 import FakeS3
from tests import gateway

Store = S3Client | FakeS3


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway of this test run's own."""
    with gateway.running(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(params=["fake", "real"])
def store(request: pytest.FixtureRequest) -> Store:
    """The store, once in memory and once the real one."""
    if request.param == "fake":
        return FakeS3()
    return gateway.client(request.getfixturevalue("address"))


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
    with pytest.raises(NotFound):
        list(store.list("no-such-bucket"))


class TestWhatIsPutFromMemory:
    def test_it_is_read_as_it_was_put_whole_or_in_pieces(self, store: Store, bucket: str) -> None:
        body = bytes(range(256)) * 40
        assert store.put(bucket, "a/b c+d=~/é", body, metadata={"kind": "case"}) is True
        assert store.get(bucket, "a/b c+d=~/é") == body
        with store.stream(bucket, "a/b c+d=~/é", chunk=1000) as pieces:
            read = list(pieces)
        assert b"".join(read) == body
        assert max(len(piece) for piece in read) <= 1000
        head = store.head(bucket, "a/b c+d=~/é")
        assert head is not None
        assert head.metadata["kind"] == "case"
        assert head.sha256 == hashlib.sha256(body).hexdigest()

    def test_nothing_is_an_object_too(self, store: Store, bucket: str) -> None:
        store.put(bucket, "empty", b"")
        assert store.get(bucket, "empty") == b""

    def test_what_is_not_there_can_not_be_read(self, store: Store, bucket: str) -> None:
        with pytest.raises(NotFound):
            store.get(bucket, "absent")

    def test_it_is_written_once(self, store: Store, bucket: str) -> None:
        assert store.put(bucket, "key", b"one") is True
        assert store.put(bucket, "key", b"one") is False
        with pytest.raises(ObjectExists):
            store.put(bucket, "key", b"two")
        assert store.get(bucket, "key") == b"one"
        assert store.put(bucket, "key", b"two", if_absent=False) is True
        assert store.get(bucket, "key") == b"two"

    def test_a_wrong_checksum_is_refused(self, store: Store, bucket: str) -> None:
        with pytest.raises(WrongChecksum):
            store.put(bucket, "key", b"content", sha256="0" * 64)
        assert store.head(bucket, "key") is None


class TestListing:
    def test_names_come_sorted_with_size_and_time(self, store: Store, bucket: str) -> None:
        for name in ("b/2", "a", "b/1", "c"):
            store.put(bucket, name, name.encode())
        entries = list(store.list(bucket))
        assert [(one.key, one.size) for one in entries] == [
            ("a", 1), ("b/1", 3), ("b/2", 3), ("c", 1),
        ]  # fmt: skip
        assert all(abs(datetime.now(UTC) - one.modified) < timedelta(hours=1) for one in entries)
        assert [one.key for one in store.list(bucket, "b/")] == ["b/1", "b/2"]
        assert [one.key for one in store.list(bucket, start_after="b/1")] == ["b/2", "c"]
        assert list(store.list(bucket, "nothing/")) == []

    def test_over_a_page(self, store: Store, bucket: str) -> None:
        names = [f"page/{number:05d}" for number in range(1203)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store.put(bucket, name, b"x"), names))
        assert [one.key for one in store.list(bucket, "page/")] == names


class TestParts:
    MIB = 1 << 20

    def test_they_make_one_object(self, store: Store, bucket: str) -> None:
        bodies = [b"a" * 5 * self.MIB, b"b" * 5 * self.MIB, b"the end"]
        upload = store.multipart(bucket, "whole", metadata={"kind": "case"})
        # In any order; the numbers count.
        parts = [upload.upload(number, bodies[number - 1]) for number in (3, 1, 2)]
        assert store.head(bucket, "whole") is None
        upload.complete(parts)
        head = store.head(bucket, "whole")
        assert head is not None
        assert head.metadata["kind"] == "case"
        assert store.get(bucket, "whole") == b"".join(bodies)

    def test_an_abort_leaves_nothing_and_may_be_repeated(self, store: Store, bucket: str) -> None:
        upload = store.multipart(bucket, "given-up")
        part = upload.upload(1, b"x")
        upload.abort()
        upload.abort()
        assert store.head(bucket, "given-up") is None
        with pytest.raises(NotFound):
            upload.complete([part])

    def test_a_name_that_is_taken_is_refused_in_the_end(self, store: Store, bucket: str) -> None:
        store.put(bucket, "taken", b"first")
        upload = store.multipart(bucket, "taken")
        part = upload.upload(1, b"second")
        with pytest.raises(ObjectExists):
            upload.complete([part])
        upload.abort()
        assert store.get(bucket, "taken") == b"first"

    def test_one_that_was_begun_and_left_is_found_and_given_up(
        self, store: Store, bucket: str
    ) -> None:
        left = store.multipart(bucket, "left/here")
        left.upload(1, b"x")
        store.multipart(bucket, "elsewhere").upload(1, b"x")
        (found,) = store.open_uploads(bucket, "left/")
        assert (found.key, found.id) == ("left/here", left.id)
        assert abs(datetime.now(UTC) - found.begun) < timedelta(hours=1)
        store.abort_upload(bucket, found)
        assert list(store.open_uploads(bucket, "left/")) == []

    def test_a_part_that_was_not_sent_is_refused(self, store: Store, bucket: str) -> None:
        upload = store.multipart(bucket, "short")
        part = upload.upload(1, b"x")
        with pytest.raises(ServerRefused):
            upload.complete([part, replace(part, number=2)])
        upload.abort()


class TestRetention:
    @pytest.fixture
    def locked(self, store: Store, bucket: str) -> str:
        store.ensure_bucket(f"{bucket}-locked", object_lock=True)
        return f"{bucket}-locked"

    def test_a_locked_version_can_not_be_deleted(self, store: Store, locked: str) -> None:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        store.put(locked, "key", b"kept", retain_until=until, mode="COMPLIANCE")
        head = store.head(locked, "key")
        assert head is not None
        assert head.retain_until == until
        assert head.version_id
        with pytest.raises(ServerRefused):
            store.delete(locked, "key", head.version_id)
        assert store.get(locked, "key") == b"kept"

    def test_a_locked_object_of_parts_neither(self, store: Store, locked: str) -> None:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        upload = store.multipart(locked, "parts", retain_until=until)
        upload.complete([upload.upload(1, b"kept")])
        head = store.head(locked, "parts")
        assert head is not None
        assert head.retain_until == until
        with pytest.raises(ServerRefused):
            store.delete(locked, "parts", head.version_id)

    def test_a_deletion_by_name_hides_it_and_keeps_the_version(
        self, store: Store, locked: str
    ) -> None:
        store.put(locked, "key", b"kept")
        store.delete(locked, "key")
        assert store.head(locked, "key") is None
        latest, before = store.versions(locked, "key")
        assert (latest.latest, latest.deletion) == (True, True)
        assert (before.latest, before.deletion, before.size) == (False, False, 4)

    def test_what_is_not_locked_goes_for_good(self, store: Store, locked: str) -> None:
        store.put(locked, "key", b"gone")
        (version,) = store.versions(locked, "key")
        store.delete(locked, "key", version.version_id)
        assert list(store.versions(locked, "key")) == []


def test_a_deletion_of_nothing_is_fine(store: Store, bucket: str) -> None:
    store.put(bucket, "key", b"x")
    store.delete(bucket, "key")
    store.delete(bucket, "key")
    assert store.head(bucket, "key") is None


class TestTheGatewayAlone:
    """What the store in memory has no notion of."""

    @pytest.fixture
    def store(self, address: str) -> S3Client:
        return gateway.client(address)

    def test_a_readable_bucket_gives_objects_and_no_list(
        self, store: S3Client, bucket: str, file: Path
    ) -> None:
        store.put_file(bucket, "key", file, sha256=digest(file))
        assert _fetch(store.url(bucket, "key")) == 403
        store.put_bucket_policy(bucket, public_read_policy(bucket))
        assert _fetch(store.url(bucket, "key")) == 200
        assert _fetch(f"{store.endpoint}/{bucket}") == 403

    def test_a_wrong_key_is_refused_without_being_shown(self, address: str) -> None:
        with pytest.raises(PermissionRefused) as caught:
            gateway.client(address, "wrong-secret").list_buckets()
        assert "wrong-secret" not in caught.value.message

    def test_retention_is_set_and_lifecycle_is_said_to_be_missing(
        self, store: S3Client, bucket: str
    ) -> None:
        locked = f"{bucket}-locked"
        store.ensure_bucket(locked, object_lock=True)
        store.set_default_retention(locked, 30, "GOVERNANCE")
        assert store.set_lifecycle(locked, expire_days=30) is False


def _fetch(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
