"""Values and keys of rules: by hand."""

from __future__ import annotations

import re

import pytest
from heliodor_crds.values import alternatives, conditioned, special, weigh


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("f070w", "F070W"), (" FULL ", "FULL"), (12, "12.0"), ("12", "12.0"), ("0012.", "12.0"),
        ("1.2e1", "12.0"), (-1.5, "-1.5"), (True, "T"), ("true", "T"), (False, "F"), ("F", "F"),
        ("any", "*"), ("N/A", "N/A"), ("not applicable", "N/A"), ("-2147483648.0", "N/A"),
        (4294967295, "-1.0"), ("12a", "12A"), ("", ""), ("()", "N/A"),
    ],
)  # fmt: skip
def test_values_are_brought_to_one_form(value, form):
    assert conditioned(value) == form


@pytest.mark.parametrize(
    ("key", "value", "weight"),
    [
        ("FULL", "FULL", 1), ("FULL", "SUB64", -1), ("FULL", "N/A", 0), ("FULL", "*", 1),
        ("N/A", "FULL", 0), ("N/A", "N/A", 0),
        ("A|B", "A", 1), ("A|B", "B", 1), ("A|B", "C", -1), ("A|B", "N/A", 0), ("A|B", "*", 1),
        ("*", "ANYTHING", 1), ("*", "N/A", 0), ("SUB*", "SUB64", 1), ("SUB*", "FULL", -1),
        ("SUB?|F*", "FULL", 1), ("SUB6?|F*", "SUB64", 1),
        ("{A|B}", "A|B", 1), ("{A|B}", "A", -1), ("{N/A}", "N/A", 1),
        ("(F[0-9]+W)", "F070W2", 1), ("(F[0-9]+W)", "F070M", -1), ("(F.*)", "N/A", 0),
        (">3", "4.0", 1), (">3", "3.0", -1), (">=3", "3.0", 1), ("<3", "X", -1),
        ("<=-1.5", "-2.0", 1),
        ("BETWEEN 1 5", "1.0", 1), ("BETWEEN 1 5", "5.0", -1), ("BETWEEN 1 5", "N/A", 0),
        ("NOT FULL", "SUB64", 1), ("NOT FULL", "FULL", -1), ("NOT FULL", "N/A", 0),
        ("NOT FULL", "*", -1), ("NOT BETWEEN 1 5", "7.0", 1),
        ("#>1 AND <5#", "3.0", 1), ("#>1 AND <5#", "5.0", -1), ("#<1 OR >5#", "7.0", 1),
        ("#<1 OR >5#", "3.0", -1), ("#FULL#", "FULL", 1),
    ],
)  # fmt: skip
def test_keys_are_weighed(key, value, weight):
    assert weigh(key, value) == weight


@pytest.mark.parametrize("key", ["BETWEEN 5 1", "BETWEEN 1", "BETWEEN a b", ">x", "([)"])
def test_keys_that_mean_nothing_are_refused(key):
    with pytest.raises((ValueError, IndexError, re.error)):
        weigh(key, "1.0")


def test_bars_are_taken_apart_but_not_in_expressions():
    assert alternatives(" B|A || C|") == ["A", "B", "C"]
    assert alternatives("{B|A}") == ["{B|A}"]
    assert special("not full")
    assert not special("FULL")
