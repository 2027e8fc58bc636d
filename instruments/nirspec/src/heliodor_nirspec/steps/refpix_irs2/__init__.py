"""Remove bias drifts with interleaved reference pixels."""

from heliodor.declare import Note, Phase, RefNeed, StepSpec

from heliodor_nirspec.modes import IRS2

SPEC = StepSpec(
    name="refpix",
    summary="Remove bias drifts and correlated noise with interleaved reference pixels (IRS2).",
    impl="heliodor_nirspec.steps.refpix_irs2.step:Irs2RefPix",
    params="heliodor_nirspec.steps.refpix_irs2.params:Irs2RefPixParams",
    status="S_REFPIX",
    applies=IRS2,
    phases=(
        Phase("repair", looks="frame", writes=("data", "zeroframe")),
        Phase("centre", looks="ramp", writes=("data",), notes=(Note("average", "iyx", "float64"),)),
        Phase("correct", looks="frame", writes=("data", "zeroframe")),
    ),
    # weights, the table they are made from, and the sequences that two threads work on
    refs=(RefNeed("refpix", keys=("DETECTOR", "READPATT"), planes=11),),
    sets_bits=("BAD_REF_PIXEL", "DO_NOT_USE"),
    reshapes=True,
    prepare_reads=("data", "pixeldq"),
)
