"""A report on locked packages is told by its format, read whole, and is about exactly this lock."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import ConfigurationError
from generator import audited, evidence

PINS = "Fast_API==0.115.0 \\\n    --hash=sha256:00\nredis==5.2.0\n# a comment\n"
AGENT_PINS = "redis==5.2.0\ncryptography==44.0.0\n"
PACKAGES: dict[str, Any] = {
    "": {"name": "pages", "version": "0.0.0"},
    "node_modules/next": {"version": "15.5.0"},
    "node_modules/next/node_modules/postcss": {"version": "8.4.31"},
    "node_modules/sharp": {"version": "0.34.0", "optional": True},
    "node_modules/typescript": {"version": "5.9.0", "dev": True},
}
LOCKED = json.dumps({"lockfileVersion": 3, "packages": PACKAGES})
ADVISORY = {
    "source": 1, "name": "postcss", "title": "bad", "severity": "moderate", "range": "<8.5.0",
    "url": "https://github.com/advisories/GHSA-7fh5-64p2-3v2j",
}  # fmt: skip


def read(
    root: Path, report: object, *, pins: str = PINS, locked: str = LOCKED, agent: str = AGENT_PINS
) -> evidence.Vulnerabilities:
    """Read a report, a text as it is, in a project with these lock files."""
    for lock, text in (
        (audited.APPLICATION, pins),
        (audited.AGENT, agent),
        (audited.FRONTEND, locked),
    ):
        (root / lock.path).parent.mkdir(exist_ok=True)
        (root / lock.path).write_text(text)
    path = root / "audit.json"
    path.write_text(report if isinstance(report, str) else json.dumps(report))
    return audited.read(path, root)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("report", "word"),
    [
        ("", r"can't be read as JSON: .*; expected a report of `pip-audit --format json`, or of"),
        ("[]", "holds a list; expected a report of"),
        ("{}", "holds an object with nothing; expected"),
        # What npm 6 printed.
        ({"advisories": {}, "actions": []}, "holds an object with actions, advisories; expected"),
        ({"message": "405 Method Not Allowed", "error": {"summary": ""}}, "failed with: 405 Me"),
        ({"error": {"code": "ENOLOCK", "summary": "needs a lockfile"}}, "with: needs a lockfile"),
        ({"error": "odd"}, "it does not say why"),
    ],
)
def test_what_is_no_report_is_refused_with_what_was_expected(
    tmp_path: Path, report: object, word: str
) -> None:
    with pytest.raises(ConfigurationError, match=word) as caught:
        read(tmp_path, report)
    assert caught.value.hint


class TestPipAudit:
    def report(self, *more: dict[str, Any]) -> dict[str, Any]:
        fine = [
            {"name": "fast-api", "version": "0.115.0", "vulns": []},
            {"name": "redis", "version": "5.2.0", "vulns": []},
        ]
        return {"dependencies": [*fine, *more], "fixes": []}

    def test_a_report_is_about_one_lock_file(self, tmp_path: Path) -> None:
        found = read(tmp_path, self.report())
        assert (found.subject, found.lock) == (sha(PINS), "requirements/app.lock")
        assert (found.packages, found.found) == (2, ())
        assert "@" in found.by

    def test_one_on_the_agents_packages_is_about_the_agents_lock_file(self, tmp_path: Path) -> None:
        listed = [
            {"name": "redis", "version": "5.2.0", "vulns": []},
            {"name": "cryptography", "version": "44.0.0", "vulns": []},
        ]
        found = read(tmp_path, {"dependencies": listed})
        assert (found.subject, found.lock) == (sha(AGENT_PINS), "requirements/agent.lock")
        assert found.packages == 2

    def test_one_on_neither_says_what_it_lacks_of_both(self, tmp_path: Path) -> None:
        listed = [{"name": "redis", "version": "5.2.0", "vulns": []}]
        with pytest.raises(ConfigurationError, match=r"lacks fast-api .*lacks cryptography 44"):
            read(tmp_path, {"dependencies": listed})

    def test_each_vulnerability_is_a_line(self, tmp_path: Path) -> None:
        vulns = [
            {"id": "PYSEC-1", "fix_versions": ["2", "3"], "aliases": [], "description": "bad"},
            {"id": "PYSEC-2", "fix_versions": [], "aliases": [], "description": "worse"},
        ]
        more = {"name": "other", "version": "1", "vulns": vulns}
        assert read(tmp_path, self.report(more)).found == (
            "other 1: PYSEC-1, fixed in 2, 3",
            "other 1: PYSEC-2",
        )

    @pytest.mark.parametrize(
        ("report", "pins", "word"),
        [
            ({"dependencies": 1}, PINS, "can't be read as pip-audit's report"),
            ({"dependencies": [{"version": "1"}]}, PINS, "can't be read as pip-audit's report"),
            ({"dependencies": []}, PINS, r"not on requirements/app\.lock: it lacks fast-api 0\.11"),
            ({"dependencies": []}, "# nothing\n", "that pins no package"),
        ],
    )
    def test_what_cant_be_read_or_is_on_something_else_is_refused(
        self, tmp_path: Path, report: object, pins: str, word: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=word):
            read(tmp_path, report, pins=pins)

    def test_a_package_that_could_not_be_asked_for_is_not_covered(self, tmp_path: Path) -> None:
        skipped = {"name": "odd", "skip_reason": "not found on the index"}
        with pytest.raises(ConfigurationError, match=r"requirements/app\.lock: it lacks odd 1"):
            read(tmp_path, self.report(skipped), pins=f"{PINS}odd==1\n")


class TestNpm:
    def report(self, total: int = 4, **vulnerable: Any) -> dict[str, Any]:
        counts = {"prod": 2, "dev": 1, "optional": 1, "total": total}
        found = {"auditReportVersion": 2, "vulnerabilities": vulnerable}
        return {**found, "metadata": {"dependencies": counts}}

    def vulnerable(self, *via: object, nodes: tuple[str, ...]) -> dict[str, Any]:
        return {"via": list(via), "nodes": list(nodes), "severity": "moderate"}

    def test_a_report_is_about_one_lock_file(self, tmp_path: Path) -> None:
        found = read(tmp_path, self.report())
        assert (found.subject, found.lock) == (sha(LOCKED), "frontend/package-lock.json")
        assert (found.packages, found.found) == (3, ())

    def test_each_vulnerability_is_a_line_where_it_is(self, tmp_path: Path) -> None:
        postcss = self.vulnerable(ADVISORY, nodes=("node_modules/next/node_modules/postcss",))
        report = self.report(
            postcss=postcss, next=self.vulnerable("postcss", nodes=("node_modules/next",))
        )
        line = "postcss 8.4.31: GHSA-7fh5-64p2-3v2j, moderate, in <8.5.0"
        assert read(tmp_path, report).found == (line,)

    def test_what_relies_on_something_untold_is_told_itself(self, tmp_path: Path) -> None:
        report = self.report(next=self.vulnerable("postcss", nodes=("node_modules/next",)))
        assert read(tmp_path, report).found == ("next 15.5.0: relies on postcss",)

    def test_what_is_not_deployed_does_not_count(self, tmp_path: Path) -> None:
        nodes = ("node_modules/typescript",)
        report = self.report(typescript=self.vulnerable(ADVISORY, nodes=nodes))
        assert read(tmp_path, report).found == ()

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"auditReportVersion": 3}, "auditReportVersion is 3; expected 2"),
            ({"metadata": {}}, "can't be read as npm's report"),
            ({"vulnerabilities": {"next": {}}}, "can't be read as npm's report"),
            ({"vulnerabilities": []}, "can't be read as npm's report"),
            (
                {"metadata": {"dependencies": {"total": 5}}},
                r"not on frontend/package-lock\.json: it is on 5 packages, and 4 are locked",
            ),
            (
                {"vulnerabilities": {"odd": {"via": [], "nodes": ["node_modules/odd"]}}},
                r"not on frontend/package-lock\.json: node_modules/odd is not in it",
            ),
        ],
    )
    def test_what_cant_be_read_or_is_on_something_else_is_refused(
        self, tmp_path: Path, change: dict[str, Any], word: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=word):
            read(tmp_path, {**self.report(), **change})

    @pytest.mark.parametrize("locked", ["", "{}", '{"lockfileVersion": 1, "dependencies": {}}'])
    def test_a_lock_file_of_an_older_npm_is_refused(self, tmp_path: Path, locked: str) -> None:
        with pytest.raises(ConfigurationError, match="can't be read as a lock of npm 7"):
            read(tmp_path, self.report(), locked=locked)


def test_a_lock_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(TestNpm().report()))
    with pytest.raises(ConfigurationError, match="can't be read: No such file") as caught:
        audited.read(tmp_path / "audit.json", tmp_path)
    assert "frontend/package-lock.json" in str(caught.value)
