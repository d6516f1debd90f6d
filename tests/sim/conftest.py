"""What the tests of the simulator share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def nothing_else_is_collected() -> Iterator[None]:
    """A world that is over collects its garbage; whatever other tests have left in this process need not be walked over each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
