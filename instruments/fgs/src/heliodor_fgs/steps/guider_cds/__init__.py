"""Count rates of guide star exposures."""

from heliodor.declare import Output, Phase, RefNeed, StepSpec

from heliodor_fgs.modes import GUIDING

SPEC = StepSpec(
    name="guider_cds",
    summary="Make count rates of guide stars from differences of groups.",
    impl="heliodor_fgs.steps.guider_cds.step:GuiderCDS",
    params="heliodor_fgs.steps.guider_cds.params:GuiderCDSParams",
    status="S_GUICDS",
    applies=GUIDING,
    phases=(Phase("difference", looks="exposure"),),
    # stacked strips are no part of the detector: whatever there is of it will do
    refs=(RefNeed("gain", keys=("DETECTOR",)), RefNeed("readnoise", keys=("DETECTOR",))),
    makes=(Output("cal", axes="iyx", planes=2),),
    prepare_reads=(),
)
