"""`flowrexctl render ENV [JOB…]`."""

from __future__ import annotations

from pathlib import Path

import click

from flowrex.command.output import emit, say, show
from flowrex.errors import ConfigurationError
from generator.cli.context import load_environment, project_root
from generator.cli.options import environment_options


@click.command("render")
@environment_options
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file a job into this folder instead of printing.",
)
def command(
    environment_name: str,
    jobs: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path | None,
) -> None:
    """Write the job specs of ENV: offline, and the same bytes each time.

    \b
    Examples:
      flowrexctl render prod
      flowrexctl render prod backend --set backend.count=7
      flowrexctl render staging --out rendered/
    """
    from generator.render import render_jobs

    environment = load_environment(environment_name, overrides)
    rendered = render_jobs(environment, project_root(), jobs)
    if out is not None:
        _write(out, {f"{job.name}.nomad.hcl": job.hcl for job in rendered})
    if as_json:
        jobs_document = [
            {"job": job.name, "kind": job.kind, "sha256": job.sha256, "hcl": job.hcl}
            for job in rendered
        ]
        emit({"environment": environment.name, "jobs": jobs_document}, 0)
    elif out is None:
        show("\n".join(job.hcl.rstrip("\n") + "\n" for job in rendered).rstrip("\n"))
    else:
        say(f"Wrote {len(rendered)} job specs to {out}.")


def _write(folder: Path, files: dict[str, str]) -> None:
    from flowrex.files import write_atomic

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise ConfigurationError(
            f"can't be written: {error.strerror}", path=folder, hint="Name another --out folder."
        ) from error
