"""The agent under a real systemd: it starts alone, is watched, and ends with nothing lost."""

from __future__ import annotations

import re
import time

from tests.cluster import ROOT, eventually
from tests.live.agent.conftest import PROGRAM, another_process, pid, status
from tests.live.agent.machine import Machine


def test_it_starts_with_no_server_there_and_says_what_it_lacks(agent: Machine) -> None:
    assert agent.unit("ActiveState") == "active"
    eventually(lambda: status(agent)["problems"], what="a word of the missing credentials")
    said = status(agent)
    assert said["check"]["status"] == "warning"
    assert "vault-role-id is missing" in " ".join(said["problems"])
    assert {task["state"] for task in said["tasks"].values()} == {"running"}
    eventually(lambda: "vault-role-id" in agent.unit("StatusText"), what="systemd's own word of it")
    assert agent.unit("NRestarts") == "0"


def test_it_is_no_root_reads_what_it_ships_and_writes_nothing_of_the_hosts(agent: Machine) -> None:
    probe = status(agent)["tasks"]["probe"]
    assert probe["reads"] == "of root"
    assert probe["writes"] in {"PermissionError", "OSError"}
    assert probe["writes_etc"] in {"PermissionError", "OSError"}
    owner = agent.run("stat", "-c", "%U", f"/proc/{pid(agent)}").strip()
    assert owner == "flowrex-agent"
    assert agent.run("stat", "-c", "%U %a", "/var/lib/flowrex-agent").strip() == "flowrex-agent 700"


def test_its_libraries_and_other_programs_work_in_the_sandbox(agent: Machine) -> None:
    assert status(agent)["tasks"]["probe"]["works"] == "said"


def test_systemd_gives_it_the_credentials_that_root_alone_can_read(agent: Machine) -> None:
    agent.write("/etc/flowrex/credentials/vault-role-id", "of-the-tests", mode=0o600)
    agent.write("/etc/flowrex/credentials/vault-secret-id", "of-the-tests", mode=0o600)
    try:
        agent.run("systemctl", "restart", "flowrex-agent")
        names = status(agent)["tasks"]["probe"]["credentials"]
        assert names == ["flowrex_vault-role-id", "flowrex_vault-secret-id"]
        # It logs in with them now, and finds that Vault is away.
        eventually(
            lambda: "does not answer" in status(agent)["tasks"]["credentials"]["problem"],
            what="a try to log in",
        )
    finally:
        agent.run("sh", "-c", "rm /etc/flowrex/credentials/*")


def test_a_reload_takes_a_good_configuration(agent: Machine) -> None:
    before = pid(agent)
    agent.run("sed", "-i", "s/environment: test/environment: other/", "/etc/flowrex/agent.yaml")
    agent.run("systemctl", "reload", "flowrex-agent")
    assert status(agent)["environment"] == "other"
    assert pid(agent) == before


def test_a_reload_refuses_a_bad_configuration_whole_and_says_why(agent: Machine) -> None:
    before = pid(agent)
    agent.run("sed", "-i", "s/environment: test/environment: other/", "/etc/flowrex/agent.yaml")
    agent.run("sh", "-c", "echo 'htpp: {}' >> /etc/flowrex/agent.yaml")
    agent.run("systemctl", "reload", "flowrex-agent", expect=1)
    assert "/etc/flowrex/agent.yaml:6: unknown setting 'htpp'" in agent.journal()
    assert (pid(agent), status(agent)["environment"]) == (before, "test")


def test_a_signal_alone_reloads_as_well_and_the_refusal_is_in_its_status(agent: Machine) -> None:
    agent.run("sh", "-c", "echo 'htpp: {}' >> /etc/flowrex/agent.yaml")
    agent.run("systemctl", "kill", "-s", "HUP", "flowrex-agent")
    problem = eventually(
        lambda: status(agent)["configuration"]["problem"], what="the agent's refusal"
    )
    assert "unknown setting 'htpp'" in problem
    assert agent.unit("ActiveState") == "active"


def test_a_reload_that_needs_a_restart_says_which_setting(agent: Machine) -> None:
    agent.run("sed", "-i", "s/9877/9878/", "/etc/flowrex/agent.yaml")
    agent.run("systemctl", "reload", "flowrex-agent", expect=1)
    assert "http.port can't change while the agent runs" in agent.journal()
    agent.run("systemctl", "restart", "flowrex-agent")
    assert status(agent)["configuration"]["problem"] == ""


