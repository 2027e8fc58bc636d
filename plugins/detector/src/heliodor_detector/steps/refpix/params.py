"""Parameters of refpix."""

from __future__ import annotations

from typing import Literal

from heliodor.params import Params, parameter


class RefPixParams(Params):
    """How drifts of the bias are followed by reference pixels."""

    odd_even_columns: bool = parameter(
        True, "Treat odd and even columns of each amplifier apart (near infrared)."
    )
    use_side_ref_pixels: bool = parameter(
        True, "Follow drifts from row to row with the reference pixels at the sides."
    )
    side_smoothing_length: int = parameter(
        11, "Height of the running median over side reference pixels.", unit="rows", ge=1, le=4095
    )
    side_gain: float = parameter(
        1.0, "Factor on the side signal before it is subtracted from its row."
    )
    odd_even_rows: bool = parameter(True, "Treat odd and even rows apart (MIRI).")
    ovr_corr_mitigation_ftr: float = parameter(
        3.0, "Scatter above which an interleaved reference pixel is bad (IRS2).", unit="sigma"
    )
    preserve_irs2_refpix: bool = parameter(
        False, "Keep interleaved reference pixels in the output (IRS2)."
    )
    irs2_mean_subtraction: bool = parameter(
        False, "Subtract mean offsets before the interleaved correction (IRS2)."
    )
    refpix_algorithm: Literal["median", "sirs"] = parameter(
        "median", "How side reference pixels of full frames are smoothed (near infrared)."
    )
    sigreject: float = parameter(
        4.0, "Limit beyond which side reference pixels are left out (sirs).", unit="sigma", gt=0
    )
    gaussmooth: float = parameter(
        1.0, "Width of the Gaussian low-pass filter on the kernel (sirs).", unit="rows", gt=0
    )
    halfwidth: int = parameter(
        30, "Half width of the convolution kernel (sirs).", unit="rows", ge=0
    )
    siglimit: float = parameter(
        3.0,
        "Limit beyond which reference pixels are clipped from a mean.",
        unit="sigma",
        gt=0,
    )
    precision: Literal["operational", "double"] = parameter(
        "operational",
        "Round where the operational pipeline works in single precision, or nowhere.",
    )
