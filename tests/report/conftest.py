"""One report on the bad week, built once."""

import pytest

from monitor.report import Report, Source, build
from monitor.rules import calendar
from tests.report import province


@pytest.fixture(scope="session")
def source() -> Source:
    return province.source()


@pytest.fixture(scope="session")
def report(source: Source) -> Report:
    before = build(source, calendar.previous(province.WEEK, province.ZONE))
    return build(source, province.WEEK, previous=before)
