"""The settings of the jobs that watch the platform, as far as one depends on another."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.environment import load
from generator.environment.monitoring import Alertmanager

ROOT = Path(__file__).parents[4]
MAIL = ("email_to=ann@example.com", "email_from=alerts@example.com", "smtp=mail.example:587")


def alertmanager(*overrides: str) -> Alertmanager:
    written = [f"alertmanager.{one}" for one in overrides]
    return load(ROOT, "prod", overrides=written).alertmanager


def test_it_reads_only_the_secrets_that_it_needs() -> None:
    assert alertmanager("webhook=false").secrets == ()
    assert alertmanager().secrets == ("webhook_url",)
    assert alertmanager("webhook=false", *MAIL).secrets == ()
    assert alertmanager(*MAIL, "smtp_username=alerts").secrets == ("webhook_url", "smtp_password")


@pytest.mark.parametrize("lacking", [1, 2])
def test_mail_needs_a_sender_and_a_server(lacking: int) -> None:
    given = [one for position, one in enumerate(MAIL) if position != lacking]
    with pytest.raises(ConfigurationError, match=r"alertmanager\.email_to needs"):
        alertmanager(*given)


@pytest.mark.parametrize("wrong", ["email_from=nobody", "smtp=mail.example", "port=0"])
def test_what_can_not_be_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong.split("=")[0]):
        alertmanager(wrong)
