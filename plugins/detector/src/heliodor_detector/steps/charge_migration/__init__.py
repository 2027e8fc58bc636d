"""Flag groups that lose charge to neighbouring pixels."""

from heliodor.declare import Note, Phase, StepSpec

SPEC = StepSpec(
    name="charge_migration",
    summary="Flag groups so bright that their charge spills into the neighbours.",
    impl="heliodor_detector.steps.charge_migration.step:ChargeMigration",
    params="heliodor_detector.steps.charge_migration.params:ChargeMigrationParams",
    status="S_CHGMIG",
    phases=(
        Phase("find", looks="ramp", notes=(Note("first", "iyx", "uint16"),)),
        Phase("flag", looks="ramp", writes=("groupdq",), reaches=("rows",)),
    ),
    sets_bits=("CHARGELOSS", "DO_NOT_USE"),
    prepare_reads=(),
)
