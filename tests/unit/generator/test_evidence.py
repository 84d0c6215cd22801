"""Reports are read whole or refused, and are about exactly what they say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

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
        ],
    )
    def test_what_is_no_report_is_refused(self, tmp_path: Path, text: str, word: str) -> None:
        with pytest.raises(ConfigurationError, match=word):
            evidence.tests_of([write(tmp_path, "a.xml", text)], "abc")

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


class TestVulnerabilities:
    LOCK = "Fast_API==0.115.0 \\\n    --hash=sha256:00\nredis==5.2.0\n# a comment\n"

    def report(self, *more: dict[str, Any]) -> str:
        fine = [
            {"name": "fast-api", "version": "0.115.0", "vulns": []},
            {"name": "redis", "version": "5.2.0", "vulns": []},
        ]
        return json.dumps({"dependencies": [*fine, *more], "fixes": []})

    def read(self, folder: Path, report: str, lock: str = LOCK) -> evidence.Vulnerabilities:
        return evidence.vulnerabilities_of(
            write(folder, "audit.json", report), write(folder, "app.lock", lock)
        )

    def test_a_report_is_about_one_lock_file(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, self.report())
        assert found.subject == hashlib.sha256(self.LOCK.encode()).hexdigest()
        assert (found.packages, found.found) == (2, ())

    def test_each_vulnerability_is_a_line(self, tmp_path: Path) -> None:
        vulns = [
            {"id": "PYSEC-1", "fix_versions": ["2", "3"], "aliases": [], "description": "bad"},
            {"id": "PYSEC-2", "fix_versions": [], "aliases": [], "description": "worse"},
        ]
        more = {"name": "other", "version": "1", "vulns": vulns}
        assert self.read(tmp_path, self.report(more)).found == (
            "other 1: PYSEC-1, fixed in 2, 3",
            "other 1: PYSEC-2",
        )

    @pytest.mark.parametrize(
        ("report", "lock", "word"),
        [
            ("", LOCK, "can't be read as pip-audit's report"),
            ("[]", LOCK, "can't be read as pip-audit's report"),
            ('{"dependencies": [{"version": "1"}]}', LOCK, "can't be read as pip-audit's report"),
            ('{"dependencies": []}', LOCK, "does not cover app.lock: fast-api 0.115.0, redis"),
            ('{"dependencies": []}', "# nothing\n", "it pins no package"),
        ],
    )
    def test_what_is_no_report_or_on_something_else_is_refused(
        self, tmp_path: Path, report: str, lock: str, word: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=word):
            self.read(tmp_path, report, lock)

    def test_a_package_that_could_not_be_asked_for_is_not_covered(self, tmp_path: Path) -> None:
        skipped = {"name": "odd", "skip_reason": "not found on the index"}
        with pytest.raises(ConfigurationError, match=r"does not cover app\.lock: odd 1"):
            self.read(tmp_path, self.report(skipped), f"{self.LOCK}odd==1\n")


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
