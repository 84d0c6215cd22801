"""python-nomad: what changes something in Nomad goes through it. The only module that imports it.

Imported where something is changed, and not before; see `flowrex.nomad.wire`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from nomad import api
from nomad.api import exceptions
from urllib3.exceptions import HTTPError

from flowrex.errors import ServerRefused, ServerUnreachable
from flowrex.nomad.wire import not_nomad, refused, unreachable


class Library:
    """The library's endpoints, each with the settings of one client.

    Attributes:
        jobs: `/v1/jobs`.
        job: `/v1/job/…`.
        deployment: `/v1/deployment/…`.
        node: `/v1/node/…`.
    """

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        region: str | None,
        namespace: str,
        timeout_s: float,
        verify: bool | str,
        trust_env: bool,
    ) -> None:
        self._address = address
        session = requests.Session()
        # What HTTP_PROXY names can't reach this machine's loopback.
        session.trust_env = trust_env
        # The library's classes are used one by one: its `Nomad` object would read NOMAD_TOKEN,
        # NOMAD_ADDR and NOMAD_NAMESPACE behind the caller's back.
        settings = {
            "address": address,
            "token": token,
            "timeout": timeout_s,
            "namespace": namespace,
            "region": region,
            "verify": verify,
            "session": session,
        }
        self.jobs = api.Jobs(**settings)
        self.job = api.Job(**settings)
        self.deployment = api.Deployment(**settings)
        self.node = api.Node(**settings)
        self.session = session

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Turn whatever python-nomad or requests raises into an error of `flowrex.errors`."""
        try:
            yield
        except exceptions.InvalidParameters as error:
            raise ServerRefused(
                f"python-nomad refuses the call to {self._address}: {error}"
            ) from error
        except exceptions.BaseNomadException as error:
            raise self._meaning(error) from error
        except requests.exceptions.JSONDecodeError as error:
            raise not_nomad(self._address) from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            # TimeoutNomadException is one of the first; a body read half-way raises urllib3's own.
            raise unreachable(self._address, error) from error

    def _meaning(self, error: exceptions.BaseNomadException) -> ServerUnreachable:
        response = error.nomad_resp
        if not isinstance(response, requests.Response):
            return unreachable(self._address, response)
        return refused(self._address, response.status_code, response.text)
