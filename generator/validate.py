"""Every check that a job spec can be given before it is planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.nomad import NomadClient
from generator import access, pinned
from generator.environment import Environment
from generator.lint import Finding, lint
from generator.render import RenderedJob, render_jobs


@dataclass(frozen=True)
class Report:
    """What a validation found.

    Attributes:
        jobs: the names of the jobs that were checked.
        errors: what is wrong.
        warnings: what Nomad only warns of.
        left_out: why Nomad was not asked; None where it was.
    """

    jobs: tuple[str, ...]
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    left_out: str | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that a person should read, mistakes first."""
        return self.errors + self.warnings

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "jobs": list(self.jobs),
            "errors": [vars(finding) for finding in self.errors],
            "warnings": [vars(finding) for finding in self.warnings],
            "nomad_left_out": self.left_out,
        }


def validate(
    environment: Environment, root: Path, names: Sequence[str] = (), *, offline: bool = False
) -> Report:
    """Render the jobs, lint them, and let Nomad parse and validate them where it is in reach.

    Args:
        environment: the settings.
        root: the project's folder.
        names: the jobs; all where it is empty.
        offline: do not ask Nomad.

    Raises:
        ConfigurationError: the environment or a template is wrong.
        PermissionRefused: Nomad refuses the token.
    """
    jobs = render_jobs(environment, root, names)
    errors = [finding for job in jobs for finding in lint(job)]
    errors += [
        Finding(job, f"image {image}", f"its digest is not known. {pinned.hint(environment)}")
        for job, image in pinned.unpinned(environment, [job.name for job in jobs]).items()
    ]
    warnings: list[Finding] = []
    left_out = "--offline" if offline else None
    if not offline:
        try:
            found, warnings = _ask(access.nomad(environment), jobs)
            errors += found
        except PermissionRefused:
            raise
        except ServerUnreachable as error:
            left_out = error.message
    return Report(tuple(job.name for job in jobs), tuple(errors), tuple(warnings), left_out)


def _ask(nomad: NomadClient, jobs: Sequence[RenderedJob]) -> tuple[list[Finding], list[Finding]]:
    errors: list[Finding] = []
    warnings: list[Finding] = []
    for job in jobs:
        try:
            parsed = nomad.jobs.parse(job.hcl)
        except PermissionRefused:
            raise
        except ServerRefused as error:
            errors.append(Finding(job.name, "Nomad's parser", error.message))
            continue
        mistakes, warning = nomad.jobs.validate(parsed)
        errors += [Finding(job.name, "Nomad's validator", mistake) for mistake in mistakes]
        if warning:
            warnings.append(Finding(job.name, "Nomad warns", warning.strip()))
    return errors, warnings
