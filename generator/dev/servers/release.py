"""Official releases: a zip and a list of SHA-256 sums, from the makers' site or a mirror of it."""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

from flowrex.errors import ConfigurationError, ServerRefused
from generator.dev.servers.cache import Machine
from generator.dev.servers.catalog import Server
from generator.dev.servers.progress import Progress

SETTING = "FLOWREX_RELEASES_URL"
DEFAULT_URL = "https://releases.hashicorp.com"

_SUM = re.compile(r"^([0-9a-f]{64})\s+\*?(\S+)$", re.MULTILINE)
_LIST_AT_MOST = 1 << 20
_CHUNK = 1 << 18
_TRIES = 2


class UnavailableError(Exception):
    """The release can't be had here; a build is the other way."""


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


class ReleaseSite:
    """The site, and whether it was out of reach already, so that only the first server waits."""

    def __init__(self, url: str | None, *, timeout_s: float = 5) -> None:
        """Remember where to look.

        Args:
            url: the site without a trailing slash; None where it is switched off.
            timeout_s: how long any single answer may take, in seconds.
        """
        self._url = url
        self._timeout_s = timeout_s
        self._unreachable: str | None = None if url else f"{SETTING} is off"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ReleaseSite:
        """Return the site that FLOWREX_RELEASES_URL names, or the makers' own.

        Raises:
            ConfigurationError: the setting is no https address (http is for this machine only).
        """
        url = environ.get(SETTING) or DEFAULT_URL
        if url.lower() == "off":
            return cls(None)
        parts = urllib.parse.urlsplit(url)
        loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and loopback)
        ):
            raise ConfigurationError(
                f"{SETTING} is {url!r}, which is no https:// address",
                hint="The sums are only worth the connection that they come over. Name a mirror"
                " that has https, or `off` to build the servers from source.",
            )
        return cls(url.rstrip("/"))

    def fetch(self, server: Server, machine: Machine, folder: Path, progress: Progress) -> Path:
        """Download, check and unpack one server.

        Args:
            server: what is wanted.
            machine: the kind of machine it is for.
            folder: where the files go; the caller removes it.
            progress: is told how much has come.

        Returns:
            The binary, in `folder`.

        Raises:
            UnavailableError: the site is out of reach, or does not have it.
            ServerRefused: the file is not the one that the list of sums names.
        """
        if self._unreachable:
            raise UnavailableError(self._unreachable)
        stem = f"{server.name}_{server.version}"
        archive = f"{stem}_{machine.system}_{machine.architecture}.zip"
        base = f"{self._url}/{server.name}/{server.version}"
        expected = self._expected(f"{base}/{stem}_SHA256SUMS", archive)
        target = folder / archive
        for left in reversed(range(_TRIES)):
            try:
                actual = self._download(f"{base}/{archive}", target, progress)
                break
            except _BrokenOffError as error:
                if not left:
                    raise UnavailableError(str(error)) from error
                progress.note(f"{error}; trying once more.")
        if actual != expected:
            raise ServerRefused(
                f"{base}/{archive} is not what the list of sums names: its SHA-256 is {actual},"
                f" and {expected} was expected",
                hint="Nothing of it was kept. Somebody changed the file or the list on the way, or"
                f" the mirror is broken: tell who runs it, and set {SETTING} to another or `off`.",
            )
        return _unpack(target, server, folder)

    def _expected(self, url: str, archive: str) -> str:
        try:
            with self._open(url) as answer:
                text = answer.read(_LIST_AT_MOST).decode("ascii", errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(url, error) from error
        sums: dict[str, str] = {name: checksum for checksum, name in _SUM.findall(text)}
        if archive not in sums:
            raise UnavailableError(f"{url} does not name {archive}")
        return sums[archive]

    def _download(self, url: str, target: Path, progress: Progress) -> str:
        """Write the answer to `target` and return its SHA-256 in hex."""
        digest = hashlib.sha256()
        came = 0
        try:
            with self._open(url) as answer, target.open("wb") as file:
                announced = answer.headers.get("Content-Length")
                total = int(announced) if announced else None
                try:
                    while chunk := answer.read(_CHUNK):
                        file.write(chunk)
                        digest.update(chunk)
                        came += len(chunk)
                        progress.step(f"downloading, {_megabytes(came, total)}")
                except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
                    raise _BrokenOffError(f"{url} broke off after {came} bytes") from error
        except urllib.error.URLError as error:
            raise self._unavailable(url, error) from error
        if total is not None and came < total:
            raise _BrokenOffError(f"{url} broke off after {came} of {total} bytes")
        return digest.hexdigest()

    def _open(self, url: str) -> http.client.HTTPResponse:
        request = urllib.request.Request(url, headers={"User-Agent": "flowrexctl"})  # noqa: S310
        answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 (checked in from_environ)
            request, timeout=self._timeout_s
        )
        if url.startswith("https:") and not answer.url.startswith("https:"):
            answer.close()
            raise urllib.error.URLError(f"it leads to {answer.url}, which is not https")
        return answer

    def _unavailable(self, url: str, error: Exception) -> UnavailableError:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            return UnavailableError(f"{url} answers {error.code}")
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        self._unreachable = f"{self._url} is out of reach: {reason}"
        return UnavailableError(self._unreachable)


def _unpack(archive: Path, server: Server, folder: Path) -> Path:
    binary = folder / server.name
    try:
        with (
            zipfile.ZipFile(archive) as content,
            content.open(server.name) as packed,
            binary.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, _CHUNK)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ServerRefused(
            f"{archive.name} has the right SHA-256 and no {server.name} in it: {error}",
            hint=f"Set {SETTING}=off to build {server} from source.",
        ) from error
    binary.chmod(0o755)
    archive.unlink()
    return binary


def _megabytes(came: int, total: int | None) -> str:
    whole = f" of {total / 1e6:.0f}" if total else ""
    return f"{came / 1e6:.0f}{whole} MB"
