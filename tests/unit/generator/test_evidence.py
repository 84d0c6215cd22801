"""Reports are read whole or refused, and are about exactly what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError
from flowrex.testing.consul import FakeConsul
from generator import evidence

JUNIT = '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1"/></testsuites>'


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def consul(fake: FakeConsul) -> ConsulClient:
    return cast(ConsulClient, fake)


class TestTests:
    def test_reports_are_added_up(self, tmp_path: Path) -> None:
        single = '<testsuite tests="2" failures="0" errors="1" skipped="0"/>'
        paths = [write(tmp_path, "a.xml", JUNIT), write(tmp_path, "b.xml", single)]
        found = evidence.tests_of(paths, "abc")
        assert (found.tests, found.failures, found.errors, found.skipped) == (5, 1, 1, 1)
        assert found.subject == "abc"
        assert "@" in found.by

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("", "can't be read as a JUnit report"),
            ("<html/>", "its first element is 'html'"),
            ("<testsuites/>", "hold no test"),
            ('<testsuite tests="many"/>', "tests is 'many'"),
            ('<testsuite tests="0"/>', "hold no test"),
            ('<testsuite tests="2" failures="-2"/>', "failures is '-2'"),
        ],
    )
    def test_what_is_no_report_is_refused(self, tmp_path: Path, text: str, word: str) -> None:
        with pytest.raises(ConfigurationError, match=word):
            evidence.tests_of([write(tmp_path, "a.xml", text)], "abc")

    def test_what_has_no_sums_is_counted(self, tmp_path: Path) -> None:
        text = """<testsuites><testsuite tests="1">
            <testcase name="a"><failure/></testcase>
            <testsuite><testcase name="b"><error/></testcase></testsuite>
            <testcase name="c"><skipped/></testcase>
        </testsuite></testsuites>"""
        found = evidence.tests_of([write(tmp_path, "a.xml", text)], "abc")
        assert (found.tests, found.failures, found.errors, found.skipped) == (3, 1, 1, 1)

    def test_pytests_own_report_is_read(self, tmp_path: Path) -> None:
        test = write(tmp_path, "test_it.py", "def test_good(): pass\ndef test_bad(): assert 0\n")
        report = tmp_path / "report.xml"
        # In a process of its own: this one's plugins and their state are not to be met.
        import subprocess
        import sys

        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        subprocess.run(
            [*command, "--rootdir", tmp_path, f"--junitxml={report}", test],
            capture_output=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        found = evidence.tests_of([report], "abc")
        assert (found.tests, found.failures) == (2, 1)


class TestKept:
    def proof(self, subject: str) -> evidence.Tests:
        return evidence.Tests(subject, "2026-03-01T12:00:00+00:00", "ci@here", 1, 0, 0, 0)

    def test_it_is_found_again(self) -> None:
        fake = FakeConsul()
        evidence.record(consul(fake), "prod", self.proof("abc"))
        assert evidence.find_tests(consul(fake), "prod", "abc") == self.proof("abc")
        assert evidence.find_tests(consul(fake), "prod", "abd") is None
        assert evidence.find_tests(consul(fake), "staging", "abc") is None

    def test_the_oldest_are_forgotten(self) -> None:
        fake = FakeConsul()
        for number in range(52):
            evidence.record(consul(fake), "prod", self.proof(f"{number:03}"))
        assert len(fake.kv_list(keys.evidence("prod", "tests"))) == 50
        assert evidence.find_tests(consul(fake), "prod", "001") is None
        assert evidence.find_tests(consul(fake), "prod", "051") is not None

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"tests": 1}'])
    def test_what_cant_be_read_is_an_error_and_no_proof(self, text: str) -> None:
        fake = FakeConsul()
        fake.kv_put(keys.evidence("prod", "tests", "abc"), text)
        with pytest.raises(ConfigurationError, match="is no such evidence"):
            evidence.find_tests(consul(fake), "prod", "abc")

    def test_what_was_recorded_when_there_was_one_lock_file_is_of_that_one(self) -> None:
        fake = FakeConsul()
        old = {"subject": "a", "at": "2026-03-01T12:00:00+00:00", "by": "ci@here", "packages": 1}
        text = json.dumps({**old, "found": []})
        fake.kv_put(keys.evidence("prod", "vulnerabilities", "a"), text)
        found = evidence.find_vulnerabilities(consul(fake), "prod", "a")
        assert found is not None
        assert found.lock == "requirements/app.lock"
