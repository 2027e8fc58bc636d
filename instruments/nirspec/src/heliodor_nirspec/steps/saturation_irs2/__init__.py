"""Flag saturated samples between interleaved reference pixels."""

from heliodor.declare import Phase, RefNeed, StepSpec

from heliodor_nirspec.modes import IRS2

SPEC = StepSpec(
    name="saturation",
    summary="Flag saturated science pixels of IRS2 exposures with their neighbours.",
    impl="heliodor_nirspec.steps.saturation_irs2.step:Irs2Saturation",
    params="heliodor_detector.steps.saturation.params:SaturationParams",
    status="S_SATURA",
    applies=IRS2,
    phases=(
        Phase("flag", looks="ramp", writes=("groupdq",), reaches=("rows",)),
        Phase("clear_zeroframe", looks="frames", writes=("zeroframe",)),
    ),
    refs=(RefNeed("saturation", planes=3), RefNeed("superbias", optional=True)),
    sets_bits=("SATURATED", "AD_FLOOR", "DO_NOT_USE", "NO_SAT_CHECK"),
    prepare_reads=(),
)
