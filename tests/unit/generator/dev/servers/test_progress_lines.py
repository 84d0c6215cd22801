"""A changing line on a terminal, one line a server in a pipe."""

from __future__ import annotations

import io

import pytest

from generator.dev.servers.progress import Lines, duration, estimate


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_one_line_for_each_server() -> None:
    pipe = io.StringIO()
    lines = Lines(pipe)
    for name in ("consul", "nomad"):
        lines.start(name)
        lines.step("building, 1 s")
        lines.step("building, 2 s")
        lines.done("built in 3 s")

    assert pipe.getvalue() == "consul … built in 3 s\nnomad … built in 3 s\n"


def test_a_pipe_shows_what_has_begun_before_it_ends() -> None:
    pipe = io.StringIO()

    Lines(pipe).start("consul")

    assert pipe.getvalue() == "consul … "


def test_a_terminal_s_line_changes_in_place() -> None:
    terminal = Terminal()
    lines = Lines(terminal)
    lines.start("consul")
    lines.step("building, 1 s")
    lines.done("built in 2 s")

    assert terminal.getvalue().split("\r\x1b[K") == [
        "consul … ",
        "consul … building, 1 s",
        "consul … built in 2 s\n",
    ]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_note_has_a_line_of_its_own(stream: type[io.StringIO]) -> None:
    output = stream()
    lines = Lines(output)
    lines.note("before")
    lines.start("consul")
    lines.note("between")
    lines.done("built")

    shown = output.getvalue().split("\n")
    assert shown[0] == "before"
    assert any(line.endswith("between") for line in shown)
    assert shown[-2].endswith("consul … built")


def test_a_failure_ends_the_line_so_that_the_error_begins_on_its_own() -> None:
    pipe = io.StringIO()
    lines = Lines(pipe)
    lines.start("consul")
    lines.stopped()
    lines.stopped()

    assert pipe.getvalue() == "consul … \n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_a_duration_is_written_as_people_write_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "under a minute"), (60, "about 1 min"), (230, "about 4 min")]
)
def test_an_estimate_is_rounded(seconds: float, text: str) -> None:
    assert estimate(seconds) == text
