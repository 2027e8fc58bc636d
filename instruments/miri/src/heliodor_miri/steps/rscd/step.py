"""Reject the first groups, which the decay of the reset switch charge bends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from heliodor.data import Ramp
from heliodor.references.files import Reference
from heliodor.step import Piece, References, Skipped, Step

from heliodor_miri.steps.rscd.kernel import reject_first_groups
from heliodor_miri.steps.rscd.params import RscdParams

FEWEST = 3
"""The last group is rejected anyway, and a slope needs two."""

FEW = 5
"""Up to so many groups only the first is rejected, whatever the reference says."""

KINDS = ("1", "2")
"""How keywords call the first integration, and all later ones."""


class Rscd(Step[RscdParams]):
    """Reject as many first groups as the reference says for read pattern and subarray.

    The first integration of an exposure has a number of its own.
    """

    Params = RscdParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Look up the numbers of groups and fit them to the length of the ramps."""
        nints, ngroups, ny, _ = ramp.shape
        skips = groups_to_skip(refs["rscd"], ramp.keywords)
        if skips is None:
            return Skipped("the rscd reference has no entry for this READPATT and SUBARRAY")
        if ngroups < FEWEST:
            return Skipped(f"fewer than {FEWEST} groups")
        if ngroups <= FEW:
            skips = (1, 1)
        self.skips = [min(skip, ngroups - FEWEST) for skip in skips]
        # a later segment of an exposure has no first integration
        nfirst = 1 if int(ramp.keywords.get("INTSTART") or 1) == 1 else 0
        several = int(ramp.keywords.get("NINTS") or nints) > 1
        self.integrations = [(0, 1) if nfirst else None, (nfirst, nints) if several else None]
        self.counts = np.zeros((2, ny, 3), np.int64)
        return None

    def flag(self, ramp: Ramp, piece: Piece) -> None:
        """Flag some rows of all integrations."""
        rows = (piece.row_start, piece.row_stop)
        for which, skip, counts in zip(self.integrations, self.skips, self.counts, strict=True):
            if which is not None:
                reject_first_groups(ramp.groupdq, ramp.pixeldq, *which, skip, counts, *rows)

    def finish(self, ramp: Ramp) -> None:
        """Write down how many groups were rejected, and how often fewer."""
        totals = self.counts.sum(axis=1).tolist()
        for kind, which, skip, (early, changed, whole) in zip(
            KINDS, self.integrations, self.skips, totals, strict=True
        ):
            if which is not None:
                ramp.keywords[f"INT{kind}SKIP"] = skip
                ramp.keywords[f"INT{kind}UGP1"] = whole if early else 0
                ramp.keywords[f"INT{kind}BORS"] = changed


def groups_to_skip(reference: Reference, keywords: Mapping[str, Any]) -> tuple[int, int] | None:
    """Look up how many groups to reject in the first integration and in later ones.

    Files of an older kind have no number for the first integration: it is one.
    """
    columns = reference.columns("RSCD_GROUP_SKIP", ("subarray", "readpatt", "group_skip"))
    subarray = str(keywords.get("SUBARRAY", "")).strip()
    wanted = ("SLITLESSPRISM" if subarray == "SUBPRISM" else subarray, keywords.get("READPATT"))
    for row, found in enumerate(zip(columns["subarray"], columns["readpatt"], strict=True)):
        if tuple(str(name).strip() for name in found) == wanted:
            first = int(columns["group_skip1"][row]) if "group_skip1" in columns else -1
            return (1 if first < 0 else first), int(columns["group_skip"][row])
    return None
