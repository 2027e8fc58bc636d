"""Conditions of rules: what they may have, and what they say."""

from __future__ import annotations

import pytest
from heliodor_crds.expressions import evaluate, parsed

NAMES = {"TYPE": "NRC_IMAGE", "TSO": "F", "N": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("TYPE == 'NRC_IMAGE'", True),
        ("TYPE != 'NRC_IMAGE' or TSO == 'F'", True),
        ("(TYPE in ['NRC_IMAGE', 'NRC_WFSS']) and not (TSO == 'T')", True),
        ("TYPE not in ('NRC_IMAGE',)", False),
        ("1 < N <= 3", True),
        ("N > -1", True),
        ("'yes' if TSO == 'T' else 'no'", "no"),
        ("TSO == 'T' and UNKNOWN", False),
    ],
)
def test_expressions_are_evaluated(text, value):
    assert evaluate(parsed(text), NAMES) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "TYPE.upper()", "TYPE[0]", "lambda: 1", "[x for x in TYPE]", "N + 1",
        "(N := 1)", "f'{N}'", "TYPE ==", "a; b", "{1: 2}", "TYPE is None", "META.TYPE == 'X'",
    ],
)  # fmt: skip
def test_nothing_else_is_allowed(text):
    with pytest.raises(ValueError, match=r"is no(t allowed|\b)"):
        parsed(text)


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        evaluate(parsed("UNKNOWN == 'T'"), NAMES)
