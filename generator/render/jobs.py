"""Job specs from an environment: pure, offline, the same bytes for the same input."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import jinja2

from flowrex.errors import RenderError, UsageError
from generator.environment.model import Environment
from generator.render import agent, quote
from generator.render.catalog import JOBS, JobTemplate, Kind

TEMPLATES = Path("jobs")
EMBEDDED = Path("consul-templates")


@dataclass(frozen=True)
class RenderedJob:
    """A job as Nomad will be given it.

    Attributes:
        name: the job's ID in Nomad.
        kind: how Nomad schedules it.
        hcl: the job spec.
        sha256: of the job spec, 64 hexadecimal digits.
    """

    name: str
    kind: Kind
    hcl: str
    sha256: str


def select(environment: Environment, names: Sequence[str] = ()) -> tuple[JobTemplate, ...]:
    """Return the jobs that are named, all where none is, always in the order of deployment.

    Args:
        environment: has the optional jobs or not.
        names: the jobs; all that the environment has where it is empty.

    Raises:
        UsageError: there is no such job, or it is switched off.
    """
    known = {job.name: job for job in JOBS}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no job {name!r}", hint=f"Known: {', '.join(known)}.")
        if not known[name].on(environment):
            raise UsageError(
                f"the job {name} is switched off in {environment.name}",
                hint=f"{known[name].switch}: true in jobs/environments/{environment.name}.yaml "
                "switches it on.",
            )
    return tuple(job for job in JOBS if job.on(environment) and (not names or job.name in names))


def render_jobs(
    environment: Environment, root: Path, names: Sequence[str] = ()
) -> tuple[RenderedJob, ...]:
    """Render the jobs of an environment; see `each_job`."""
    return tuple(each_job(environment, root, names))


def each_job(
    environment: Environment, root: Path, names: Sequence[str] = ()
) -> Iterator[RenderedJob]:
    """Render the jobs of an environment, each when it is asked for.

    Args:
        environment: the settings.
        root: the project's folder, with jobs/ and consul-templates/.
        names: the jobs to render; all where it is empty.

    Yields:
        The jobs in the order in which they are deployed.

    Raises:
        RenderError: a mistake in a template, with its file and line.
        UsageError: there is no such job.
    """
    engine = _engine(root)
    engine.globals["configuration"] = lambda: agent.configuration(environment)
    context = {field.name: getattr(environment, field.name) for field in fields(environment)}
    context["environment"] = environment.name
    for job in select(environment, names):
        yield _render(engine, job, context)


def _engine(root: Path) -> jinja2.Environment:
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root / TEMPLATES),
        undefined=jinja2.StrictUndefined,
        # consul-template, whose templates stand inside the jobs, has the curly braces.
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Every value becomes an HCL literal on its way out, so that none is written bare because
        # a filter was forgotten. Autoescaping lets what macros return pass as it is.
        autoescape=True,
        finalize=_finalize,
        auto_reload=False,
        bytecode_cache=_compiled(root / TEMPLATES / "__pycache__"),
    )
    engine.filters.update(
        hcl=quote.literal, heredoc=quote.heredoc, identifier=quote.identifier, runtime=quote.runtime
    )
    engine.globals["embedded"] = lambda name: _embedded(root, name)
    engine.globals["missing"] = _missing
    return engine


def _compiled(folder: Path) -> jinja2.BytecodeCache | None:
    """Keep compiled templates where Python keeps compiled modules: beside the source."""
    if sys.dont_write_bytecode:
        return None
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


def _finalize(value: object) -> object:
    # StrictUndefined raises where it is used; a literal made of it would hide its message.
    return str(value) if isinstance(value, jinja2.Undefined) else quote.literal(value)


def _missing(setting: str, hint: str) -> None:
    raise RenderError(f"setting {setting!r} is missing", hint=hint)


def _embedded(root: Path, name: str) -> str:
    try:
        return (root / EMBEDDED / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RenderError(f"can't be read: {error}", path=EMBEDDED / name) from error


def _render(engine: jinja2.Environment, job: JobTemplate, context: dict[str, Any]) -> RenderedJob:
    name = f"{job.name}.nomad.hcl.j2"
    try:
        hcl = engine.get_template(name).render(context)
    except jinja2.TemplateNotFound as error:
        raise RenderError("there is no such template", path=TEMPLATES / str(error)) from error
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(
            error.message or "syntax error",
            path=TEMPLATES / (error.name or name),
            line=error.lineno,
        ) from error
    except jinja2.UndefinedError as error:
        path, line = _place(error, name)
        raise RenderError(f"unknown setting: {error.message}", path=path, line=line) from error
    except RenderError as error:
        if error.path is not None:
            raise
        path, line = _place(error, name)
        raise RenderError(error.message, path=path, line=line, hint=error.hint) from error
    return RenderedJob(job.name, job.kind, hcl, hashlib.sha256(hcl.encode()).hexdigest())


def _place(error: BaseException, name: str) -> tuple[Path, int | None]:
    """Find the template's line in a traceback, which jinja2 has rewritten to the template's own."""
    path, line = TEMPLATES / name, None
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if filename.endswith(".hcl.j2"):
            path, line = TEMPLATES / filename.rsplit("/jobs/", 1)[-1], traceback.tb_lineno
        traceback = traceback.tb_next
    return path, line
