"""A syslog sink's certificates: needed at the start, an outage where they go later."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from agents.sinks.sink import Segment
from agents.sinks.syslog import SyslogServer, SyslogSink
from flowrex.errors import ConfigurationError, ServerUnreachable

_NO_SEGMENT: Segment = None  # type: ignore[assignment]


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    found = ssl.get_default_verify_paths().cafile
    if found is None:
        pytest.fail("this machine has no certificates")
    path = tmp_path / "ca.pem"
    path.write_bytes(Path(found).read_bytes())
    return path


@pytest.mark.parametrize("text", [None, "no certificate"], ids=["missing", "none"])
@pytest.mark.parametrize("own", [False, True], ids=["ca", "own"])
def test_a_certificate_that_cant_be_read_refuses_the_start(
    tmp_path: Path, text: str | None, own: bool
) -> None:
    path = tmp_path / "given.pem"
    if text is not None:
        path.write_text(text)
    server = SyslogServer("127.0.0.1", 1, *((None, path) if own else (path,)))
    with pytest.raises(ConfigurationError, match="the certificates can't be read"):
        SyslogSink(server)


def test_one_that_goes_later_is_an_outage(ca_file: Path) -> None:
    sink = SyslogSink(SyslogServer("127.0.0.1", 1, ca_file))
    ca_file.unlink()
    with pytest.raises(ServerUnreachable, match="the certificates can't be read"):
        sink.deliver(_NO_SEGMENT)
