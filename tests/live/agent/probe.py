#!/usr/bin/python3 -IB
"""The installed agent with one task more, which does on this machine what a test asks of it."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

home = Path("/opt/flowrex-agent")
sys.path[:0] = [str(home), str(home / "site-packages")]

from agents import wiring  # noqa: E402
from agents.main import main  # noqa: E402

RUNTIME = Path("/run/flowrex-agent")
STATE = Path("/var/lib/flowrex-agent")


class Probe:
    """A task that hangs, fails, returns or stays, as a file in the runtime folder says."""

    name = "probe"
    stall_s = 2.0

    async def run(self, beat: Any) -> None:
        try:
            while True:
                beat()
                if (RUNTIME / "hang").exists():
                    await self.waits_for_what_never_comes()
                if (RUNTIME / "return").exists():
                    return
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            (STATE / "saved").write_text("saved")
            if (RUNTIME / "stay").exists():
                await self.stays()
            raise

    async def waits_for_what_never_comes(self) -> None:
        await asyncio.Event().wait()

    async def stays(self) -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    def status(self) -> dict[str, Any]:
        return {
            "reads": _try(lambda: Path("/srv/of-root/file").read_text()),
            "writes": _try(lambda: Path("/srv/of-root/file").write_text("mine")),
            "writes_etc": _try(lambda: Path("/etc/flowrex/agent.yaml").write_text("mine")),
            "works": _works(),
            "credentials": sorted(
                path.name for path in Path(os.environ["CREDENTIALS_DIRECTORY"]).iterdir()
            ),
        }

    def metrics(self) -> Iterator[Any]:
        return iter(())


def _works() -> str:
    """Use each compiled library, and another program, as the parts of the agent do."""
    import subprocess

    import botocore.auth
    import consul
    import hvac
    import requests
    import zstandard
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = AESGCM.generate_key(256)
    sealed = AESGCM(key).encrypt(b"0" * 12, zstandard.compress(b"said"), None)
    opened = zstandard.decompress(AESGCM(key).decrypt(b"0" * 12, sealed, None)).decode()
    echoed = subprocess.run(["/bin/echo", opened], capture_output=True, text=True, check=True)
    assert all((botocore.auth, consul, hvac, requests))
    return echoed.stdout.strip()


def _try(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except OSError as error:
        return type(error).__name__


wiring.PARTS += (wiring.Part("probe", ("tasks",), lambda _: [Probe()], lambda _: True),)
main()
