"""Remove bias drifts with the reference pixels, as MIRI's lie."""

from dataclasses import replace

from heliodor.declare import Phase
from heliodor_detector.steps.refpix import SPEC as SHARED

from heliodor_miri.steps import MIRI

SPEC = replace(
    SHARED,
    impl="heliodor_miri.steps.refpix.step:MiriRefPix",
    applies=MIRI,
    phases=(Phase("correct", looks="frame", writes=("data",)),),
    prepare_reads=("pixeldq",),
)
