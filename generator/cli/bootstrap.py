"""`flowrexctl bootstrap ENV`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowrex.command.output import emit, say, show, table
from generator.cli.context import load_environment, project_root
from generator.cli.options import environment_options

if TYPE_CHECKING:
    from generator.bootstrap import Report

INCOMPLETE = 3

_COLOURS = {
    "created": "green",
    "updated": "yellow",
    "missing": "red",
    "differs": "red",
    "unknown": "yellow",
}


@click.command("bootstrap")
@environment_options
@click.option("--check", is_flag=True, help="Report what is missing or differs; change nothing.")
@click.option(
    "--before-nomad",
    is_flag=True,
    help="Only the half that Nomad needs to start: PostgreSQL, Vault, Consul.",
)
@click.option(
    "--jwks-url",
    metavar="URL",
    help="Nomad's keys as Vault and Consul reach them.  [default: at servers.nomad]",
)
@click.option(
    "--tokens-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the agents' and the operator's tokens in this folder, readable by you only.",
)
@click.option(
    "--vault-audit-file",
    type=click.Path(path_type=Path),
    help="Make Vault write an audit log to this file, on its own machine.",
)
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    check: bool,
    before_nomad: bool,
    jwks_url: str | None,
    tokens_dir: Path | None,
    vault_audit_file: Path | None,
) -> int:
    """Configure PostgreSQL, Vault, Consul and Nomad for ENV; harmless to repeat.

    It wants management rights: NOMAD_TOKEN, CONSUL_HTTP_TOKEN and VAULT_TOKEN, and PostgreSQL's
    administrator in FLOWREX_DATABASE_ADMIN_URL (postgresql://<user>:<password>@<host>:<port>/postgres).
    For the local cluster all of them are in its own files.

    Leaves with 3 where something is missing or differs: with --check whatever it is, without it
    what only a person can give.

    \b
    Examples:
      flowrexctl bootstrap dev --check
      flowrexctl bootstrap prod --check --json
      flowrexctl bootstrap prod --before-nomad --tokens-dir ./tokens
    """
    from generator import audit, bootstrap
    from generator.bootstrap.resolve import target_of

    environment = load_environment(environment_name, overrides)
    target = target_of(
        environment,
        project_root(),
        before_nomad=before_nomad,
        jwks_url=jwks_url,
        tokens_dir=tokens_dir,
        vault_audit_file=vault_audit_file,
    )
    act = bootstrap.before_nomad if before_nomad else bootstrap.run
    if check:
        report = act(target, check_only=True)
    else:
        half = "before Nomad" if before_nomad else "all"
        with audit.recorded(target.consul, environment.name, "bootstrap", "", servers=half) as came:
            report = act(target, check_only=False)
            came["changed"] = [step.name for step in report.changed]
    status = 0 if report.complete else INCOMPLETE
    if as_json:
        emit(report.as_document(), status)
    else:
        _show(report, environment_name, check=check)
    return status


def _show(report: Report, environment: str, *, check: bool) -> None:
    notable = report.lacking + report.unknown + report.changed
    if notable:
        rows = [
            (click.style(step.state.value, fg=_COLOURS[step.state.value]), step.name, step.detail)
            for step in notable
        ]
        show(table(rows, ("STATE", "WHAT", "WHY")))
    present = len(report.steps) - len(notable)
    say(f"{present} of {len(report.steps)} things were there already.")
    if check and report.lacking:
        say(
            f"flowrexctl bootstrap {environment} makes them be as they should, but for those whose"
            " WHY says what a person has to do."
        )
