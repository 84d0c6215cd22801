"""The agent's packages: the same bytes each time, and every file in its place."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from flowrex.errors import UsageError
from generator.artifact import agent

ROOT = Path(__file__).parents[4]


def packages_in(_lock: Path, target: Path) -> None:
    (target / "click").mkdir()
    (target / "click/__init__.py").write_text("")
    (target / "botocore/data").mkdir(parents=True)
    (target / "botocore/data/endpoints.json").write_text("{}")


def build(folder: Path) -> agent.Packages:
    """Build in a folder that looks like the project, whose dist/ is its own."""
    for name in ("agents", "flowrex", "requirements"):
        (folder / name).symlink_to(ROOT / name)
    return agent.build(folder, "1.2.3", cache=folder / "cache", environ={}, install=packages_in)


def members(package: Path) -> dict[str, bytes]:
    """Return what is in a Debian package's outermost archive, which is one of `ar`'s."""
    content = package.read_bytes()
    assert content.startswith(b"!<arch>\n")
    found, at = {}, 8
    while at < len(content):
        name, size = content[at : at + 16].decode().strip(), int(content[at + 48 : at + 58])
        found[name] = content[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def text(packed: bytes, name: str) -> str:
    """Return a file of a packed tar."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read().decode()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> agent.Packages:
    return build(tmp_path_factory.mktemp("project"))


def test_two_builds_agree_to_the_byte(packages: agent.Packages, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert again.tarball.sha256 == packages.tarball.sha256
    assert again.deb.sha256 == packages.deb.sha256


def test_the_tarballs_manifest_says_what_nomad_is_to_fetch(packages: agent.Packages) -> None:
    tarball = packages.tarball
    assert tarball.manifest.name == "flowrex-agent-1.2.3.json"
    assert json.loads(tarball.manifest.read_text())["sha256"] == tarball.sha256
    assert tarball.key == f"agent/1.2.3/{tarball.sha256}/flowrex-agent-1.2.3.tar.gz"


def test_the_tarball_holds_the_agent_below_opt_and_no_other_room(
    packages: agent.Packages,
) -> None:
    with tarfile.open(packages.tarball.path) as archive:
        names = set(archive.getnames())
        launcher = archive.getmember("opt/flowrex-agent/bin/flowrex-agent")
    assert launcher.mode == 0o755
    assert "opt/flowrex-agent/agents/reference.yaml" in names
    assert "opt/flowrex-agent/site-packages/click/__init__.py" in names
    assert not [name for name in names if "botocore/data" in name]
    rooms = {name.split("/")[2] for name in names if name.count("/") > 1}
    assert rooms == {"agents", "flowrex", "site-packages", "bin"}


def test_the_debian_package_is_one_and_says_what_it_needs(
    packages: agent.Packages,
) -> None:
    parts = members(packages.deb.path)
    assert list(parts) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    control = text(parts["control.tar.gz"], "control")
    assert "Package: flowrex-agent\nVersion: 1.2.3\n" in control
    assert "python3 (>= 3.11), python3 (<< 3.12), systemd\n" in control
    assert text(parts["control.tar.gz"], "conffiles") == "/etc/flowrex/agent.yaml\n"
    unit = text(parts["data.tar.gz"], "usr/lib/systemd/system/flowrex-agent.service")
    assert f"ExecStart={agent.PROGRAM} run\n" in unit


def test_what_is_no_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        agent.build(ROOT, "newest", cache=tmp_path, environ={}, install=packages_in)
