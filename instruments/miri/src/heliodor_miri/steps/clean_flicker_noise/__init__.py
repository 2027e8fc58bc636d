"""Remove the flicker of the columns of MIRI's imager."""

from dataclasses import replace

from heliodor.declare import RefNeed
from heliodor_detector.steps.clean_flicker_noise import SPEC as SHARED

from heliodor_miri.steps import MIRI

FLAT = RefNeed(
    "flat",
    keys=("DETECTOR", "FILTER", "READPATT", "SUBARRAY"),
    optional=True,
    options=("apply_flat_field", "mask_science_regions"),
)

SPEC = replace(
    SHARED,
    summary="Remove flicker: stripes along columns of the background between groups.",
    impl="heliodor_miri.steps.clean_flicker_noise.step:MiriCleanFlickerNoise",
    applies=MIRI,
    refs=(*(need for need in SHARED.refs if need.type != "flat"), FLAT),
)
