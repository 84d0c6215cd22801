"""Why a deployment failed, in sentences, and what to type next. Pure: facts in, text out.

`explain` puts together what the readers find, each of which knows one subject: `starting` what
keeps a task from beginning, `artifact`, `template` (with Vault's and Consul's logins), `ending`
what ends it, `health` its checks. docs/diagnoses.md shows every kind.
"""

from __future__ import annotations

from generator.diagnose.explain import Diagnosis, explain

__all__ = ["Diagnosis", "explain"]
