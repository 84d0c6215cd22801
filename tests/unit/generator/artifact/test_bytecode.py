from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.artifact import archive
from generator.artifact.bytecode import compile_folder, compiled

# Its set of constants is laid out by the hash's seed, unless that is fixed.
MODULE = "WORDS = [word for word in 'abc' if word in {'a', 'b', 'c', 'd', 'e'}]\n\n\ndef f():\n"


def folder(path: Path, text: str = MODULE + "    raise ValueError('here')\n") -> Path:
    (path / "package").mkdir(parents=True)
    (path / "package" / "__init__.py").write_text("")
    (path / "package" / "module.py").write_text(text)
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*.pyc")}


def python(path: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_same_modules_give_the_same_bytes_wherever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two" / "deeper")
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert compile_folder(one) == ""
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    assert compile_folder(two) == ""
    assert len(contents(one)) == 2
    assert contents(one) == contents(two)


def test_a_module_is_read_from_its_bytecode_whatever_time_its_file_has(tmp_path: Path) -> None:
    place = folder(tmp_path / "place", "print('compiled')\n")
    compile_folder(place)
    # What nobody does to an artifact shows here which of the two is read.
    (place / "package" / "module.py").write_text("print('source')\n")
    assert python(place, "import package.module") == "compiled\n"


def test_a_traceback_names_the_file_where_it_is_and_not_where_it_was_built(tmp_path: Path) -> None:
    built = folder(tmp_path / "built")
    compile_folder(built)
    moved = built.rename(tmp_path / "moved")
    said = python(moved, "from package import module; module.f()")
    assert f'"{moved}/package/module.py", line 5' in said
    assert "raise ValueError('here')" in said
    assert str(built) not in said


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    assert "module.py" in compile_folder(folder(tmp_path / "place", "def (\n"))


def test_an_archive_gets_the_bytecode_of_its_modules_under_their_names(tmp_path: Path) -> None:
    place = folder(tmp_path / "place")
    (place / "package" / "notes.txt").write_text("no module\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    entries = archive.tree(place, "opt/app")
    tag = sys.implementation.cache_tag
    assert {entry.name for entry in compiled(entries, scratch)} == {
        f"opt/app/package/__pycache__/__init__.{tag}.pyc",
        f"opt/app/package/__pycache__/module.{tag}.pyc",
    }
    assert not list(place.rglob("*.pyc"))


def test_a_module_of_ours_that_is_no_python_stops_the_build(tmp_path: Path) -> None:
    place, scratch = folder(tmp_path / "place", "def (\n"), tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(ConfigurationError, match=r"module\.py") as raised:
        compiled(archive.tree(place, "app"), scratch)
    assert raised.value.hint
