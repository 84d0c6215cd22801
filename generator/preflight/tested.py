"""Stop `tests`: the tests of exactly this commit were run, and all passed."""

from __future__ import annotations

from generator import evidence
from generator.checks.model import Finding, Ground, failed, passed


def look(ground: Ground) -> Finding:
    """Look for the result of the tests of the project's commit."""
    name = ground.environment.name
    hint = f"flowrexctl evidence tests {name} REPORT..., with the reports of `pytest --junitxml`"
    revision = ground.revision()
    if revision is None:
        return failed("The project is no git repository, so that no test result is of it")
    commit, _, changes = revision.partition("+")
    if changes == "unknown":
        return failed(
            f"Git can't tell whether files differ from the commit {commit[:12]}",
            hint="See why: git status",
        )
    if changes:
        return failed(
            f"Files differ from the commit {commit[:12]}, so that no test result is of them",
            hint="Commit them, and let the tests run.",
        )
    found = evidence.find_tests(ground.consul, name, commit)
    if found is None:
        return failed(f"Nobody has recorded the tests of {commit[:12]}", hint=hint)
    text = f"{found.tests} tests of {commit[:12]}, recorded by {found.by} at {found.at}"
    bad = found.failures + found.errors
    if bad:
        return failed(f"{bad} of {text} did not pass", hint="Correct them.")
    if found.tests <= found.skipped:
        return failed(f"None of {text} was run: {found.skipped} were left out", hint=hint)
    return passed(text, f"{found.skipped} were left out")
