"""Dates as the rules compare them: as text, ``2022-07-12 01:02:03``."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WITH_T = re.compile(r"\d{4}[-/]\d\d[-/]\d\dT\d\d(:\d\d){1,2}(\.\d{1,6})?")
_DAYS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{4})",
        r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)",
        r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<short>9\d|[0-3]\d)",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d):(?P<time>\d{6})",
    )
)


@lru_cache(maxsize=1024)
def normal(text: str) -> str:
    """Bring a date with a time to the form in which dates are compared.

    Parameters
    ----------
    text : in capital letters; as in headers (``2022-07-12 01:02:03.5``), or in one of the older
        forms that CRDS takes (``12/07/2022``, ``JUL 12 2022``)

    Raises
    ------
    ValueError
        It is no date.
    """
    if "UNDEFINED" in text:
        raise ValueError("it is not defined")
    text = text.removesuffix(" UT")
    if _WITH_T.fullmatch(text):
        text = text.replace("T", " ")
    moment = _named(text) if re.search("[A-Za-z]{3}", text) else _numbered(text)
    return moment.isoformat(" ")


def _numbered(text: str) -> datetime:
    day, _, time = text.replace("-", "/").partition(" ")
    found = next((match for form in _DAYS if (match := form.fullmatch(day))), None)
    if found is None:
        raise ValueError(f"{day} is no day")
    parts = found.groupdict()
    if short := parts.get("short"):
        parts["year"] = ("19" if short[0] == "9" else "20") + short
    if joined := parts.get("time"):
        time = f"{joined[:2]}:{joined[2:4]}:{joined[4:]}"
    date = int(parts["year"]), int(parts["month"]), int(parts["day"])
    return datetime(*date, *_time(time or "00:00:00"))


def _named(text: str) -> datetime:
    """Read a date with the name of a month, which may be the first or the second."""
    words = re.sub(r"\s+([AP]M)$", r"\1", text.upper()).replace("-", " ").replace("/", " ").split()
    month, day, year, time = [*words, "00:00AM"][:4] if len(words) == 3 else words
    day = day.rstrip(",")
    if month[:3] not in _MONTHS:
        day, month = month, day
    return datetime(int(year), _MONTHS.index(month[:3]) + 1, int(day), *_time(time))


def _time(text: str) -> tuple[int, int, int, int]:
    """Read hours, minutes, seconds and microseconds."""
    text = text.strip()
    half = text[-2:]
    if half in ("AM", "PM"):
        text = text[:-2]
    hour, minute, second, *_ = [*text.split(":"), "00"]
    hours, seconds = int(hour), float(second)
    if half == "PM" and hours < 12:
        hours += 12
    if half == "AM" and hours == 12:
        hours = 0
    whole = int(seconds)
    return hours, int(minute), whole, int((seconds - whole) * 10**6)
