"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no mistake of the code: no example has to be quick.
settings.register_profile("flowrex", deadline=None)
settings.load_profile("flowrex")
