"""Every error is reported once, with its exit status, and never as a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import generator.cli as cli
from flowrex.errors import LockHeld

ROOT = Path(__file__).parents[4]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert isinstance(caught.value.code, int)
    return caught.value.code, out, click.unstyle(err)


def test_every_verb_has_a_module_and_every_module_is_a_verb() -> None:
    folder = ROOT / "generator" / "cli"
    modules = {path.stem for path in folder.glob("*.py") if "\ncommand = " in path.read_text()}
    modules |= {path.stem for path in folder.glob("*.py") if "\ndef command(" in path.read_text()}
    assert modules == {verb.replace("-", "_") for verb in cli.VERBS}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, verb, "--help")
    assert status == 0
    assert f"flowrexctl {verb}" in out.split("\n", 1)[1]


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "prommote")
    assert status == 2
    assert "promote" in err


def test_an_error_is_two_sentences_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "render", "production")
    assert status == 3
    assert out == ""
    assert err.startswith("error: there is no environment 'production'\nKnown: ")


def test_an_error_is_one_document_for_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "render", "production", "--json")
    assert status == 3
    assert json.loads(out)["exit_status"] == 3


def test_a_usage_error_is_one_document_for_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "render", "prod", "--nope", "--json")
    assert status == 2
    assert json.loads(out)["message"] == "No such option '--nope'."
    assert "Usage: " in err


def test_a_reader_that_has_gone_is_no_bug() -> None:
    code = "import generator.cli; generator.cli.main(['render', 'prod'])"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (130, "")


def shell(redirection: str, *arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    """Run a command line as a shell redirects it."""
    code = f"import generator.cli; generator.cli.main({list(arguments)!r})"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, click.unstyle(done.stderr)


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("words", [("render", "prod"), ("env", "show", "prod", "--json")])
def test_a_result_that_can_not_be_written_is_an_error(
    redirection: str, words: tuple[str, ...]
) -> None:
    status, _, err = shell(redirection, *words)
    assert status == 3
    assert err.startswith("error: the result can't be written to standard output: ")


def test_a_help_that_can_not_be_written_is_no_bug() -> None:
    status, _, err = shell(">/dev/full", "--help")
    assert (status, err.splitlines()[0]) == (3, "error: can't be written: No space left on device")


def test_an_error_that_no_script_can_read_is_told_to_people() -> None:
    status, _, err = shell(">/dev/full", "render", "nope", "--json")
    assert status == 3
    assert err.startswith("error: there is no environment 'nope'")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_what_can_not_be_told_stops_nothing(redirection: str) -> None:
    status, out, _ = shell(redirection, "env", "show", "prod", "backend.count", "--json")
    assert (status, json.loads(out)["exit_status"]) == (0, 0)
    assert shell(redirection, "render", "nope")[0] == 3
    assert shell(redirection, "nope")[0] == 2


def test_a_current_folder_that_is_gone_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "gone"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    status, _, err = run(capsys, "env", "show", "prod")
    assert (status, err.split(":")[1].strip()) == (3, "the current folder can't be told")


@pytest.mark.parametrize("written", ["http://127.0.0.1:99999", "http://[::1"])
@pytest.mark.parametrize(
    "setting", ["servers.nomad", "servers.consul", "s3.endpoint", "preflight.public_urls.api"]
)
def test_an_address_that_there_can_not_be_names_its_option(
    capsys: pytest.CaptureFixture[str], setting: str, written: str
) -> None:
    status, _, err = run(capsys, "render", "prod", "--set", f"{setting}={written}")
    assert status == 3
    assert err.startswith(f"error: --set {setting}: {setting} is {written!r}, no address of")


def test_a_bug_does_not_read_as_changes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.delenv("FLOWREX_DEBUG", raising=False)
    monkeypatch.setattr(cli.group, "main", broken)
    assert run(capsys, "plan", "prod", "--detailed-exitcode")[0] == 255


def test_an_interrupt_is_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.group, "main", interrupted)
    status, _, err = run(capsys, "render", "prod")
    assert status == 130
    assert "flowrexctl status" in err


def test_an_interrupt_is_one_document_for_a_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.group, "main", interrupted)
    status, out, _ = run(capsys, "run", "prod", "--json")
    assert status == 130
    assert json.loads(out)["exit_status"] == 130


def test_an_errors_own_status_is_the_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*args: object, **kwargs: object) -> None:
        raise LockHeld("somebody is at it", hint="Wait.")

    monkeypatch.setattr(cli.group, "main", held)
    assert run(capsys, "run", "prod")[0] == 8


def test_what_nobody_foresaw_is_a_sentence_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.delenv("FLOWREX_DEBUG", raising=False)
    monkeypatch.setattr(cli.group, "main", broken)
    status, _, err = run(capsys, "render", "prod")
    assert status == 1
    assert "this is a bug in flowrexctl: ZeroDivisionError: division by zero" in err


def test_render_imports_no_client_library() -> None:
    """Each of them costs more than rendering everything does."""
    code = (
        "import sys, generator.cli\n"
        "try: generator.cli.main(['render', 'prod', '--json'])\n"
        "except SystemExit: pass\n"
        "heavy = {'nomad', 'consul', 'hvac', 'requests', 'botocore', 'asyncpg'}\n"
        "heavy &= set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_and_can_be_switched_off(no_color: str, coloured: bool) -> None:
    ours, theirs = os.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", "import generator.cli as c; c.main(['render', 'production'])"],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": no_color},
            stderr=theirs,
            check=False,
        )
        said = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "there is no environment" in said
    assert ("\x1b[" in said) is coloured
