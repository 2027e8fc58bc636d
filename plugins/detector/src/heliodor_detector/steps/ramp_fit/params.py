"""Parameters of ramp_fit."""

from __future__ import annotations

from typing import Literal

from heliodor.params import Params, parameter


class RampFitParams(Params):
    """How slopes are fitted, and which groups take part."""

    algorithm: Literal["OLS_C", "OLS", "LIKELY"] = parameter(
        "OLS_C",
        "Least squares (OLS_C and OLS are one thing) or LIKELY, the maximum of the likelihood.",
    )
    int_name: str | None = parameter(
        None, "Accepted for compatibility; has no effect, pipelines name their products."
    )
    save_opt: bool = parameter(False, "Make the product fitopt: the fits of single segments.")
    opt_name: str | None = parameter(
        None, "Accepted for compatibility; has no effect, pipelines name their products."
    )
    suppress_one_group: bool = parameter(
        True, "Give up ramps with one good group instead of dividing it by its time."
    )
    firstgroup: int | None = parameter(
        None, "Ignore the groups before this one, counted from 0.", unit="group"
    )
    lastgroup: int | None = parameter(
        None, "Ignore the groups after this one, counted from 0.", unit="group"
    )
    likely_as_jwst: bool = parameter(
        False,
        "With LIKELY, judge jumps by a median rate that differences of saturated groups take part "
        "in, as jwst 3.0.0 does.",
    )
    pedestal_as_jwst: bool = parameter(
        False,
        "With save_opt, reckon PEDESTAL as if a group took one second, as jwst 3.0.0 does.",
    )
    maximum_cores: str | None = parameter(
        "1", "Accepted for compatibility; has no effect, the run's threads are used."
    )
