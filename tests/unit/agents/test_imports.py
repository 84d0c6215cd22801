"""The agent is small because nothing is imported that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def imported(code: str) -> set[str]:
    """Return the top names of what a fresh interpreter has imported after `code`."""
    program = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_command_line_alone_imports_click_and_no_client() -> None:
    there = imported("import agents.main")
    assert "click" in there
    assert there.isdisjoint(
        {"yaml", "asyncio", "consul", "hvac", "requests", "botocore", "cryptography", "zstandard"}
    )


@pytest.mark.parametrize("room", ["generator", "app"])
def test_the_process_imports_no_other_room_and_not_what_only_they_need(room: str) -> None:
    there = imported("import agents.process, agents.cli.run, agents.cli.status")
    assert room not in there
    assert there.isdisjoint({"jinja2", "nomad", "fastapi", "asyncpg", "boto3", "hcl2", "redis"})


def test_no_client_library_is_imported_before_its_server_is_asked() -> None:
    there = imported("import agents.process")
    assert there.isdisjoint({"consul", "hvac", "requests", "botocore", "cryptography"})


def test_a_running_agent_guesses_no_encodings_and_nobody_is_warned(tmp_path: Path) -> None:
    broken = tmp_path / "agent.yaml"
    broken.write_text("unknown: 1\n")
    program = (
        "import contextlib, pathlib, sys, agents.start\n"
        "from flowrex.errors import FlowrexError\n"
        f"with contextlib.suppress(FlowrexError): agents.start.run(pathlib.{broken!r})\n"
        "import requests, consul, hvac\n"
        "answer = requests.Response()\n"
        "answer._content = 'é'.encode()\n"
        "print(answer.text, sys.modules['charset_normalizer'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("é None\n", "")


def test_the_agents_own_version_is_not_asked_of_package_metadata_which_a_node_lacks() -> None:
    asks = [
        str(path.relative_to(ROOT))
        for room in ("agents", "flowrex")
        for path in (ROOT / room).rglob("*.py")
        if 'version("flowrex' in path.read_text(encoding="utf-8")
    ]
    assert asks == []
