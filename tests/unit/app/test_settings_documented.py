from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAME = r"(?:FLOWREX_[A-Z_]+|LOG_LEVEL|PROMETHEUS_[A-Z_]+)"


def test_every_variable_is_documented_and_no_other() -> None:
    code = "".join(
        (ROOT / "app" / name).read_text()
        for name in ("settings.py", "server.py", "workers/settings.py", "retention.py")
    )
    read = set(re.findall(rf'"({NAME})"', code))
    page = (ROOT / "docs" / "reference" / "app-settings.md").read_text()
    documented = set(re.findall(rf"^\| `({NAME})` \|", page, re.MULTILINE))
    assert documented == read
