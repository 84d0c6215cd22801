"""Ask a node's agent for something, through Consul, and follow its answer to the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flowrex import keys
from flowrex.audit import outbox
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError, FlowrexError, ServerUnreachable, UsageError
from flowrex.node_requests import Answer, Kind, Request, new_id, parse_answer
from generator.agent_choice import agents
from generator.lock import Holder
from generator.watch import Clock, SystemClock

_STEP_S = 2.0
_PAUSE_S = 0.5
_KEPT = 200
_KEPT_FOR = timedelta(days=7)
_FAILED = 5
_STATUSES = range(2, 9)


@dataclass(frozen=True)
class Desk:
    """From where an agent is asked.

    Attributes:
        environment: its name.
        consul: where requests and answers are.
        tell: called with each sentence of the agent's.
        accept_s: seconds in which the agent must have taken the request.
        deadline_s: seconds in which it must have ended.
        clock: the time.
    """

    environment: str
    consul: ConsulClient
    tell: Callable[[str], None] = lambda text: None
    accept_s: float = 30.0
    deadline_s: float = 6 * 3600.0
    clock: Clock = field(default_factory=SystemClock)


class RequestFailed(FlowrexError):
    """The agent did not do what it was asked for."""

    def __init__(self, node: str, kind: str, answer: Answer) -> None:
        self.answer = answer
        status = answer.result.get("exit_status")
        self.exit_status = status if isinstance(status, int) and status in _STATUSES else _FAILED
        word = "refuses" if answer.state == "refused" else "could not do"
        hint = answer.result.get("hint")
        super().__init__(
            f"the agent of {node} {word} the {kind}: {answer.message}",
            hint=str(hint) if hint else None,
        )

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            **super().as_document(),
            "error": "RequestFailed",
            "request": self.answer.id,
            "state": self.answer.state,
            "result": dict(self.answer.result),
        }


def ask(desk: Desk, node: str, kind: Kind, arguments: Mapping[str, str]) -> Answer:
    """Ask, and follow the answer to its end.

    Args:
        desk: from where.
        node: whose agent.
        kind: what for.
        arguments: by name.

    Returns:
        The answer `done`.

    Raises:
        RequestFailed: the agent refuses, or fails.
        ServerUnreachable: it did not take the request; the request is withdrawn.
    """
    return follow(desk, node, send(desk, node, kind, arguments))


def send(desk: Desk, node: str, kind: Kind, arguments: Mapping[str, str]) -> Request:
    """Make a request and write it."""
    request = make(kind, arguments)
    post(desk, node, request)
    return request


def make(kind: Kind, arguments: Mapping[str, str]) -> Request:
    """Return a request that this person makes now; nothing is written."""
    now = datetime.now(UTC)
    me = Holder.myself("")
    at = now.isoformat(timespec="milliseconds")
    return Request(new_id(now), kind, arguments, f"{me.who}@{me.host}", at)


def post(desk: Desk, node: str, request: Request) -> None:
    """Write a request, and forget those that are over for long."""
    _prune(desk.consul, node, datetime.now(UTC))
    # First, as for every change: what is not recorded is not asked.
    outbox.leave(
        desk.consul,
        desk.environment,
        f"backup {request.kind}",
        "asked",
        by=request.by,
        detail={
            "request": request.id,
            "node": node,
            "arguments": json.dumps(dict(request.arguments)),
        },
    )
    if not desk.consul.kv_put(keys.request(node, request.id), request.encode(), cas=0):
        raise FlowrexError(f"the request's id {request.id} exists already")


def follow(desk: Desk, node: str, request: Request) -> Answer:
    """Follow the answer to a request that was sent.

    Interrupted before the agent has taken it, it is withdrawn; after that it goes on without this
    process, which says so.

    Raises:
        RequestFailed: the agent refuses, or fails.
        ServerUnreachable: the agent did not take it in time, or did not end in time.
    """
    answer: Answer | None = None
    start, index, told = desk.clock.now(), 0, ""
    key = keys.answer(node, request.id)
    try:
        while True:
            try:
                entry, index = desk.consul.kv_wait(key, index, _STEP_S)
                answer = parse_answer(key, entry.value) if entry else None
            except ConfigurationError:
                raise
            except ServerUnreachable as error:
                index = 0
                if error.message != told:
                    told = error.message
                    desk.tell(f"{told}; looking again")
                desk.clock.sleep(_PAUSE_S)
            waited = desk.clock.now() - start
            # That it was taken is worth a word only where it then has to wait.
            quick = answer is not None and answer.state == "accepted" and waited < _STEP_S
            if answer is not None and answer.message not in ("", told) and not quick:
                told = answer.message
                desk.tell(told)
            if answer is not None and answer.ended:
                return _ended(node, request.kind, answer)
            if answer is None and waited >= desk.accept_s:
                answer = withdraw(desk, node, request)
            elif waited >= desk.deadline_s:
                raise ServerUnreachable(
                    f"the agent of {node} has not ended the {request.kind} within "
                    f"{desk.deadline_s:.0f} s: {told}",
                    hint=goes_on(desk.environment, request.id),
                )
    except KeyboardInterrupt:
        if answer is None and withdraw(desk, node, request, quietly=True) is None:
            desk.tell("It was withdrawn; nothing was done.")
        else:
            desk.tell(goes_on(desk.environment, request.id))
        raise


def goes_on(environment: str, request_id: str) -> str:
    """Return what is said where the agent goes on and nobody watches."""
    return f"It goes on without you. Follow it: flowrexctl backup follow {environment} {request_id}"


def withdraw(desk: Desk, node: str, request: Request, *, quietly: bool = False) -> Answer | None:
    """Take a request back that nobody has taken.

    Returns:
        The answer of an agent that took it at the last moment; None where it is withdrawn and
        `quietly` is set.

    Raises:
        ServerUnreachable: it is withdrawn, since no agent has taken it.
    """
    desk.consul.kv_delete(keys.request(node, request.id))
    # An agent looks for the request once more after it has claimed it, and before it begins.
    entry = desk.consul.kv_get(keys.answer(node, request.id))
    if entry is not None:
        return parse_answer(entry.key, entry.value)
    if quietly:
        return None
    agent = next((one for one in agents(desk.consul, desk.environment) if one.node == node), None)
    seen = f", heard of last {agent.at}" if agent and agent.at else ""
    raise ServerUnreachable(
        f"the agent of {node}{seen} has not taken the request within {desk.accept_s:.0f} s; "
        "it is withdrawn",
        hint=f"flowrexctl agents {desk.environment}; on the node: systemctl status flowrex-agent",
    )


def find(desk: Desk, request_id: str) -> tuple[str, Request]:
    """Return a request that was sent, and its node.

    Raises:
        UsageError: there is none.
    """
    for agent in agents(desk.consul, desk.environment):
        entry = desk.consul.kv_get(keys.request(agent.node, request_id))
        if entry is not None:
            document = json.loads(entry.value)
            return agent.node, Request(
                request_id,
                document["kind"],
                document["arguments"],
                str(document["by"]),
                str(document["at"]),
            )
    raise UsageError(f"there is no request {request_id!r} in {desk.environment}")


def _ended(node: str, kind: str, answer: Answer) -> Answer:
    if answer.state == "done":
        return answer
    raise RequestFailed(node, kind, answer)


def _prune(consul: ConsulClient, node: str, now: datetime) -> None:
    """Forget old requests, whose answers the agent then forgets; never one that is not ended."""
    prefix = keys.request(node, "")
    entries = consul.kv_list(prefix)
    for position, entry in enumerate(entries):
        request_id = entry.key.removeprefix(prefix)
        few = position >= len(entries) - _KEPT
        if few and not _older(request_id, now - _KEPT_FOR):
            continue
        said = consul.kv_get(keys.answer(node, request_id))
        try:
            ended = said is not None and parse_answer(said.key, said.value).ended
        except ConfigurationError:
            ended = True
        if ended:
            consul.kv_delete(entry.key)


def _older(request_id: str, limit: datetime) -> bool:
    # Ids begin with their time, so that they can be compared as text.
    return request_id < f"{limit.astimezone(UTC):%Y%m%dT%H%M%S}"
