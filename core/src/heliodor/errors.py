"""Everything that can go wrong, as one small tree; each kind has an exit code of its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path


class HeliodorError(Exception):
    """Base of all errors meant for a person: the message says what, where and what is allowed."""

    exit_code = 1


class UsageError(HeliodorError):
    """A command, parameter or name that does not exist, or a value that is not allowed."""

    exit_code = 2


class PipelineError(UsageError):
    """A pipeline document that cannot be understood; the message gives file and place."""


class ExposureError(HeliodorError):
    """An input file that is not what it should be: truncated, of another level, or incomplete."""

    exit_code = 3


class MissingKeyword(ExposureError, KeyError):
    """A header keyword that a step cannot do without."""

    __str__ = Exception.__str__  # a KeyError would quote the message


class ReferenceError(HeliodorError):
    """A reference file that is missing, unreadable or of the wrong shape."""

    exit_code = 4


class NotFetched(ReferenceError):
    """Reference files that could not be fetched.

    Attributes
    ----------
    reasons : by file
    """

    def __init__(self, reasons: Mapping[Path, str]):
        super().__init__("\n".join(f"{path.name}: {why}" for path, why in reasons.items()))
        self.reasons = dict(reasons)


class PluginError(HeliodorError):
    """A plugin that cannot be loaded, or two that contradict each other."""

    exit_code = 5


class NotYetError(HeliodorError):
    """Something the operational pipeline does and Heliodor does not do yet."""

    exit_code = 6


class OutputError(HeliodorError):
    """A product that cannot be written."""

    exit_code = 7


class StepError(HeliodorError):
    """A step that failed; names the step and the exposure."""

    exit_code = 8


class Abandoned(HeliodorError):
    """An exposure that a step found not to be usable: no data of it are on the detector, say."""

    exit_code = 64  # the operational pipeline's


class Interrupted(HeliodorError):
    """The run was stopped by a signal; nothing half-written is left behind."""

    exit_code = 130


def did_you_mean(name: str, known: Iterable[str], what: str) -> str:
    """Say that `name` is unknown, what is nearest to it, and what there is.

    Parameters
    ----------
    name : what was asked for
    known : every allowed name
    what : the kind of thing, for the message (``step``, ``parameter of jump``)
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    listed = ", ".join(known) if known else "none"
    return f"There is no {what} '{name}'.{hint} Allowed: {listed}."
