"""A secret shows itself to nobody who does not ask for it by name."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest

from flowrex.log import JsonFormatter
from flowrex.secret import Secret

VALUE = "correct horse"


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret(VALUE)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        "%s" % secret,  # noqa: UP031
        f"{[secret]}",
    ]
    assert not any(VALUE in text for text in shown)


def test_a_traceback_does_not_show_it() -> None:
    try:
        raise ValueError(Secret(VALUE))
    except ValueError:
        assert VALUE not in traceback.format_exc()


def test_a_log_line_does_not_show_it() -> None:
    record = logging.makeLogRecord({"msg": "login %s", "args": (Secret(VALUE),)})
    record.token = Secret(VALUE)
    assert VALUE not in JsonFormatter().format(record)


def test_it_is_neither_json_nor_pickle() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(VALUE))


def test_who_asks_by_name_gets_it() -> None:
    assert Secret(VALUE).reveal() == VALUE
    assert Secret(VALUE) == Secret(VALUE)
    assert not Secret("")
