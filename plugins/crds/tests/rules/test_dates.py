"""Dates in all forms that headers had, by hand."""

from __future__ import annotations

import pytest
from heliodor_crds.dates import normal


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2022-07-12 01:02:03", "2022-07-12 01:02:03"),
        ("2022-07-12T01:02:03", "2022-07-12 01:02:03"),
        ("2022-07-12 01:02:03.25", "2022-07-12 01:02:03.250000"),
        ("2022/07/12 01:02", "2022-07-12 01:02:00"),
        ("2022-07-12", "2022-07-12 00:00:00"),
        ("07/12/2022 1:2:3", "2022-07-12 01:02:03"),
        ("12/07/22", "2022-07-12 00:00:00"),
        ("12/07/98 23:59:59", "1998-07-12 23:59:59"),
        ("20220712:010203", "2022-07-12 01:02:03"),
        ("JUL 12 2022 01:02:03 PM", "2022-07-12 13:02:03"),
        ("JUL 12, 2022 12:02 AM", "2022-07-12 00:02:00"),
        ("12 JULY 2022", "2022-07-12 00:00:00"),
        ("2022-07-12 01:02:03 UT", "2022-07-12 01:02:03"),
    ],
)
def test_dates_are_brought_to_one_form(text, form):
    assert normal(text) == form


@pytest.mark.parametrize(
    "text",
    ["", "SOON", "2022-13-01", "2022-07-12 25:00:00", "2022-07-12 5.0", "UNDEFINED", "1/2/2022"],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        normal(text)
