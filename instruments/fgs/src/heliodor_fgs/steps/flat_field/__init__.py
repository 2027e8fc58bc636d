"""Divide images of guide stars by the flat."""

from heliodor.declare import Phase, RefNeed, StepSpec

from heliodor_fgs.modes import GUIDING

SPEC = StepSpec(
    name="flat_field",
    summary="Divide images of guide stars by the flat.",
    impl="heliodor_fgs.steps.flat_field.step:FlatField",
    params="heliodor_fgs.steps.flat_field.params:FlatFieldParams",
    status="S_FLAT",
    applies=GUIDING,
    phases=(Phase("divide", looks="exposure"),),
    refs=(RefNeed("flat", keys=("DETECTOR",), unless="user_supplied_flat", planes=3),),
    sets_bits=("DO_NOT_USE", "NO_FLAT_FIELD", "UNRELIABLE_FLAT"),
    takes="image",
)
