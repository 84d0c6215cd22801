import os
import socket

from generator.dev.ports import Holder, holders, taken_error


def test_a_free_port_has_no_holder() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        assert holders({free.getsockname()[1]: "PostgreSQL"}) == []


def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (holder,) = holders({port: "PostgreSQL", 1: "nothing"})
    assert (holder.port, holder.pid) == (port, os.getpid())
    assert "python" in holder.command


def test_the_error_says_which_port_for_what_and_who_has_it() -> None:
    error = taken_error([Holder(20032, 4711, "/usr/bin/postgres -D /x")], {20032: "PostgreSQL"})
    assert error.exit_status == 3
    assert "port 20032 (PostgreSQL) is held by pid 4711, `/usr/bin/postgres -D /x`" in error.message
    assert error.hint is not None
    assert "FLOWREX_DEV_PORT_BASE" in error.hint


def test_a_holder_that_may_not_be_looked_at_is_another_users() -> None:
    error = taken_error([Holder(80, None, "another user's process")], {80: "nginx"})
    assert "held by another user's process" in error.message
