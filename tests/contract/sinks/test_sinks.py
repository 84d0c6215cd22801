"""What every sink keeps to: delivered is delivered, a failure loses nothing, twice is once."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.sinks import Occupied, Segment, Sink
from agents.sinks.http import HttpSink
from agents.sinks.s3 import S3Sink
from agents.sinks.syslog import SyslogServer, SyslogSink
from flowrex.audit.segment import NO_PREDECESSOR, FileId, Head, Opened, compress_head, compressor
from flowrex.errors import FlowrexError, PermissionRefused, ServerUnreachable
from flowrex.s3 import S3Client
from flowrex.testing.s3 import FakeS3
from tests import gateway
from tests.contract.sinks.receivers import Received, http_receiver, syslog_receiver
from tests.faults.s3_proxy import Deed
from tests.faults.s3_proxy import running as proxied
from tests.serving import certificate
from tests.unit.agents.audit.rig import MemorySink

BUCKET = "audit-contract"
LINES = [b'{"time":"2026-03-01T12:00:00.000000Z","n":%d}\n' % n for n in range(500)]


@dataclass
class Place:
    """A sink with its other end.

    Attributes:
        sink: the sink.
        lines: returns what the other end has, each batch once.
        refuse: makes the other end refuse the next delivery.
        lose: makes it take the next one, and its answer gets lost.
        asked: whether the other end can be asked what it has.
    """

    sink: Sink
    lines: Callable[[], list[bytes]]
    refuse: Callable[[], None]
    lose: Callable[[], None]
    asked: bool


def segment(number: int = 1, lines: list[bytes] = LINES, start: int = 0) -> Segment:
    raw = b"".join(lines)
    head = Head(
        node="n1",
        category="trading",
        number=number,
        predecessor=NO_PREDECESSOR,
        file=FileId(1, 2, "00112233445566aa"),
        path="/alloc/audit/a.jsonl",
        origin=0,
        start=start,
        end=start + len(raw),
        lines=len(lines),
        quarantined=0,
        content=hashlib.sha256(raw).hexdigest(),
        created="2026-03-01T12:00:00.000+00:00",
    )
    frame = compressor()
    body = compress_head(head) + frame.compress(raw) + frame.flush()
    return Segment(head, body, hashlib.sha256(body).hexdigest())


@pytest.fixture(scope="module")
def real_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway for all cases; each has a bucket of its own."""
    with gateway.running(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def memory() -> Place:
    sink = MemorySink()

    def refuse() -> None:
        sink.refuse = 1

    def lose() -> None:
        sink.forget_to_say = 1

    def lines() -> list[bytes]:
        return [line for one in sink.objects.values() for line in one.lines()]

    return Place(sink, lines, refuse, lose, asked=True)


def s3_sink(client: S3Client, bucket: str) -> S3Sink:
    return S3Sink(
        lambda: client,
        bucket,
        retention={"trading": timedelta(days=30)},
        lock="GOVERNANCE",
        now=lambda: datetime.now(UTC),
    )


def fake_s3() -> Place:
    store = FakeS3()
    store.ensure_bucket(BUCKET, object_lock=True)
    client: S3Client = store  # type: ignore[assignment]
    failing = _Failing(client)
    return _s3_place(s3_sink(failing, BUCKET), client, BUCKET, failing.refuse, failing.lose)  # type: ignore[arg-type]


class _Failing:
    """A store whose next put fails before or after it is done."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._deed = ""

    def refuse(self) -> None:
        self._deed = "refuse"

    def lose(self) -> None:
        self._deed = "lose"

    def put(self, *args: object, **named: object) -> bool:
        deed, self._deed = self._deed, ""
        if deed == "refuse":
            raise ServerUnreachable("away")
        done: bool = self._client.put(*args, **named)  # type: ignore[arg-type]
        if deed == "lose":
            raise ServerUnreachable("no answer")
        return done

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


def real_s3(address: str, stack: ExitStack, bucket: str) -> Place:
    direct = gateway.client(address)
    direct.ensure_bucket(bucket, object_lock=True)
    proxy = stack.enter_context(proxied(address))
    sink = s3_sink(gateway.client(proxy.address), bucket)
    # The client tries three times by itself.
    return _s3_place(
        sink,
        direct,
        bucket,
        lambda: proxy.fault("PUT", "", Deed.REFUSE, times=3),
        lambda: proxy.fault("PUT", "", Deed.LOSE_ANSWER, times=3),
    )


def _s3_place(
    sink: S3Sink,
    client: S3Client,
    bucket: str,
    refuse: Callable[[], None],
    lose: Callable[[], None],
) -> Place:
    def lines() -> list[bytes]:
        found: list[bytes] = []
        for entry in client.list(bucket, "audit/"):
            with client.stream(bucket, entry.key) as pieces:
                found += Opened(pieces).lines()
        return found

    return Place(sink, lines, refuse, lose, asked=True)


def received_place(sink: Sink, received: Received) -> Place:
    def refuse() -> None:
        received.refuse = 1

    def lose() -> None:
        received.lose = 1

    def lines() -> list[bytes]:
        return [line for batch in received.batches.values() for line in batch]

    return Place(sink, lines, refuse, lose, asked=False)


@pytest.fixture(params=["memory", "fake s3", "real s3", "syslog", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each sink with a receiver of its own."""
    with ExitStack() as stack:
        if request.param == "memory":
            yield memory()
        elif request.param == "fake s3":
            yield fake_s3()
        elif request.param == "real s3":
            bucket = "case-" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16]
            yield real_s3(request.getfixturevalue("real_gateway"), stack, bucket)
        elif request.param == "http":
            received = Received()
            url = stack.enter_context(http_receiver(received))
            yield received_place(HttpSink(url, timeout_s=5), received)
        else:
            received = Received()
            there = stack.enter_context(syslog_receiver(received, tmp_path))
            server = SyslogServer("127.0.0.1", there.port, there.certificate, timeout_s=5)
            yield received_place(SyslogSink(server), received)