def test_a_stopped_process_is_killed_by_the_watchdog_and_started_again(agent: Machine) -> None:
    before = pid(agent)
    agent.run("systemctl", "kill", "-s", "STOP", "flowrex-agent")
    another_process(agent, before)
    assert "Watchdog timeout" in agent.journal()


def test_a_stuck_task_is_named_and_leads_to_a_restart(agent: Machine) -> None:
    before = pid(agent)
    agent.run("touch", "/run/flowrex-agent/hang")
    # The runtime folder goes with the process, and with it what makes the task hang.
    another_process(agent, before)
    said = agent.journal()
    assert '"message": "task is stuck"' in said
    assert '"task": "probe"' in said
    assert "waits_for_what_never_comes" in said
    assert "Watchdog timeout" in said
    assert "Current thread" in said  # where each thread was, of faulthandler


def test_a_killed_process_is_started_again(agent: Machine) -> None:
    before = pid(agent)
    agent.run("systemctl", "kill", "-s", "KILL", "flowrex-agent")
    another_process(agent, before)
    assert status(agent)["check"]["status"] in {"passing", "warning"}


def test_a_task_that_can_not_go_on_ends_the_process_with_an_error(agent: Machine) -> None:
    before = pid(agent)
    agent.run("touch", "/run/flowrex-agent/return")
    another_process(agent, before)
    said = agent.journal()
    assert "task probe returned, and nothing does its work now" in said
    assert "Main process exited, code=exited, status=3" in said


def test_an_agent_that_ends_again_and_again_is_seen_as_failed(agent: Machine) -> None:
    agent.run("sh", "-c", "echo 'htpp: {}' >> /etc/flowrex/agent.yaml")
    agent.run("systemctl", "restart", "flowrex-agent", expect=None)
    agent.until("ActiveState", "failed", within=180)
    assert "Start request repeated too quickly" in agent.journal()


def test_a_stop_lets_every_task_save_what_it_must(agent: Machine) -> None:
    begun = time.monotonic()
    agent.run("systemctl", "stop", "flowrex-agent")
    assert time.monotonic() - begun < 10
    assert agent.run("cat", "/var/lib/flowrex-agent/saved") == "saved"
    assert (agent.unit("Result"), agent.unit("ExecMainStatus")) == ("success", "0")


def test_a_task_that_does_not_end_is_named_and_does_not_hold_the_stop_up(agent: Machine) -> None:
    agent.run("touch", "/run/flowrex-agent/stay")
    begun = time.monotonic()
    agent.run("systemctl", "stop", "flowrex-agent")
    assert 4 < time.monotonic() - begun < 14
    assert '"message": "task did not stop in time"' in agent.journal()
    # Ended by itself, not by systemd's SIGKILL.
    assert agent.unit("Result") == "success"


INSTALLED_UNIT = "/usr/lib/systemd/system/flowrex-agent.service"


def test_systemd_finds_no_fault_in_the_unit_and_rates_it_at_most_2(machine: Machine) -> None:
    machine.run("systemd-analyze", "verify", INSTALLED_UNIT)
    machine.run("systemd-analyze", "security", "--offline=true", "--threshold=20", INSTALLED_UNIT)


def test_the_documented_rating_is_what_the_documented_command_prints(machine: Machine) -> None:
    page = (ROOT / "docs/agent.md").read_text()
    written = re.search(r"rates the unit ([0-9.]+)", page)
    (command,) = re.findall(r"^ +(systemd-analyze security .*)$", page, re.MULTILINE)
    assert written
    said = machine.run("sh", "-c", command)
    measured = re.search(r"exposure level for flowrex-agent.service: ([0-9.]+)", said)
    assert measured, said
    assert written[1] == measured[1]


def test_a_second_installation_keeps_the_configuration(machine: Machine) -> None:
    machine.write("/etc/flowrex/agent.yaml", "environment: mine\n")
    machine.run(PROGRAM, "install", "--program", PROGRAM)
    machine.run("dpkg", "--force-confold", "-i", "/agent.deb")
    assert machine.run("cat", "/etc/flowrex/agent.yaml") == "environment: mine\n"
    assert "is valid" in machine.run("flowrex-agent", "check-config")
