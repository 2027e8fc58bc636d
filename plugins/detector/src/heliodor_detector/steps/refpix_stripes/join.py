"""Joining superstripes: one image from the lines of several integrations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from heliodor.bits import REFERENCE_PIXEL
from heliodor.data import Ramp
from heliodor.errors import NotYetError
from heliodor.sources import Retabled
from heliodor.stripes import KEYWORDS, Stripes
from heliodor.workspace import MEMORY, Workspace

SAMPLE = 10.0e-6
"""Time to read one pixel of each output [s]."""

ROW_END = 12
"""Samples that pass at the end of each line."""


def join_stripes(ramp: Ramp, workspace: Workspace = MEMORY) -> None:
    """Join superstripes into integrations of the lines that they hold together, in place.

    Where nothing was read the data are NaN, and the pixels are flagged REFERENCE_PIXEL.  When the
    frames of a superstripe hold it several times, each time becomes a group; the times of groups
    are then uneven.

    Parameters
    ----------
    ramp : with superstripes; they become an ordinary array in its data and in its keywords
    workspace : where the large arrays live
    """
    stripes = ramp.stripes
    assert stripes is not None
    nstripes = len(stripes.lines)
    nints, ngroups, ny, nx = ramp.shape
    nrepeats = int(stripes.repeats.max()) + 1
    shape = [ny, nx]
    shape[stripes.axis] = stripes.extent[1]
    new = (nints // nstripes, ngroups * nrepeats, *shape)

    data = workspace.empty(new)
    data[:] = np.nan
    groupdq = workspace.zeros(new, np.uint8)
    pixeldq = np.full(shape, REFERENCE_PIXEL, np.uint32)
    zeroframe = None
    if ramp.zeroframe is not None:
        zeroframe = workspace.empty((new[0], *shape))
        zeroframe[:] = np.nan
    for stripe, repeat, lines, place in _moves(stripes):
        into, group = np.s_[:, repeat::nrepeats], np.s_[stripe::nstripes]
        data[into][place] = ramp.data[group][lines]
        groupdq[into][place] = ramp.groupdq[group][lines]
        if repeat == 0:
            pixeldq[place] = ramp.pixeldq[stripe][lines]
            if zeroframe is not None and ramp.zeroframe is not None:
                zeroframe[place] = ramp.zeroframe[group][lines]
    ramp.data, ramp.groupdq, ramp.pixeldq, ramp.zeroframe = data, groupdq, pixeldq, zeroframe
    if nrepeats > 1:
        ramp.read_times = read_times(ramp.keywords, ngroups)
    ramp.stripes = None
    _join_times(ramp, nstripes)
    _describe(ramp, stripes)


def _moves(stripes: Stripes) -> Iterator[tuple[int, int, Any, Any]]:
    """Give stripe and repeat of each piece, where it is in its array, and where it goes."""
    first = stripes.extent[0]
    for stripe, lines in enumerate(stripes.lines):
        found = [np.flatnonzero(stripes.repeats == n) for n in range(stripes.repeats.max() + 1)]
        if any((lines[each] != lines[found[0]]).any() for each in found):
            raise NotYetError("superstripes of several stripes each cannot be joined yet")
        for repeat, each in enumerate(found):
            place = slice(lines[each[0]] - first, lines[each[-1]] - first + 1)
            yield (
                stripe,
                repeat,
                _along(stripes.axis, slice(each[0], each[-1] + 1)),
                _along(stripes.axis, place),
            )


def _along(axis: int, piece: slice) -> Any:
    return (..., piece, slice(None)) if axis == -2 else (..., piece)


def read_times(keywords: Mapping[str, Any], ngroups: int) -> np.ndarray:
    """Tell when repeated stripes were read.

    Parameters
    ----------
    keywords : of the exposure, before its stripes are joined
    ngroups : groups of an integration

    Returns
    -------
    (ngroups * nrepeats, nframes) float64 [s] since the reset

    Notes
    -----
    The reset goes through one repeat only, so the first repeat is read one such time after it.
    Between frames pass lines and samples that belong to none of them.
    """
    slow = abs(int(keywords["SLOWAXIS"]))
    nlines, length = (int(keywords[f"SUBSIZE{axis}"]) for axis in (slow, 3 - slow))
    outputs = int(keywords["NOUTPUTS"])
    nframes, gap = int(keywords["NFRAMES"]), int(keywords.get("GROUPGAP") or 0)
    lines = int(keywords["MSTR_RD1"]) + int(keywords["MSTR_RD2"])
    spare_lines = 1 if outputs == 4 else 2 if outputs == 1 and length >= 9 else 3
    spare_samples = 1 if outputs == 4 else 0

    line = length / outputs + ROW_END
    frame = (line * (nlines + spare_lines) + spare_samples) * SAMPLE
    reset = (line * (lines + spare_lines) + spare_samples) * SAMPLE
    steps = np.full(nlines // lines, line * lines * SAMPLE)
    steps[0] = reset
    group = steps.sum() + frame * (nframes - 1 + gap)
    first = (np.arange(ngroups)[:, np.newaxis] * group + np.cumsum(steps)).reshape(-1, 1)
    return first + frame * np.arange(nframes)


def _join_times(ramp: Ramp, nstripes: int) -> None:
    """Keep the times of superstripes in a table of their own; INT_TIMES is that of the joined."""
    if ramp.source is None:
        return
    with ramp.source.open() as hdus:
        if "INT_TIMES" not in hdus or not hdus["INT_TIMES"].header["NAXIS2"]:
            return
        stored = hdus["INT_TIMES"].data
        times = {name: np.array(stored[name]) for name in stored.names}
    number = times.pop("integration_number").size // nstripes
    begin = -(-int(ramp.keywords.get("INTSTART") or 1) // nstripes)
    joined = _table(number, integration_number=np.arange(begin, begin + number))
    for name in times:
        joined[name] = times[name][: number * nstripes : nstripes]
        if "_end_" in name:
            joined[name] = times[name][nstripes - 1 : number * nstripes : nstripes]
    for name in times:
        if "_mid_" in name:
            start, end = (joined[name.replace("_mid_", f"_{at}_")] for at in ("start", "end"))
            joined[name] = (end - start) / 2.0 + start
    total = times["int_start_MJD_UTC"].size
    single = _table(
        total,
        integration_number=np.repeat(joined["integration_number"], nstripes),
        stripe_number=np.arange(total) % nstripes + 1,
        **times,
    )
    # a table of the groups as they were read says nothing about those of the joined array
    tables = {"INT_TIMES": joined, "INT_TIMES_STRIPE": single, "GROUP": None}
    ramp.source = Retabled(ramp.source, tables)


def _table(rows: int, **columns: np.ndarray) -> np.ndarray:
    """Make a table of times, with the columns of INT_TIMES after those given as integers."""
    whole = [name for name in columns if name.endswith("_number")]
    moments = [f"int_{at}_{of}" for of in ("MJD_UTC", "BJD_TDB") for at in ("start", "mid", "end")]
    table = np.zeros(rows, [(n, ">i4") for n in whole] + [(n, ">f8") for n in moments])
    for name, values in columns.items():
        table[name] = values
    return table


def _describe(ramp: Ramp, stripes: Stripes) -> None:
    """Set the keywords of the joined array, and drop those of stripes."""
    keywords, nstripes = ramp.keywords, len(stripes.lines)
    _, ngroups, ny, nx = ramp.shape
    begin, end = keywords.get("INTSTART") or 1, keywords.get("INTEND") or keywords["NINTS"]
    for name, value in (("INTSTART", begin), ("INTEND", end), ("NINTS", keywords["NINTS"])):
        keywords[name] = -(-int(value) // nstripes)
    keywords["NGROUPS"] = ngroups
    keywords["SUBSIZE1"], keywords["SUBSIZE2"] = nx, ny
    keywords[f"SUBSTRT{-stripes.axis}"] = stripes.extent[0] + 1
    for name in KEYWORDS:
        keywords[name] = None
