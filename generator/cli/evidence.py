"""`flowrexctl evidence`: what a CI system found out, for the hard stops."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from flowrex.command import output
from flowrex.errors import UsageError
from generator.cli import context
from generator.cli.options import environment_options

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("evidence")
def command() -> None:
    """Record how the tests of a commit ended, and what is known of the locked packages.

    The hard stops `tests` and `vulnerabilities` read it. It is kept in Consul, for ENV, and only
    operators may write it.

    \b
    Examples:
      pytest --junitxml=tests.xml; flowrexctl evidence tests prod tests.xml
      flowrexctl evidence vulnerabilities prod audit.json
    """


@command.command("tests")
@environment_options
@click.argument("reports", metavar="REPORT...", nargs=-1, required=True, type=_file)
@click.option(
    "--revision", metavar="COMMIT", help="What was tested; the project's commit if absent."
)
def tests(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    reports: tuple[Path, ...],
    revision: str | None,
) -> None:
    """Record the test results of a commit, from reports in JUnit's XML.

    A result that is bad is recorded as well; the hard stop then says so.

    \b
    Examples:
      pytest --junitxml=tests.xml; flowrexctl evidence tests prod tests.xml
      flowrexctl evidence tests prod unit.xml live.xml --revision "$CI_COMMIT_SHA"
    """
    from generator import access, evidence, git

    environment = context.load_environment(environment_name, overrides)
    tested = revision or git.revision(context.project_root(), (".",))
    if tested is None:
        raise UsageError(
            "the project is no git repository, so that it has no commit",
            hint="Name what was tested: --revision COMMIT",
        )
    if tested.endswith("+unknown"):
        raise UsageError(
            f"git can't tell whether files differ from the commit {tested.partition('+')[0][:12]}",
            hint="See why: git status",
        )
    if "+" in tested:
        raise UsageError(
            f"files differ from the commit {tested.partition('+')[0][:12]}; the tests were of "
            "something that no commit holds",
            hint="Commit first, then test.",
        )
    found = evidence.tests_of(reports, tested)
    evidence.record(access.consul(environment), environment.name, found)
    bad = found.failures + found.errors
    _told(
        asdict(found),
        f"{found.tests} tests of {tested[:12]}: {bad or 'none'} failed. Recorded for "
        f"{environment.name}.",
        as_json=as_json,
    )


@command.command("vulnerabilities")
@environment_options
@click.argument("report", metavar="REPORT", type=_file)
def vulnerabilities(
    environment_name: str, overrides: tuple[str, ...], as_json: bool, report: Path
) -> None:
    """Record what is known of the packages that are deployed, from pip-audit's or npm's report.

    The file tells by itself which of the two it is. pip-audit's is on requirements/app.lock, the
    application's packages, or on requirements/agent.lock, where the agent is a job, and has to
    cover every one at the version that is locked. npm's (version 7 or newer) is on
    frontend/package-lock.json, the frontend's, where the environment has one; what only builds and
    tests it does not count.

    A result that is bad is recorded as well; the hard stop then says so.

    \b
    Examples:
      pip-audit --requirement requirements/app.lock --format json --output audit.json
      flowrexctl evidence vulnerabilities prod audit.json
      npm --prefix frontend audit --omit=dev --json > npm-audit.json
      flowrexctl evidence vulnerabilities prod npm-audit.json
    """
    from generator import access, audited, evidence

    environment = context.load_environment(environment_name, overrides)
    found = audited.read(report, context.project_root())
    evidence.record(access.consul(environment), environment.name, found)
    told = f"{found.packages} packages of {found.lock}, {len(found.found)} known vulnerabilities."
    lines = [*found.found, told]
    _told(asdict(found), "\n".join(lines), as_json=as_json)


def _told(document: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        output.emit(document, 0)
    else:
        output.say(text)
