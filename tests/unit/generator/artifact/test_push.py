from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ServerRefused
from generator.artifact import Artifact, push


class Memory:
    """An object store that never replaces anything."""

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}

    def put_file(
        self, bucket: str, key: str, path: Path, *, sha256: str, if_absent: bool = True
    ) -> bool:
        assert if_absent
        name = f"{bucket}/{key}"
        if name in self.objects:
            if self.objects[name] != sha256:
                raise ServerRefused("exists already")
            return False
        self.objects[name] = sha256
        return True

    def url(self, bucket: str, key: str) -> str:
        return f"http://store/{bucket}/{key}"


def artifact(sha256: str = "a" * 64) -> Artifact:
    file = Path("dist", "flowrex-app-1.2.3.tar.gz")
    return Artifact("1.2.3", sha256, 7, "cp311", None, file, file.with_suffix(".json"))


def test_it_is_uploaded_once_under_its_checksum() -> None:
    store = Memory()
    first = push(artifact(), store, "artifacts")
    second = push(artifact(), store, "artifacts")
    assert first.uploaded
    assert not second.uploaded
    assert first.url == second.url
    assert first.url == (f"http://store/artifacts/app/1.2.3/{'a' * 64}/flowrex-app-1.2.3.tar.gz")


def test_other_content_of_the_same_version_does_not_touch_the_first() -> None:
    store = Memory()
    push(artifact(), store, "artifacts")
    push(artifact("b" * 64), store, "artifacts")
    assert len(store.objects) == 2


def test_a_refusal_is_the_callers() -> None:
    store = Memory()
    store.objects[f"artifacts/{artifact().key}"] = "tampered"
    with pytest.raises(ServerRefused):
        push(artifact(), store, "artifacts")
