"""Redis: the dump that it sends to a replica, and its append-only files."""

from __future__ import annotations

import os
import socket
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agents.snapshots import rdb
from agents.snapshots.source import File, Pieces, SnapshotBroken
from flowrex.errors import (
    ConfigurationError,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
    UsageError,
)
from flowrex.secret import Secret

DUMP = "dump.rdb"
FILES = "appendonly.tar"
_PIECE = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_ATTEMPTS = 5
_LINE = 4096
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Redis:
    """One Redis.

    Attributes:
        host: where it is.
        port: its port.
        user: the user that may act as a replica.
        password: gives that user's password.
        aof_dir: the folder of its append-only files; None: they are left out.
        kind: `redis`.
    """

    host: str
    port: int
    user: str
    password: Callable[[], Secret]
    aof_dir: Path | None = None
    kind: str = "redis"

    def files(self) -> tuple[File, ...]:
        """Return the dump, and the append-only files where they are wanted."""
        dump = File(DUMP, self._dump, rdb.check, compress=True)
        if self.aof_dir is None:
            return (dump,)
        folder = self.aof_dir
        return (dump, File(FILES, lambda: copy(folder), check_copy, compress=True))

    def where(self) -> str:
        """Return its address."""
        return f"{self.host}:{self.port}"

    def restore(self, read: Callable[[str], Pieces]) -> str:
        """Refuse: Redis reads its files at its start and takes none while it runs."""
        raise UsageError(
            "a running Redis takes no dump",
            hint="`flowrex-agent snapshots fetch redis NAME --into FOLDER` gives its files; "
            "docs/runbooks/rebuild-cluster.md tells where they go.",
        )

    @contextmanager
    def _dump(self) -> Iterator[Pieces]:
        try:
            with socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S) as line:
                yield self._sent(line)
        except OSError as error:
            raise ServerUnreachable(
                f"Redis at {self.where()} does not answer: {error}",
                hint="Look whether it runs, and at snapshots.redis.host and port.",
            ) from error

    def _sent(self, line: socket.socket) -> Pieces:
        """Ask for a dump as a replica does, in the oldest way: its length comes before it.

        A replica that says it can do more is sent a dump without a length, and a mark after it.
        """
        with line.makefile("rb") as stream:
            line.sendall(_command("AUTH", self.user, self.password().reveal()))
            self._insist(stream.readline(_LINE), "+")
            line.sendall(_command("SYNC"))
            # While Redis makes the dump it sends empty lines, so that nobody gives up.
            head = b"\n"
            while head in (b"\n", b"\r\n"):
                head = stream.readline(_LINE)
            left = int(self._insist(head, "$"))
            while left:
                piece = stream.read(min(_PIECE, left))
                if not piece:
                    raise ServerUnreachable(
                        f"Redis at {self.where()} broke off {left} bytes before the dump's end"
                    )
                left -= len(piece)
                yield piece

    def _insist(self, said: bytes, mark: str) -> str:
        text = said.decode(errors="replace").strip()
        if text[:1] == mark and (mark != "$" or text[1:].isdigit()):
            return text[1:]
        words = text or "it closed the connection"
        if text.startswith(("-NOPERM", "-WRONGPASS", "-NOAUTH")):
            raise PermissionRefused(
                f"Redis at {self.where()} refuses a dump: {words}",
                hint=f"The user {self.user} needs +sync, and its password as the credential says.",
            )
        raise ServerRefused(f"Redis at {self.where()} gives no dump: {words}")


def _command(*words: str) -> bytes:
    """Return a command as Redis' protocol has it."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        encoded = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(encoded), encoded))
    return b"".join(parts)


@contextmanager
def copy(folder: Path) -> Iterator[Pieces]:
    """Copy append-only files of one moment, while Redis goes on writing.

    The manifest names the files that belong together, and is replaced as a whole by each rewrite.
    So all that it names are opened, and then it is read again: where it is the same, they are of
    one set, and stay readable also when a rewrite deletes them. A command that is cut off at the
    end of the last one is left out by Redis at its start.
    """
    with ExitStack() as held:
        yield _packed(_opened(folder, held))


def _opened(folder: Path, held: ExitStack) -> list[tuple[str, bytes | BinaryIO]]:
    for _ in range(_ATTEMPTS):
        name, text = _manifest(folder)
        with ExitStack() as attempt:
            try:
                found = [
                    (part, attempt.enter_context((folder / part).open("rb")))
                    for part in parts(text.decode())
                ]
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(folder, error) from error
            if _manifest(folder) == (name, text):
                held.push(attempt.pop_all())
                return [(name, text), *found]
    raise ServerRefused(
        f"Redis rewrote the append-only files in {folder} {_ATTEMPTS} times while they were opened"
    )


def parts(manifest: str) -> list[str]:
    """Return the files that a manifest names, in its order.

    Raises:
        SnapshotBroken: it is no manifest of append-only files.
    """
    names = []
    for line in manifest.splitlines():
        words = line.split()
        if len(words) < 6 or words[0] != "file" or "/" in words[1]:
            raise SnapshotBroken(f"{line!r} is no line of a manifest of append-only files")
        # History files wait for their deletion and belong to nothing any more.
        if words[words.index("type") + 1] != "h":
            names.append(words[1])
    return names


def check_copy(pieces: Pieces) -> None:
    """Read a copy through: everything that its manifest names must be there.

    Raises:
        SnapshotBroken: it is not whole.
    """
    from agents.snapshots.raft import Readable

    there: set[str] = set()
    wanted: list[str] | None = None
    try:
        with tarfile.open(fileobj=Readable(pieces), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                content = archive.extractfile(member)
                text = content.read() if content and member.name.endswith(".manifest") else b""
                if text:
                    wanted = parts(text.decode())
                there.add(member.name)
        for _ in pieces:
            pass
    except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError) as error:
        raise SnapshotBroken(f"the append-only files can't be unpacked: {error}") from error
    if wanted is None or not set(wanted) <= there:
        raise SnapshotBroken(f"of the append-only files {wanted}, only {sorted(there)} are there")


def _manifest(folder: Path) -> tuple[str, bytes]:
    try:
        found = sorted(folder.glob("*.manifest"))
        if len(found) != 1:
            raise ConfigurationError(
                f"there are {len(found)} manifests of append-only files; expected one",
                path=folder,
                hint="snapshots.redis.aof_dir is Redis' appenddirname, with appendonly yes.",
            )
        return found[0].name, found[0].read_bytes()
    except OSError as error:
        raise _unreadable(folder, error) from error


def _packed(files: list[tuple[str, bytes | BinaryIO]]) -> Pieces:
    for name, content in files:
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        if isinstance(content, bytes):
            info.size = len(content)
            yield info.tobuf() + content
        else:
            # What is written after this moment belongs to the next snapshot.
            info.size = left = os.fstat(content.fileno()).st_size
            yield info.tobuf()
            while left:
                piece = content.read(min(_PIECE, left))
                if not piece:
                    raise ServerRefused(f"{name} became shorter while it was copied")
                left -= len(piece)
                yield piece
        yield bytes(-info.size % _BLOCK)
    yield bytes(2 * _BLOCK)


def _unreadable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the append-only files can't be read: {error.strerror}",
        path=folder,
        hint="The agent's user must be in Redis' group, and the folder readable for it.",
    )
