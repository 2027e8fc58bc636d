"""Headers and tables of a raw exposure, as in the archive's files."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import numpy as np
from astropy.time import Time, TimeDelta

from heliodor_simulate.arrangement import EFFECTS, WINDOW, Setup
from heliodor_simulate.pointing import TARGET, pointing_keywords

BEGIN = "2024-03-01T12:00:00"
BARYCENTRE = 0.00257
"""What light saves on its way to the barycentre at that date, roughly [day]."""


def root_name(setup: Setup) -> str:
    """Name of the exposure without suffix."""
    return f"jw01234001001_02101_00001_{setup.detector.lower()}"


def aperture(setup: Setup) -> str:
    """Name of the aperture."""
    device = setup.device
    if setup.subarray in ("FULL", WINDOW):
        return device.full_aperture or f"{device.apertures}_FULL"
    return f"{device.apertures}_{setup.subarray}"


def primary_keywords(setup: Setup) -> dict[str, Any]:
    """Give the keywords of the primary header."""
    integration = setup.integration_time
    exposed = setup.nints * integration
    duration = setup.nints * (integration + setup.tframe)
    start, middle, end = (_times(offset) for offset in (0.0, duration / 2, duration))
    return {
        "DATE": "2024-03-02T00:00:00.000", "ORIGIN": "STSCI", "TIMESYS": "UTC", "TIMEUNIT": "s",
        "FILENAME": f"{root_name(setup)}_uncal.fits", "FILETYPE": "raw", "SDP_VER": "2024_1a",
        "DATAMODL": "Level1bModel", "TELESCOP": "JWST",
        # programme, visit and target
        "TITLE": "Simulated exposure", "PI_NAME": "Simulator", "CATEGORY": "CAL",
        "SCICAT": "Calibration",
        "DATE-OBS": start.isot[:10], "TIME-OBS": start.isot[11:],
        "DATE-BEG": start.isot, "DATE-END": end.isot,
        "OBS_ID": "V01234001001P0000000002101", "VISIT_ID": "01234001001", "PROGRAM": "01234",
        "OBSERVTN": "001", "VISIT": "001", "VISITGRP": "02", "SEQ_ID": "1", "ACT_ID": "01",
        "EXPOSURE": "1", "BKGDTARG": False, "TEMPLATE": "Simulated", "OBSLABEL": "simulated",
        "VISITYPE": "PRIME_TARGETED_FIXED", "VSTSTART": start.isot, "VISITSTA": "SUCCESSFUL",
        "NEXPOSUR": 1, "INTARGET": True, "TARGOOPP": False, "TSOVISIT": False,
        "VISITEND": end.isot, "EXP_ONLY": False, "CROWDFLD": False,
        "TARGPROP": "SIMULATED-FIELD", "TARGNAME": "SIMULATED-FIELD", "TARGTYPE": "FIXED",
        "TARG_RA": TARGET[0], "TARG_DEC": TARGET[1], "TARGURA": 0.0, "TARGUDEC": 0.0,
        "MU_RA": 0.0, "MU_DEC": 0.0, "PROP_RA": TARGET[0], "PROP_DEC": TARGET[1],
        "SRCTYAPT": "POINT",
        # instrument
        "INSTRUME": setup.figures.instrument, "DETECTOR": setup.detector,
        **setup.device.keywords,
        **setup.optics.keywords, **setup.figures.keywords,
        # exposure
        "EXPCOUNT": 1, "EXPRIPAR": "PRIME", "EXP_TYPE": setup.figures.exp_type,
        "EXPSTART": start.mjd, "EXPMID": middle.mjd, "EXPEND": end.mjd,
        "READPATT": setup.readpatt, "EXSEGNUM": 1, "EXSEGTOT": 1, "NOUTPUTS": setup.outputs,
        "NINTS": setup.nints, "INTSTART": 1, "INTEND": setup.nints, "NGROUPS": setup.ngroups,
        "NFRAMES": setup.nframes, "FRMDIVSR": setup.nframes, "GROUPGAP": setup.groupgap,
        "DRPFRMS1": 0, "DRPFRMS3": 0, "NSAMPLES": setup.pattern.nsamples, "TSAMPLE": 10.0,
        "TFRAME": setup.tframe, "TGROUP": setup.tgroup, "EFFINTTM": integration,
        "EFFEXPTM": exposed, "TMEASURE": exposed, "DURATION": duration,
        "NRSTSTRT": 1, "NRESETS": 1,
        "ZEROFRAM": setup.figures.zeroframe and setup.nframes > 1, "DATAPROB": False,
        "DATAMODE": 0, **setup.pattern.keywords,
        # array
        "SUBARRAY": setup.subarray, **window_keywords(setup),
        **(setup.striped.keywords if setup.striped else {}),
        # dither, aperture and guiding
        "PATTTYPE": "NONE", "PATT_NUM": 1, "NUMDTHPT": 1, "XOFFSET": 0.0, "YOFFSET": 0.0,
        "APERNAME": aperture(setup), "PPS_APER": aperture(setup), "PCS_MODE": "FINEGUIDE",
        "ENG_QUAL": "OK", "GSC_VER": "GSC30",
        **simulation_keywords(setup),
    }  # fmt: skip


def simulation_keywords(setup: Setup) -> dict[str, Any]:
    """Give the keywords that say that, and how, an exposure was simulated.

    No data of the observatory have them.
    """
    figures = setup.figures.model_dump_json().encode()
    less, also = EFFECTS.keys() - setup.effects, setup.effects - EFFECTS.keys()
    named = {"SIM_LESS": less, "SIM_ALSO": also}
    return {
        "SIM_SEED": setup.seed,
        "SIM_FIGS": f"{zlib.crc32(figures):08x}",
        **{name: ",".join(sorted(effects)) for name, effects in named.items() if effects},
    }


def sci_keywords(setup: Setup) -> dict[str, Any]:
    """Give the keywords of the SCI header."""
    return {
        "BUNIT": "DN",
        **pointing_keywords(setup),
        "REFFRAME": "EME2000",
        "JWST_X": -4.8e5, "JWST_Y": 1.1e6, "JWST_Z": 5.9e5,
        "JWST_DX": 0.1, "JWST_DY": 0.05, "JWST_DZ": 0.02,
    }  # fmt: skip


def window_keywords(setup: Setup) -> dict[str, Any]:
    """Give the keywords that say which pixels of the detector an array holds."""
    return {
        "SUBSTRT1": setup.corner[0], "SUBSTRT2": setup.corner[1],
        "SUBSIZE1": setup.size[0], "SUBSIZE2": setup.size[1],
        "FASTAXIS": setup.device.axes.fast, "SLOWAXIS": setup.device.axes.slow,
    }  # fmt: skip


def group_table(setup: Setup) -> np.ndarray:
    """Make the GROUP table: when each group ended."""
    columns = [
        ("integration_number", ">i4"), ("group_number", ">i2"), ("end_day", ">i2"),
        ("end_milliseconds", ">i4"), ("end_submilliseconds", ">i2"), ("group_end_time", "S26"),
        ("number_of_columns", ">i2"), ("number_of_rows", ">i2"), ("number_of_gaps", ">i2"),
        ("completion_code_number", ">i2"), ("completion_code_text", "S36"),
        ("bary_end_time", ">f8"), ("helio_end_time", ">f8"),
    ]  # fmt: skip
    table = np.zeros(setup.nints * setup.ngroups, columns)
    integration, group = np.divmod(np.arange(table.size), setup.ngroups)
    table["integration_number"], table["group_number"] = integration + 1, group + 1
    seconds = (
        integration * (setup.integration_time + setup.tframe)
        + setup.nframes * setup.tframe
        + group * setup.tgroup
    )
    ends = _times(seconds)
    milliseconds = (ends.mjd % 1) * 86400e3
    table["end_day"] = ends.mjd - Time("2000-01-01").mjd
    table["end_milliseconds"] = milliseconds
    table["end_submilliseconds"] = (milliseconds % 1) * 1000
    table["group_end_time"] = ends.isot
    table["number_of_columns"], table["number_of_rows"] = setup.size
    table["completion_code_text"] = b"COMPLETE"
    table["bary_end_time"] = table["helio_end_time"] = ends.mjd + BARYCENTRE
    return table


def int_times_table(setup: Setup) -> np.ndarray:
    """Make the INT_TIMES table: when each integration began, was half through, and ended."""
    moments = [
        (f"int_{moment}_{system}", part, offset)
        for system, offset in (("MJD_UTC", 0.0), ("BJD_TDB", BARYCENTRE))
        for moment, part in (("start", 0.0), ("mid", 0.5), ("end", 1.0))
    ]
    columns = [("integration_number", ">i4"), *((name, ">f8") for name, _, _ in moments)]
    table = np.zeros(setup.nints, columns)
    table["integration_number"] = np.arange(setup.nints) + 1
    start = np.arange(setup.nints) * (setup.integration_time + setup.tframe)
    for name, part, offset in moments:
        table[name] = _begin().mjd + (start + part * setup.integration_time) / 86400 + offset
    return table


@cache
def _begin() -> Time:
    return Time(BEGIN, scale="utc")


def _times(seconds: Any) -> Time:
    return _begin() + TimeDelta(seconds, format="sec")
