"""The application with one path more, which takes as long as it is asked to."""

from __future__ import annotations

import asyncio
from typing import Any

from app.main import create_app
from app.settings import Settings

CODE = """
import os
from app import server
from app.folders import prepare_folders
from app.settings import load
settings = load(os.environ)
prepare_folders(settings.consul.state_dir, settings.audit_dir)
own = server.prepare_metrics()
from tests.live.app.slow_app import create
server.serve(settings, create, own_folder=own)
"""


def create(settings: Settings) -> Any:
    """Return the application with /slow."""
    app = create_app(settings)

    async def slow(seconds: float) -> dict[str, float]:
        await asyncio.sleep(seconds)
        return {"slept": seconds}

    async def bug() -> None:
        raise RuntimeError("a bug")

    app.add_api_route("/slow", slow)
    app.add_api_route("/bug", bug)
    return app
