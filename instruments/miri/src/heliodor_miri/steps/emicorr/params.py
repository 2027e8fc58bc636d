"""Parameters of emicorr."""

from __future__ import annotations

from typing import Literal

from heliodor.params import parameter
from heliodor_detector.params import SwitchedOff


class EmiCorrParams(SwitchedOff):
    """How the waves are fitted."""

    algorithm: Literal["sequential", "joint"] = parameter(
        "joint",
        "Fit waves and ramps together (joint), or waves to what ramps leave (sequential).",
    )
    nints_to_phase: int | None = parameter(
        None,
        "Integrations that are phased; as many as use_n_cycles asks when empty (sequential).",
        ge=1,
    )
    nbins: int | None = parameter(
        None,
        "Bins of a phased wave, at most 501; half its period when empty (sequential).",
        ge=1,
    )
    scale_reference: bool = parameter(
        True, "Scale the reference wave to the amplitude in the data (sequential)."
    )
    onthefly_corr_freq: list[float] | None = parameter(
        None, "Frequencies to correct without a reference file (sequential).", unit="Hz"
    )
    use_n_cycles: int | None = parameter(
        3,
        "Periods that are enough to find the phase; all there are when empty (sequential).",
        ge=1,
    )
    fit_ints_separately: bool = parameter(
        False, "Give each integration an amplitude and a phase of its own (joint)."
    )
    late_last_column: bool = parameter(
        False,
        "Take the last pixels of a full row to be read 2**32 samples late, as jwst 3.0.0 does, "
        "instead of 3 (sequential).",
    )
    user_supplied_reffile: str | None = parameter(
        None, "Path of a reference file; better name it as the reference emicorr."
    )
    save_intermediate_results: bool = parameter(
        False, "Save a reference file that was made from the data (sequential)."
    )
