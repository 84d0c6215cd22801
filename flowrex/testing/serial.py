"""A fake that several threads use, as they use the server that it stands for."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

C = TypeVar("C", bound=type)


def serial(lock_of: Callable[[Any], threading.RLock]) -> Callable[[C], C]:
    """Let one thread at a time into the public methods of a class.

    Args:
        lock_of: returns the lock of an instance; what calls each other must share one.
    """

    def decorate(cls: C) -> C:
        for name, method in list(vars(cls).items()):
            if callable(method) and not name.startswith("_"):
                setattr(cls, name, _locked(method, lock_of))
        return cls

    return decorate


def _locked(method: Callable[..., Any], lock_of: Callable[[Any], threading.RLock]) -> Any:
    @functools.wraps(method)
    def locked(self: Any, *args: Any, **kwargs: Any) -> Any:
        with lock_of(self):
            return method(self, *args, **kwargs)

    return locked
