"""What the tests of the plugin share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def short_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about what is told of a failure, not about how small it gets."""
    monkeypatch.setattr("killpoint.explore.shrink.BUDGET", 150)
