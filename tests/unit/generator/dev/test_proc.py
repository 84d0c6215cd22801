import os
from pathlib import Path

from generator.dev import proc

STAT = "42 (a) b (c)) S 7 40 40 {tty} 40 4194560 1 0 0 0 1 2 3 4 20 0 1 0 98765 1 2 3"


def test_a_command_name_with_brackets_does_not_confuse_the_fields() -> None:
    found = proc.parse_stat(STAT.format(tty=0))
    assert (found.pid, found.parent, found.started) == (42, 7, 98765)
    assert not found.zombie
    assert not found.terminal


def test_a_controlling_terminal_is_seen() -> None:
    assert proc.parse_stat(STAT.format(tty=34816)).terminal


def test_a_zombie_is_seen() -> None:
    assert proc.parse_stat(STAT.format(tty=0).replace(") S ", ") Z ")).zombie


def test_only_listening_sockets_count_and_ports_are_hexadecimal() -> None:
    text = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4E66 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0
   1: 0100007F:4E67 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0
"""
    assert proc.parse_listeners(text) == {20070: "111"}


def test_a_mount_point_with_a_space_is_read_whole() -> None:
    text = "36 35 0:4 / /a\\040b/secrets rw,noexec shared:1 - tmpfs tmpfs rw\n"
    assert proc.parse_mounts(text) == [Path("/a b/secrets")]


def test_this_process_is_found_with_its_environment_and_folder() -> None:
    found = proc.process(os.getpid())
    assert found is not None
    assert found.parent == os.getppid()
    assert proc.environ_value(os.getpid(), "PATH") is not None
    assert proc.working_directory(os.getpid()) == str(Path.cwd())


def test_a_name_cut_in_the_middle_of_a_character_is_read(tmp_path: Path) -> None:
    cut = "éééééééé".encode()[:15]
    (tmp_path / "42").mkdir()
    (tmp_path / "42/stat").write_bytes(STAT.format(tty=0).encode().replace(b"a) b (c)", cut))
    (tmp_path / "42/comm").write_bytes(cut + b"\n")
    (tmp_path / "42/cmdline").write_bytes(b"")
    found = proc.process(42, tmp_path)
    assert found is not None
    assert found.started == 98765
    assert proc.command_line(42, tmp_path).startswith("ééééééé")


def test_a_mount_point_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_bytes(
        b"36 35 0:4 / /caf\xe9 rw shared:1 - tmpfs tmpfs rw\n"
    )
    assert [bytes(point) for point in proc.mounts(tmp_path)] == [b"/caf\xe9"]


def test_a_process_that_is_not_there_is_none() -> None:
    assert proc.process(2**22 + 1) is None
    assert proc.environ_value(2**22 + 1, "PATH") is None
    assert proc.working_directory(2**22 + 1) is None
