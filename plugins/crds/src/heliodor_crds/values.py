"""Values as the rules compare them: brought to one form, and weighed against a key of a rule.

The arithmetic is that of CRDS ("Match" of its selectors): a key is a plain value, a list with bars
(``F070W|F090W``), a pattern with stars, ``{literal}``, ``(regular expression)``, ``NOT value``,
``BETWEEN 1 5``, ``>3``, or two of these joined by AND or OR between ``#``.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import Any

ANY = "*"
NOT_APPLICABLE = "N/A"

_NUMBER = re.compile(r"[-+]?([0-9]*\.?[0-9]+(E[-+]?[0-9]+)?|[0-9]+\.)")
_DO_NOT_CARE = re.compile(r"-2147483648.0|\(\)|N/A|NOT APPLICABLE|NOT_APPLICABLE$")
_LIMIT = re.compile(r"([<>]=?)\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)")
_OTHER_FORMS = {"ANY": ANY, "TRUE": "T", "FALSE": "F", "4294967295.0": "-1.0"}


def conditioned(value: Any) -> str:
    """Bring a value of a header or of a rule to the one form in which they are compared.

    Examples
    --------
    >>> conditioned(12), conditioned(" f070w "), conditioned(True), conditioned("any")
    ('12.0', 'F070W', 'T', '*')
    """
    text = str(value).strip().upper()
    if _NUMBER.fullmatch(text):
        text = str(float(text))
    if _DO_NOT_CARE.match(text):
        return NOT_APPLICABLE
    return _OTHER_FORMS.get(text, text)


def special(key: str) -> bool:
    """Whether a key is an expression of which the values cannot be listed."""
    text = key.upper()
    bracketed = text.startswith(("{", "(", "#")) and text.endswith(("}", ")", "#"))
    return bracketed or text.startswith(("BETWEEN", "NOT"))


def alternatives(key: str) -> list[str]:
    """Take a key with bars apart."""
    if special(key) or "|" not in key:
        return [key]
    return sorted(part.strip() for part in key.split("|") if part.strip())


@lru_cache(maxsize=1 << 16)
def weigh(key: str, value: str) -> int:
    """Say how a value fits a key: 1 it does, 0 the rule says nothing about it, -1 it does not.

    Raises
    ------
    ValueError, IndexError, re.error
        The key cannot be understood.
    """
    if key.startswith("#") and key.endswith("#"):
        text = key.upper()
        word = next((word for word in ("AND", "OR") if f" {word} " in text), None)
        return _both(text, word, value) if word else weigh(text[1:-1], value)
    if key.upper().startswith("BETWEEN"):
        _, low, high = key.split()
        if float(low) > float(high):
            raise ValueError("the lower limit is the greater")
        return _both(f">={low} AND <{high}", "AND", value)
    if key.upper().startswith("NOT "):
        return -weigh(key[4:].strip(), value)
    if key == NOT_APPLICABLE:
        return 0
    literal, fits = _fits(key, value)
    if fits or value in (literal, ANY):
        return 1 if value != NOT_APPLICABLE or literal == value else 0
    return 0 if value == NOT_APPLICABLE else -1


def _fits(key: str, value: str) -> tuple[str | None, bool]:
    """Give the value that a key stands for, if it is one, and whether another fits."""
    inside = key[1:-1]
    if key.startswith("(") and key.endswith(")"):
        return inside, re.match(inside, value) is not None
    if key.startswith("{") and key.endswith("}"):
        return inside, False
    if "|" in key or "*" in key:
        return None, any(fnmatch.fnmatchcase(value, part) for part in alternatives(key))
    if key.startswith((">", "<")):
        return key, _beyond(key, value)
    return key, False


def _both(text: str, word: str, value: str) -> int:
    """Weigh against two expressions joined by AND or OR."""
    value = value.upper()
    if value in (text, ANY):
        return 1
    if value == NOT_APPLICABLE:
        return 0
    parts = text.strip("#").split(word)
    first, second = (weigh(part.strip(), value) == 1 for part in parts[:2])
    return 1 if (first and second if word == "AND" else first or second) else -1


def _beyond(key: str, value: str) -> bool:
    """Compare with a limit (``>=3``)."""
    found = _LIMIT.match(key)
    if not found:
        raise ValueError(f"{key} is no limit")
    try:
        number = float(value)
    except ValueError:
        return False
    limit = float(found[2])
    return {
        ">": number > limit,
        "<": number < limit,
        ">=": number >= limit,
        "<=": number <= limit,
    }[found[1]]
