"""What every verb needs that changes an environment: whom to ask, and the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowrex.consul import ConsulClient
from flowrex.duration import seconds
from flowrex.nomad import NomadClient
from generator import audit, lock
from generator.environment import Environment
from generator.origin import Origin
from generator.watch import Event, Watch

if TYPE_CHECKING:
    from flowrex.vault import VaultClient
    from generator.around import Around


@dataclass(frozen=True)
class Setup:
    """What every changing verb needs.

    Attributes:
        environment: the settings.
        nomad: the Nomad that deploys.
        consul: where the lock and the records are.
        tell: gets each event.
        lock_wait_s: seconds to wait for the lock.
        origin: why it is changed, and from which state of the project.
        vault: asked whether it has what a failed task waits for; None: not asked.
        around: what is done before and after a release; None where that is nothing.
    """

    environment: Environment
    nomad: NomadClient
    consul: ConsulClient
    tell: Callable[[Event], None]
    lock_wait_s: float
    origin: Origin = field(default_factory=Origin)
    vault: VaultClient | None = None
    around: Around | None = None


@contextmanager
def locked(setup: Setup, what: str) -> Iterator[Watch]:
    """Hold the deployment lock for the length of a block.

    Args:
        setup: whom to ask and to tell.
        what: the verb and the environment, for those who find it held.

    Yields:
        The watch, whose guard knows the lock.
    """
    environment = setup.environment
    with lock.hold(
        setup.consul,
        environment.name,
        what,
        ttl_s=seconds(environment.deploy.lock_ttl),
        wait_s=setup.lock_wait_s,
        waiting=lambda holder: setup.tell(Event("", "lock", f"waiting for {holder}")),
    ) as held:
        yield Watch(
            environment.name,
            setup.nomad,
            setup.consul,
            deadline_s=seconds(environment.deploy.deadline),
            tell=setup.tell,
            guard=held.check,
            vault=setup.vault,
        )


@contextmanager
def audited(
    setup: Setup, verb: str, reason: str, **details: Any
) -> Iterator[tuple[Watch, dict[str, Any]]]:
    """Hold the lock, and keep a record of a change that no release belongs to.

    Args:
        setup: whom to ask and to tell.
        verb: as it is typed.
        reason: in the words of the person.
        details: what is changed, by name.

    Yields:
        The watch, and a mapping for what came of it.
    """
    environment = setup.environment.name
    with (
        locked(setup, f"{verb} {environment}") as watch,
        audit.recorded(setup.consul, environment, verb, reason, **details) as came,
    ):
        yield watch, came
