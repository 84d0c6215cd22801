"""`flowrexctl emergency`: the kill switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.emergency import WORDS
from flowrex.errors import UsageError
from generator.cli import context, question
from generator.cli.options import environment_options, is_duration

if TYPE_CHECKING:
    from generator.emergency.members import Member
    from generator.emergency.run import Desk
    from generator.emergency.wait import Response

_NOT_ACKNOWLEDGED = 6

_within_option = click.option(
    "--within",
    metavar="DURATION",
    callback=is_duration,
    default="10s",
    show_default=True,
    help="Time in which everybody must have acknowledged.",
)
_reason_option = click.option(
    "--reason", metavar="TEXT", required=True, help="Why; everybody is shown it, and it is kept."
)


@click.group("emergency")
def command() -> None:
    """Stop trading, see who has heard of it, and end it again.

    Levels: `halt` refuses new risk and allows exits; `cancel` also cancels open orders; `flatten`
    also closes positions; `stop` also puts the platform into maintenance. Each does what those
    before it do. Without this tool: consul kv put flowrex/emergency on

    \b
    Exit status:
      0  done, and everybody has acknowledged
      6  done, and somebody has not; or Consul can't be reached
      7  refused: it would lower an emergency, or be a drill in one

    \b
    Examples:
      flowrexctl emergency on prod --reason "orders doubled"
      flowrexctl emergency status prod
      flowrexctl emergency off prod --reason "gateway 2 replaced"
      flowrexctl emergency drill prod
    """


@command.command("on")
@environment_options
@click.option(
    "--level", type=click.Choice(WORDS), default="halt", show_default=True, help="How much stops."
)
@_reason_option
@_within_option
def on(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    level: str,
    reason: str,
    within: str,
) -> None:
    """Switch the emergency on, and show who has acknowledged.

    It does not ask, and it never lowers a higher level. Everybody that runs is named with its
    latency, and everybody that has not acknowledged in time.

    \b
    Examples:
      flowrexctl emergency on prod --reason "orders doubled"
      flowrexctl emergency on prod --level flatten --reason "runaway strategy" --within 30s
    """
    from flowrex.emergency import Level
    from generator.emergency import run

    desk = _desk(environment_name, overrides, within)
    _finish(_shown(lambda: run.on(desk, Level[level.upper()], _said(reason)), as_json), as_json)


@command.command("off")
@environment_options
@_reason_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@_within_option
@click.pass_context
def off(
    ctx: click.Context,
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    reason: str,
    yes: bool,
    within: str,
) -> None:
    """End the emergency, after showing what it has done, and show who has acknowledged.

    It asks. What was switched on anew since it asked stays on (exit 4).

    \b
    Examples:
      flowrexctl emergency off prod --reason "gateway 2 replaced"
      flowrexctl emergency off prod --reason "false alarm" --yes
    """
    from generator.cli import emergency_view
    from generator.emergency import book, run

    desk = _desk(environment_name, overrides, within)
    seen = run.look(desk)
    remembered = bool(seen.remembering)
    if not seen.standing.emergency.active and seen.standing.index and not remembered:
        output.say("There is no emergency; nothing was changed.")
        # Who has not heard of it is nothing to wait for.
        _finish(seen, as_json, status=0)
        return
    left = book.read(desk.consul)
    output.say(emergency_view.standing(seen.standing))
    output.say(emergency_view.remembered(seen) if remembered else emergency_view.done_so_far(seen))
    output.say(left.sentence())
    if not yes:
        question.confirm(
            f"End it in {environment_name}?",
            alone="ending an emergency asks first, and there is nobody to ask",
            hint=f"flowrexctl emergency off {environment_name} --reason TEXT --yes",
        )
    _finish(
        _shown(lambda: run.off(desk, seen.standing, _said(reason), left.sentence()), as_json),
        as_json,
    )


@command.command("status")
@environment_options
def status(environment_name: str, overrides: tuple[str, ...], as_json: bool) -> int:
    """Show how the switch stands and who has taken that up. Exit status 6 where somebody has not.

    \b
    Examples:
      flowrexctl emergency status prod
      flowrexctl emergency status prod --json | jq .level
    """
    from generator.cli import emergency_view
    from generator.emergency import run

    desk = _desk(environment_name, overrides, "0")
    found = run.look(desk)
    _finish(found, as_json)
    if not _open(found):
        return 0
    if not as_json and found.remembering:
        output.say(emergency_view.remembered(found))
        output.say(f"End it: flowrexctl emergency off {environment_name} --reason TEXT")
    elif not as_json:
        output.say(f"{len(found.lacking)} of {len(found.members)} have not acknowledged.")
    return _NOT_ACKNOWLEDGED


@command.command("drill")
@environment_options
@click.option("--really", is_flag=True, help="Halt for real, for so long as --for says.")
@click.option(
    "--for", "length", metavar="DURATION", callback=is_duration, default="10s", show_default=True
)
@click.option("--yes", is_flag=True, help="Do not ask before a real halt.")
@_within_option
@click.pass_context
def drill(
    ctx: click.Context,
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    really: bool,
    length: str,
    yes: bool,
    within: str,
) -> None:
    """Prove that everybody hears of an emergency, with latencies.

    Without --really nothing stops: the switch is written anew as `off`. Its new index wakes every
    process, which reads it afresh and acknowledges it, on the same way that an emergency takes.
    With --really trading halts (new risk is refused, exits are allowed) for so long as --for says,
    which also proves that the level is obeyed.

    \b
    Examples:
      flowrexctl emergency drill prod
      flowrexctl emergency drill staging --really --for 30s
    """
    from flowrex.duration import seconds
    from generator.emergency import run

    desk = _desk(environment_name, overrides, within)
    if not really:
        _finish(_shown(lambda: run.drill(desk), as_json), as_json)
        return
    held = seconds(length)
    if not yes:
        question.confirm(
            f"Halt trading in {environment_name} for {length}?",
            alone="a real halt asks first, and there is nobody to ask",
            hint=f"flowrexctl emergency drill {environment_name} --really --yes",
        )
    halted, ended = run.drill_really(desk, held)
    if as_json:
        documents = {"halted": run.response_document(halted)}
        output.emit({**documents, "ended": run.response_document(ended)}, 0)
        return
    for response in (halted, ended):
        _finish(response, as_json)


def _desk(environment_name: str, overrides: tuple[str, ...], within: str) -> Desk:
    from flowrex.duration import seconds
    from generator import access
    from generator.emergency.run import Desk

    environment = context.load_environment(environment_name, overrides)

    def tell(member: Member, after_s: float) -> None:
        output.say(f"{after_s * 1000:7.0f} ms  {member.kind} {member.name}")

    return Desk(
        environment.name,
        access.consul(environment),
        access.nomad(environment),
        seconds(within),
        tell,
        output.say,
    )


def _said(reason: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise UsageError("--reason is empty", hint='Say why: --reason "orders doubled"')
    return text


def _shown(work: Callable[[], Response], as_json: bool) -> Response:
    """Do it; where somebody has not acknowledged, show the table before the error."""
    from generator.emergency.run import NotAcknowledged

    try:
        return work()
    except NotAcknowledged as error:
        if not as_json:
            _finish(error.response, as_json)
        raise


def _open(response: Response) -> bool:
    """Tell whether somebody has not taken up what stands; what was never written is nothing."""
    return bool((response.lacking and response.standing.index) or response.remembering)


def _finish(response: Response, as_json: bool, *, status: int | None = None) -> None:
    from generator.cli import emergency_view
    from generator.emergency.run import response_document

    if as_json:
        if status is None:
            status = _NOT_ACKNOWLEDGED if _open(response) else 0
        output.emit(response_document(response), status)
        return
    output.show(emergency_view.standing(response.standing))
    output.show(emergency_view.table(response))
