from __future__ import annotations

from generator.releases import view
from tests.unit.generator.releases.made import record, stand

RUN = record(
    1,
    "1.4.0",
    reason="case 17",
    revision="0123456789abcdef0123+changes",
    plan="f00d",
    backup="pre_deploy_20260301_115900",
    schema={"revision": "0002", "irreversible": {"0002": ""}},
    jobs={
        "migrate": {"result": "unchanged", "version": 1},
        "backend": {"result": "deployed", "version": 4},
        "nginx": {"result": "pending", "version": None},
    },
    stands={"backend": stand(4), "nginx": stand(2, release=None, code=[])},
)


def test_a_row_names_what_changed() -> None:
    assert view.row(RUN, [RUN], None) == (
        RUN.id,
        "2026-03-01 12:00:00",
        "kim@desk",
        "run",
        "1.4.0",
        "0123456789ab+",
        "done",
        "backend 4",
    )


def test_what_is_not_known_is_a_dash() -> None:
    old = record(1, None)
    assert view.row(old, [old], None)[4:] == ("-", "-", "done", "-")


def test_what_is_known_beside_the_jobs() -> None:
    said = [*view.sentences(RUN, [RUN], None)]
    assert said[0] == f"{RUN.id}: run of 1.4.0, done"
    assert "reason    case 17" in said
    assert "backup    pre_deploy_20260301_115900" in said
    assert "schema    0002" in said
    assert not any(line.startswith(("completes", "message")) for line in said)


def test_what_was_left_out_is_told() -> None:
    hasty = record(
        1,
        backup_skipped="the disk is full",
        overridden={"monitoring": "it is away"},
        uncompared=["backend", "frontend"],
    )
    said = [*view.sentences(hasty, [hasty], None)]
    assert "backup    none: the disk is full" in said
    assert "overrode  monitoring: it is away" in said
    assert "compared  not backend, frontend: promoted by --promote" in said


def test_a_restore_is_told_of_itself_and_of_what_was_released_before_it() -> None:
    came = {"backup": "manual_1", "source": "logical", "database": "flowrex", "revision": "0001"}
    restore = record(2, kind="restore", restored=came, schema={"revision": "0001"})
    assert view.row(restore, [restore, RUN], None)[3:] == (
        "restore", "-", "-", "done", "database from manual_1"
    )  # fmt: skip
    assert "restored  flowrex from manual_1, schema 0001" in [
        *view.sentences(restore, [restore, RUN], None)
    ]
    assert [*view.sentences(RUN, [restore, RUN], None)][-1] == (
        "The database was restored since, on 2026-03-02T12:05:00+00:00 by kim@desk, from manual_1; "
        "its schema was 0001 then"
    )


def test_each_job_is_a_row_with_whether_nomad_keeps_it() -> None:
    assert view.stands(RUN, {"backend": True}) == [
        ("backend", "deployed", "4", "1.0.0", "yes", "sha256:444444444444"),
        ("nginx", "pending", "2", "-", "-", "-"),
    ]


def test_the_document_is_the_record_and_how_it_ended_after_all() -> None:
    document = view.document(record(1, "1.4.0", "canary"), [], None)
    assert (document["version"], document["ended_as"]) == ("1.4.0", "canary")
