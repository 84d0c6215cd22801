"""A Debian package that is the same to the byte wherever and whenever it is made."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.files import replacing
from generator.artifact import archive

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Control:
    """What a package says of itself.

    Attributes:
        name: its name.
        version: its version.
        depends: what else must be installed.
        summary: one line.
        description: more lines.
        conffiles: paths of the administrator's files, which an upgrade does not overwrite.
        scripts: maintainer scripts by their name (`postinst`, …).
    """

    name: str
    version: str
    depends: str
    summary: str
    description: str
    conffiles: tuple[str, ...]
    scripts: Mapping[str, str]

    def text(self, installed_kib: int) -> str:
        """Return the control file."""
        return (
            f"Package: {self.name}\n"
            f"Version: {self.version}\n"
            f"Architecture: {architecture()}\n"
            "Maintainer: Flowrex\n"
            f"Installed-Size: {installed_kib}\n"
            f"Depends: {self.depends}\n"
            "Section: admin\n"
            "Priority: optional\n"
            f"Description: {self.summary}\n" + "".join(f" {line}\n" for line in self._lines())
        )

    def _lines(self) -> list[str]:
        return [line or "." for line in self.description.splitlines()]


def architecture() -> str:
    """Return this machine's architecture by Debian's name.

    Raises:
        ConfigurationError: it has none that is known here.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise ConfigurationError(
            f"there is no Debian package for {machine}",
            hint=f"Build on one of: {', '.join(_ARCHITECTURES)}; the tarball works anywhere.",
        )
    return _ARCHITECTURES[machine]


def write(
    path: Path, control: Control, entries: Iterable[archive.Entry], *, mtime_s: int
) -> tuple[str, int]:
    """Write the package.

    Args:
        path: the package; it is whole or absent.
        control: what it says of itself.
        entries: its files, named from the root on, without a leading slash.
        mtime_s: the time that every file gets, in seconds since 1970.

    Returns:
        Its SHA-256 in hex and its size in bytes.
    """
    files = list(entries)
    kib = sum(entry.source.stat().st_size for entry in files) // 1024 + 1
    with tempfile.TemporaryDirectory(prefix="flowrex-deb-") as name:
        folder = Path(name)
        archive.write(folder / "data.tar.gz", files, mtime_s=mtime_s)
        said = _said(folder / "control", control, kib)
        archive.write(folder / "control.tar.gz", said, mtime_s=mtime_s)
        members = {
            "debian-binary": b"2.0\n",
            "control.tar.gz": (folder / "control.tar.gz").read_bytes(),
            "data.tar.gz": (folder / "data.tar.gz").read_bytes(),
        }
    with replacing(path) as temporary:
        with temporary.open("wb") as out:
            out.write(b"!<arch>\n")
            for member, content in members.items():
                out.write(_header(member, len(content), mtime_s) + content)
                out.write(b"\n" * (len(content) % 2))
        size = temporary.stat().st_size
        digest = archive.checksum(temporary)
    return digest, size


def _said(folder: Path, control: Control, kib: int) -> list[archive.Entry]:
    folder.mkdir()
    texts = {"control": control.text(kib), **control.scripts}
    if control.conffiles:
        texts["conffiles"] = "".join(f"{path}\n" for path in control.conffiles)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [archive.Entry(name, folder / name, name in control.scripts) for name in texts]


def _header(name: str, size: int, mtime_s: int) -> bytes:
    """Return a member's header in the format of `ar`: fixed columns of ASCII."""
    return f"{name:<16}{mtime_s:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode()
