from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from flowrex.errors import NotFound
from flowrex.s3 import ObjectExists
from flowrex.testing.s3 import FakeS3
from generator.artifact import Artifact, push


@pytest.fixture
def store() -> FakeS3:
    store = FakeS3()
    store.ensure_bucket("artifacts")
    return store


def artifact(folder: Path, content: bytes = b"content") -> Artifact:
    file = folder / "flowrex-app-1.2.3.tar.gz"
    file.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    manifest = file.with_suffix(".json")
    return Artifact("app", "1.2.3", sha256, len(content), "cp311", None, None, file, manifest)


def test_it_is_uploaded_once_under_its_checksum(store: FakeS3, tmp_path: Path) -> None:
    built = artifact(tmp_path)
    first, second = (push(built, store, "artifacts") for _ in range(2))
    assert (first.uploaded, second.uploaded) == (True, False)
    assert first.url == second.url
    assert first.url == store.url("artifacts", f"app/1.2.3/{built.sha256}/flowrex-app-1.2.3.tar.gz")


def test_other_content_of_the_same_version_does_not_touch_the_first(
    store: FakeS3, tmp_path: Path
) -> None:
    push(artifact(tmp_path), store, "artifacts")
    push(artifact(tmp_path, b"changed"), store, "artifacts")
    assert sorted(store.contents("artifacts").values()) == [b"changed", b"content"]


def test_an_object_that_was_tampered_with_is_told(store: FakeS3, tmp_path: Path) -> None:
    built = artifact(tmp_path)
    store.corrupt("artifacts", built.key, b"something else")
    with pytest.raises(ObjectExists):
        push(built, store, "artifacts")


def test_a_missing_bucket_is_told(store: FakeS3, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        push(artifact(tmp_path), store, "no-such-bucket")
