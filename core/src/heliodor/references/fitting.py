"""How well a reference file fits an exposure, by what both say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heliodor.declare import RefNeed
from heliodor.references import index

WILD = {"GENERIC", "ANY", "N/A", ""}
"""Values of a reference file's keyword that fit every exposure."""


@dataclass(frozen=True, order=True)
class Fit:
    """How well a file fits an exposure; the greatest is the best.

    Attributes
    ----------
    exact : keys by which the file names this exposure, the subarray counting double
    agreeing : further keywords that happen to agree
    use_after : when the file came into force
    """

    exact: int
    agreeing: int
    use_after: datetime


@dataclass(frozen=True)
class Misfit:
    """Why a file does not fit an exposure.

    Attributes
    ----------
    why : in words, of the first that does not fit
    keys : how many keys fit before that one
    """

    why: str
    keys: int


def fit(entry: index.Entry, need: RefNeed, keywords: Mapping[str, Any]) -> Fit | Misfit:
    """Judge a file for an exposure."""
    exact = 0
    for number, key in enumerate(need.keys):
        value = index.text(keywords.get(key))
        judge = _fit_subarray if key == "SUBARRAY" and not need.exact else _fit_value
        score = judge(entry, key, keywords)
        if score is None:
            return Misfit(f"for {key} {'|'.join(sorted(entry.allowed(key)))}, not {value}", number)
        exact += score
    said = entry.value("USEAFTER")
    use_after = index.date(said) if said else datetime.min
    if use_after is None:
        return Misfit(f"USEAFTER {said} is not a date", len(need.keys))
    observed = f"{keywords.get('DATE-OBS', '9999-12-31')}T{keywords.get('TIME-OBS', '23:59:59')}"
    if use_after > (index.date(observed) or datetime.max):
        return Misfit(f"USEAFTER {said} is after the observation, {observed}", len(need.keys))
    agreeing = sum(
        entry.value(key) not in WILD and entry.value(key) == index.text(keywords.get(key))
        for key in index.KEYS
    )
    return Fit(exact, agreeing, use_after)


def order(judged: tuple[Any, index.Entry]) -> tuple[Any, str]:
    """Order files that fit; the name decides last."""
    return judged[0], judged[1].path.name


def less(best: tuple[Any, index.Entry], found: Any, entry: index.Entry) -> str:
    """Say why a file that fits was not chosen."""
    chosen = best[0]
    if found.exact < chosen.exact:
        return "fits, but says less of the exposure: " + ", ".join(
            f"{key}={entry.value(key)}"
            for key in index.KEYS
            if entry.value(key) and entry.value(key) != best[1].value(key)
        )
    if found.agreeing < chosen.agreeing:
        return "fits, but fewer of its further keywords are the exposure's"
    if found.use_after < chosen.use_after:
        return f"fits, but is older: USEAFTER {entry.value('USEAFTER')}"
    return "fits as well; of equals the last by name is taken"


def _fit_value(entry: index.Entry, key: str, keywords: Mapping[str, Any]) -> int | None:
    """1 if the file names the value, 0 if it takes any, None if it is for others."""
    allowed = entry.allowed(key)
    if index.text(keywords.get(key)) in allowed:
        return 1
    return 0 if allowed & WILD else None


def _fit_subarray(entry: index.Entry, key: str, keywords: Mapping[str, Any]) -> int | None:
    """2 for the same subarray, 1 for any, 0 for a larger array that can be cut."""
    if not _contains(entry, keywords):
        return None
    allowed = entry.allowed(key)
    if index.text(keywords.get(key)) in allowed:
        return 2
    if allowed & WILD:
        return 1
    return 0 if "FULL" in allowed else None


def _contains(entry: index.Entry, keywords: Mapping[str, Any]) -> bool:
    """Whether the exposure's window lies in the file's; true where either does not say.

    Stripes are not looked for along the axis on which they lie.
    """
    striped = keywords.get("MSTR_RD1") is not None
    for axis in (1, 2):
        if striped and abs(int(keywords.get("SLOWAXIS") or 0)) == axis:
            continue
        start, size = entry.number(f"SUBSTRT{axis}"), entry.number(f"SUBSIZE{axis}")
        want = keywords.get(f"SUBSTRT{axis}")
        length = keywords.get(f"SUBSIZE{axis}")
        if None in (start, size, want, length):
            continue
        if int(want) < start or int(want) + int(length) > start + size:  # type: ignore
            return False
    return True
