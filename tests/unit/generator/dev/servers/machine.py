"""A machine with nothing on it: its PATH, its cache, a Go that copies, a release site."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from generator.dev.servers import CATALOG, Server, cache
from generator.dev.servers.cache import Machine


@dataclass
class Heard:
    """A Progress that remembers what it was told."""

    started: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: int = 0

    def start(self, text: str) -> None:
        self.started.append(text)

    def step(self, text: str) -> None:
        self.steps.append(text)

    def done(self, text: str) -> None:
        self.ended.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stopped(self) -> None:
        self.failures += 1


def build_information(*lines: str) -> bytes:
    """Return the bytes that Go's linker would write for these lines."""

    def string(value: bytes) -> bytes:
        length, encoded = len(value), b""
        while length >= 0x80:
            encoded += bytes([length & 0x7F | 0x80])
            length >>= 7
        return encoded + bytes([length]) + value

    text = "\n".join(lines).encode()
    header = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    return header + string(b"go1.26.0") + string(b"<" * 16 + text + b">" * 16)


def program(server: Server, *, version: str | None = None, tags: str | None = None) -> bytes:
    """Return a server: a script that answers as it would, with a Go program's build information."""
    version = version or server.version
    answer = f"echo '{server.name} v{version} (made up)'" if server.version_arguments else "true"
    lines = [f"mod\t{server.source}\tv{version}\th1:made-up"]
    lines += [f"build\t-tags={tags}"] if tags else []
    return f"#!/bin/sh\n{answer}\nexit 0\n".encode() + build_information(*lines)


def write_program(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@dataclass
class Box:
    """The machine."""

    root: Path
    machine: Machine
    environ: dict[str, str]

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def modules(self) -> Path:
        return self.root / "servers"

    @property
    def builds(self) -> list[str]:
        """The command lines that Go was given to build."""
        log = self.root / "builds"
        return log.read_text().splitlines() if log.exists() else []

    def put_on_path(self, server: Server, *, version: str | None = None) -> Path:
        return write_program(self.bin / server.name, program(server, version=version))

    def put_in_cache(self, server: Server) -> Path:
        self.cache.mkdir(exist_ok=True)
        staged = write_program(self.root / "staged" / server.name, program(server))
        return cache.keep(self.cache, server, self.machine, staged, "build")

    def put_go_on_path(self, *, version: str = "1.26.0", build: str | None = None) -> None:
        """Put a `go` on PATH whose build copies the server that is asked for, or runs `build`."""
        sources = self.root / "sources"
        for server in CATALOG.values():
            tags = ",".join(server.tags) or None
            write_program(sources / server.name, program(server, tags=tags))
        build = build or f'/bin/cp "{sources}/${{out##*/}}" "$out"'
        script = f"""#!/bin/sh
        if [ "$1" = env ]; then echo go{version}; exit; fi
        echo "$@" >> {self.root}/builds
        while [ "$1" != -o ]; do shift; done
        out=$2
        {build}
        """
        write_program(self.bin / "go", script.encode())

    def left_in_cache(self) -> set[str]:
        """The servers' folders in the cache, and what stands in its staging folder."""
        names = {path.name for path in self.cache.glob("*-linux-amd64")}
        return names | {path.name for path in self.cache.glob("staging/*")}


@dataclass
class Answer:
    """What the site says at one path: `cut` bytes are announced and not sent."""

    body: bytes
    status: int = 200
    cut: int = 0
    announce: bool = True


class Site:
    """A release site on loopback."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.answers: dict[str, list[Answer]] = {}

    def offer(self, server: Server, *, content: bytes | None = None, member: str = "") -> str:
        """Offer a release with a list of sums; return the archive's path on the site."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(member or server.name, content or program(server))
            archive.writestr("LICENSE.txt", "made up")
        name = f"{server.name}_{server.version}_linux_amd64.zip"
        checksum = hashlib.sha256(buffer.getvalue()).hexdigest()
        folder = f"/{server.name}/{server.version}"
        sums = f"{'0' * 64}  another.zip\n{checksum}  {name}\n".encode()
        self.answers[f"{folder}/{server.name}_{server.version}_SHA256SUMS"] = [Answer(sums)]
        self.answers[f"{folder}/{name}"] = [Answer(buffer.getvalue())]
        return f"{folder}/{name}"
