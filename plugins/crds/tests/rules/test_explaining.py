"""What is said of the files that were not chosen."""

from __future__ import annotations

import pytest
from heliodor.declare import RefNeed
from heliodor.references.selectors import Considered, Sources
from heliodor_crds.selector import Crds

NAMES = ("META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME")
HEADER = {
    "INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "SUBARRAY": "FULL", "DATE-OBS": "2022-07-12",
    "TIME-OBS": "00:00:00",
}  # fmt: skip
ROWS = """Match({
    ('NRCA1', 'FULL'): UseAfter({'2022-01-01 00:00:00': 'old', '2022-06-01 00:00:00': 'good',
                                 '2023-01-01 00:00:00': 'new'}),
    ('NRCA1', 'N/A'): UseAfter({'2022-01-01 00:00:00': 'any'}),
    ('NRCA2', 'FULL'): UseAfter({'2022-01-01 00:00:00': 'other'}),
    ('NRCA3', 'SUB64'): 'N/A',
})"""


@pytest.fixture
def considered(cache):
    def considered(names, rows, **keywords):
        cache.rules("dark", names, rows)
        selector = Crds(Sources(context=cache.context()))
        return selector.considered(RefNeed("dark"), {**HEADER, **keywords})

    return considered


def test_each_file_is_judged_the_nearest_first(considered):
    assert considered(NAMES, ROWS) == (
        Considered("good", "DETECTOR=NRCA1, SUBARRAY=FULL; USEAFTER 2022-06-01 00:00:00", True),
        Considered(
            "any",
            "DETECTOR=NRCA1, SUBARRAY=N/A; USEAFTER 2022-01-01 00:00:00: another row says more",
        ),
        Considered("new", "USEAFTER 2023-01-01 00:00:00 is after the observation"),
        Considered("old", "USEAFTER 2022-01-01 00:00:00, followed by good"),
        Considered("other", "for DETECTOR NRCA2, not NRCA1; USEAFTER 2022-01-01 00:00:00"),
        Considered("N/A", "for DETECTOR NRCA3, not NRCA1; for SUBARRAY SUB64, not FULL"),
    )  # fmt: skip


def test_a_row_that_says_that_none_applies_is_chosen_too(considered):
    first, *others = considered(NAMES, ROWS, DETECTOR="NRCA3", SUBARRAY="SUB64")
    assert first == Considered("N/A", "DETECTOR=NRCA3, SUBARRAY=SUB64", True)
    assert not any(each.chosen for each in others)


def test_of_joined_rows_one_file_is_chosen(considered):
    rows = """Match({('NRCA1', 'N/A'): UseAfter({'2022-01-01 00:00:00': 'a'}),
                     ('N/A', 'FULL'): UseAfter({'2022-02-01 00:00:00': 'b'})})"""
    first, second = considered(NAMES, rows)
    assert (first.name, first.chosen) == ("b", True)
    assert second.why.endswith("b is of the same or a later date")


def test_rules_by_date_alone(considered):
    rows = "Match({(): UseAfter({'2022-01-01 00:00:00': 'a', '2023-01-01 00:00:00': 'b'})})"
    first, second = considered((), rows)
    assert first == Considered("a", "USEAFTER 2022-01-01 00:00:00", True)
    assert not second.chosen


def test_without_a_date_all_have_a_reason(considered):
    judged = considered(NAMES, ROWS, **{"DATE-OBS": None})
    assert not any(each.chosen for each in judged)
    assert "the exposure has no DATE-OBS" in judged[0].why


def test_of_what_is_not_known_nothing_is_said(considered, cache, monkeypatch):
    assert considered(NAMES, ROWS, INSTRUME="MIRI") == ()
    monkeypatch.delenv("CRDS_PATH")
    assert Crds(Sources()).considered(RefNeed("dark"), HEADER) == ()
