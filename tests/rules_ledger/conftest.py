"""The province's zone."""

from zoneinfo import ZoneInfo

import pytest


@pytest.fixture
def hanoi() -> ZoneInfo:
    return ZoneInfo("Asia/Ho_Chi_Minh")