def test_what_is_delivered_is_there(place: Place) -> None:
    place.sink.deliver(segment())
    assert place.lines() == LINES


def test_delivering_again_changes_nothing(place: Place) -> None:
    place.sink.deliver(segment())
    place.sink.deliver(segment())
    assert place.lines() == LINES


def test_a_refusal_is_told_and_the_next_try_delivers(place: Place) -> None:
    place.refuse()
    with pytest.raises(FlowrexError):
        place.sink.deliver(segment())
    place.sink.deliver(segment())
    assert place.lines() == LINES


def test_a_lost_answer_is_told_and_the_next_try_does_not_double(place: Place) -> None:
    place.lose()
    with pytest.raises(FlowrexError):
        place.sink.deliver(segment())
    place.sink.deliver(segment())
    assert place.lines() == LINES


def test_it_tells_what_it_holds_where_it_can(place: Place) -> None:
    first = segment()
    place.sink.deliver(first)
    second = segment(2, LINES[:3], first.head.end)
    place.sink.deliver(second)
    gets_on: list[None] = []
    ends = place.sink.ends("n1", lambda: gets_on.append(None))
    held = {(one.head.number, one.digest) for one in ends}
    if place.asked:
        assert held == {(2, second.digest)}
        assert gets_on
        assert list(place.sink.ends("n2", lambda: None)) == []
        found = place.sink.find([first.head.key, first.head.key.replace("n1", "n2")])
        assert [(one.head.number, one.digest) for one in found or ()] == [(1, first.digest)]
    else:
        assert held == set()
        assert place.sink.find([first.head.key]) is None


def test_another_cut_of_the_same_bytes_is_not_put_beside(place: Place) -> None:
    place.sink.deliver(segment())
    if not place.asked:
        return
    with pytest.raises(Occupied) as caught:
        place.sink.deliver(segment(lines=LINES[:10]))
    assert caught.value.stored.head == replace(segment().head, path="")
    assert place.lines() == LINES


def test_a_sink_that_is_closed_can_be_used_again(place: Place) -> None:
    place.sink.close()
    place.sink.deliver(segment())
    assert place.lines() == LINES


@pytest.mark.parametrize("deed", [Deed.PRETEND, Deed.ERROR_IN_200, Deed.UNAVAILABLE])
def test_an_answer_that_is_not_the_stores_is_no_delivery(real_gateway: str, deed: Deed) -> None:
    direct, bucket = gateway.client(real_gateway), f"lie-{deed.name.lower().replace('_', '-')}"
    direct.ensure_bucket(bucket, object_lock=True)
    with proxied(real_gateway) as proxy:
        sink = s3_sink(gateway.client(proxy.address), bucket)
        proxy.fault("PUT", "", deed, times=3)
        with pytest.raises(FlowrexError):
            sink.deliver(segment())
        proxy.heal()
        assert sink.find([segment().head.key]) == []
        sink.deliver(segment())
        assert len(sink.find([segment().head.key])) == 1


def test_an_object_can_not_be_removed_before_its_time(real_gateway: str) -> None:
    client, bucket = gateway.client(real_gateway), "locked-audit"
    client.ensure_bucket(bucket, object_lock=True)
    s3_sink(client, bucket).deliver(segment())
    (version,) = client.versions(bucket, "audit/")
    with pytest.raises(PermissionRefused):
        client.delete(bucket, version.key, version.version_id)


def test_a_syslog_server_with_another_certificate_gets_nothing(tmp_path: Path) -> None:
    received = Received()
    other = tmp_path / "other"
    other.mkdir()
    wrong, _ = certificate(other)
    with syslog_receiver(received, tmp_path) as there:
        sink = SyslogSink(SyslogServer("127.0.0.1", there.port, wrong, timeout_s=5))
        with pytest.raises(FlowrexError, match="trusted"):
            sink.deliver(segment())
    assert received.batches == {}


def test_a_syslog_server_that_never_ends_the_connection_has_not_acknowledged(
    tmp_path: Path,
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        port = listener.getsockname()[1]
        sink = SyslogSink(SyslogServer("127.0.0.1", port, timeout_s=0.3))
        with pytest.raises(ServerUnreachable):
            sink.deliver(segment())
