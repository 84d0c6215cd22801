"""Read an environment: base, its own file, the local cluster's layer, and what `--set` says."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.settings import schema, source
from generator.environment import override
from generator.environment.model import Environment
from generator.images import manifest

FOLDER = Path("jobs", "environments")
# Not a setting: the environment that a file is laid over.
_EXTENDS = "extends"
_REFERENCE = str(FOLDER / "base.yaml")


def names(root: Path) -> list[str]:
    """Return the names of the environments that the project has.

    Args:
        root: the project's folder.
    """
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml") if path.stem != "base")


def load(
    root: Path,
    name: str,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Environment:
    """Return one environment, merged and checked.

    Args:
        root: the project's folder.
        name: the environment's name, such as `prod`.
        overrides: `--set` values, each `PATH=VALUE`; the last word.
        environ: the process's environment; FLOWREX_DEV_DIR tells where the local cluster is.

    Raises:
        ConfigurationError: no such environment, or a mistake in one of its sources.
    """
    return checked(merged(root, name, overrides=overrides, environ=environ), root, name)


def merged(
    root: Path,
    name: str,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> source.Value:
    """Return an environment's settings as they were written, each with its file and line.

    Args:
        root: the project's folder.
        name: the environment's name.
        overrides: `--set` values.
        environ: the process's environment.

    Raises:
        ConfigurationError: no such environment, or a file that can't be read.
    """
    known = names(root)
    if name not in known:
        raise ConfigurationError(
            f"there is no environment {name!r}",
            hint=f"Known: {', '.join(known)}. An environment is a file in {FOLDER}/.",
        )
    written = [override.parse(text) for text in overrides]
    tree = source.read(root / _REFERENCE, _REFERENCE)
    if not tree.content:
        raise ConfigurationError(
            "holds no setting; every environment lies over it",
            path=_REFERENCE,
            hint="It names and explains all of them: bring it back, for example from git.",
        )
    for one in _chain(root, name, known):
        tree = source.merge(tree, one)
    if _is_local(tree):
        layer = local_layer(environ)
        if layer.is_file():
            tree = source.merge(tree, source.read(layer, str(layer)))
    for one in written:
        tree = source.merge(tree, one)
    return tree


def _chain(root: Path, name: str, known: Sequence[str]) -> list[source.Value]:
    """Return an environment's own file, behind those of the environments that it extends.

    Raises:
        ConfigurationError: `extends` names no environment, or leads back to one that extends it.
    """
    chain: list[source.Value] = []
    seen = [name]
    while True:
        path = FOLDER / f"{seen[-1]}.yaml"
        tree = source.read(root / path, str(path))
        assert isinstance(tree.content, Mapping)
        content = dict(tree.content)
        extends = content.pop(_EXTENDS, None)
        chain.insert(0, dataclasses.replace(tree, content=content))
        if extends is None:
            return chain
        other = extends.content
        if not isinstance(other, str):
            raise extends.error(
                f"{_EXTENDS} is no text; expected the name of another environment",
                hint=f"Write it as {_EXTENDS}: NAME; the one that is named may extend another.",
            )
        if other not in known:
            raise extends.error(
                f"{_EXTENDS} is {other!r}; expected the name of another environment",
                hint=f"Known: {', '.join(known)}. base.yaml is below every one by itself.",
            )
        if other in seen:
            raise extends.error(
                f"{_EXTENDS} leads back: {' → '.join([*seen, other])}",
                hint="Let one of them extend none.",
            )
        seen.append(other)


def checked(tree: source.Value, root: Path, name: str) -> Environment:
    """Return what a merged tree says as an environment.

    Args:
        tree: what `merged` returned.
        root: the project's folder.
        name: the environment's name.

    Raises:
        ConfigurationError: a mistake; it names the file and line.
    """
    found = schema.build(Environment, tree, reference=_REFERENCE, name=name)
    _check_classes(found, tree)
    return _with_checksums(found, root)


def _check_classes(environment: Environment, tree: source.Value) -> None:
    """Refuse a node class for a job that there is not: it would be heeded nowhere."""
    from generator.render.catalog import JOBS

    known = [job.name for job in JOBS]
    for name in environment.platform.node_classes:
        if name not in known:
            place = tree
            for key in ("platform", "node_classes", name):
                assert isinstance(place.content, Mapping)
                place = place.content[key]
            raise place.error(f"there is no job {name!r}", hint=schema.nearest("", name, known))


def local_layer(environ: Mapping[str, str]) -> Path:
    """Return the file in which a local cluster says where its servers are."""
    from generator.dev.layout import state_dir

    return state_dir(environ) / "environment.yaml"


def _is_local(tree: source.Value) -> bool:
    assert isinstance(tree.content, Mapping)
    platform = tree.content.get("platform")
    if platform is None or not isinstance(platform.content, Mapping):
        return False
    local = platform.content.get("local")
    return local is not None and local.content is True


def _with_checksums(environment: Environment, root: Path) -> Environment:
    """Take checksums and digests from the builds' manifests where the environment names none."""
    release, agent, frontend = environment.release, environment.agent, environment.frontend
    archives = environment.platform.driver != "docker"
    if not archives:
        pushed = manifest.digests(root, release.version, release.registry)
        # The entry's image is pinned by people: a release must not restart what clients hold on to.
        pushed = {name: digest for name, digest in pushed.items() if name != "nginx"}
        release = dataclasses.replace(release, digests={**pushed, **release.digests})
    if release.checksum is None and archives:
        release = dataclasses.replace(release, checksum=_built(root, "app", release.version))
    if frontend.checksum is None and frontend.enabled and archives:
        built = _built(root, "frontend", release.version)
        frontend = dataclasses.replace(frontend, checksum=built)
    if agent.checksum is None and agent.enabled:
        agent = dataclasses.replace(agent, checksum=_built(root, "agent", agent.version))
    return dataclasses.replace(environment, release=release, agent=agent, frontend=frontend)


def _built(root: Path, name: str, version: str) -> str | None:
    manifest = root / "dist" / f"flowrex-{name}-{version}.json"
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["sha256"])
    except OSError:
        return None  # rendering refuses it; build and bootstrap can do without
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "is no build manifest", path=manifest, hint="Make it anew with `flowrexctl build`."
        ) from error
