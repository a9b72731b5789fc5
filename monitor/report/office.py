"""The working days of Vietnam, as published data has them: public holidays, days off in exchange, and Saturdays worked for them.

Owns: turning the `holidays` package's data into the calendar's `Office`. Never: decides what a working day is for (the calendar does).
"""

from datetime import date

from monitor.rules.calendar import Office


def vietnam(first: date, last: date) -> Office:
    """The offices' calendar from `first` to `last`, and the year on either side, for notice given before or work done after."""
    import holidays  # Five megabytes of other countries' calendars, for whoever makes a report.

    known = holidays.country_holidays("VN", years=range(first.year - 1, last.year + 2))
    worked = known.weekend_workdays if isinstance(known, holidays.HolidayBase) else set()
    return Office(holidays=frozenset(known.keys()), swapped=frozenset(worked))
