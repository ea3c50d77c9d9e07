"""What all tests share."""

from __future__ import annotations

import asyncio

from hypothesis import settings

# A busy machine is no reason to fail: what is slow shows in benchmarks. The same code gets the same verdict: to find
# what nobody has thought of is for the deep profile.
settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")
# pytest --hypothesis-profile=deep: what a drill takes instead of the sample of every test run.
settings.register_profile("deep", max_examples=3000, deadline=None)


def pytest_configure() -> None:
    # looptime asks for the current event loop around synchronous tests, too. Until somebody has set one, or none,
    # Python makes a loop for whoever asks; nobody closes that one, and the warning fails some later test.
    asyncio.set_event_loop(None)
