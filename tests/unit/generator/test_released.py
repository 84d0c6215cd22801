"""What was released last, as settings."""

from __future__ import annotations

from typing import Any

import pytest

from flowrex.errors import UsageError
from generator.release import Release
from generator.released import settings_of

DIGEST = "sha256:" + "a" * 64


def record(**stands: Any) -> Release:
    return Release(
        id="1", environment="prod", kind="run", version="9", outcome="done",
        started="", ended=None, holder={}, stands=stands,
    )  # fmt: skip


def stand(release: str | None, *code: str) -> dict[str, Any]:
    return {"version": 3, "index": 9, "release": release, "stable": True, "code": list(code)}


def test_images_are_named_by_their_digests() -> None:
    newest = record(
        backend=stand("1.0.77", f"registry/flowrex-app:1.0.77@{DIGEST}"),
        frontend=stand("1.0.77", f"registry/flowrex-frontend:1.0.77@{DIGEST}"),
    )
    assert settings_of([record(), newest, record(backend=stand("1.0.1"))], "prod") == (
        "release.version=1.0.77",
        f"release.digests.app={DIGEST}",
        f"release.digests.frontend={DIGEST}",
    )


def test_artifacts_are_named_by_their_checksums() -> None:
    found = settings_of([record(backend=stand("1.0.77", DIGEST), frontend=None)], "prod")
    assert found == ("release.version=1.0.77", f"release.checksum={'a' * 64}")


def test_an_image_without_a_digest_gives_none() -> None:
    assert settings_of([record(backend=stand("1.0.77", "registry:5000/app:1.0.77"))], "prod") == (
        "release.version=1.0.77",
    )


@pytest.mark.parametrize("records", [[], [record()], [record(backend=stand(None))]])
def test_where_no_record_says_it_that_is_told(records: list[Release]) -> None:
    with pytest.raises(UsageError, match="no release of prod is recorded that says what runs"):
        settings_of(records, "prod")
