"""What the frontend tells Prometheus is documented."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_metric_of_the_frontend_is_documented() -> None:
    code = (ROOT / "frontend" / "server" / "metrics.ts").read_text()
    names = re.findall(r'name: "([a-z_]+)"', code)
    page = (ROOT / "docs" / "monitoring.md").read_text()
    assert len(names) == 3
    assert not [name for name in names if f"`{name}`" not in page]
