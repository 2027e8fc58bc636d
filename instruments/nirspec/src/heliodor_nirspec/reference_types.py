"""What reference files hold that differ for NIRSpec, or belong to later stages."""

from __future__ import annotations

from heliodor.declare import Match, Part, ReferenceType

from heliodor_nirspec.modes import IRS2

NIRSPEC = Match({"INSTRUME": ("NIRSPEC",)})

COUNTS = ("DN", "ADU", "COUNTS")
FLAGS = ("bit", "value", "name")
WEIGHTS = tuple(f"{kind}_{n}" for n in range(4) for kind in ("alpha", "beta"))

# lines as they are read, with the interleaved reference pixels: more than the detector has
READ = Part("DQ", "rx", optional=True)

REFERENCE_TYPES = (
    ReferenceType("mask", (Part("DQ", "rx"), Part("DQ_DEF", columns=FLAGS)), IRS2),
    ReferenceType("superbias", (Part("SCI", "rx", units=COUNTS), READ), IRS2),
    ReferenceType("dark", (Part("SCI", "grx", units=COUNTS), READ), IRS2),
    ReferenceType("refpix", (Part("IRS2", columns=WEIGHTS, nan="never"),), IRS2),
    ReferenceType(
        "photom",
        (Part("PHOTOM", columns=("filter", "grating", "photmjsr|photmj", "uncertainty")),),
        NIRSPEC,
    ),
    ReferenceType("area", (Part("AREA", columns=("pixarea",)),), NIRSPEC),
    ReferenceType(
        "pathloss",
        (Part("PS", "wab"), Part("PSVAR", "wab"), Part("UNI", "w"), Part("UNIVAR", "w")),
        NIRSPEC,
    ),
    ReferenceType("disperser", (Part("gwa_tiltx"), Part("gwa_tilty"), Part("theta_x"),
                                Part("theta_y"), Part("theta_z"), Part("tilt_y")), NIRSPEC),
    *(
        ReferenceType(name, (Part("model"),), NIRSPEC)
        for name in ("camera", "collimator", "fore", "ote", "ifufore")
    ),
    ReferenceType("fpa", (Part("nrs1_model"), Part("nrs2_model")), NIRSPEC),
    ReferenceType("ifupost", tuple(Part(f"slice_{n}") for n in range(30)), NIRSPEC),
    ReferenceType("ifuslicer", (Part("data"), Part("model")), NIRSPEC),
    ReferenceType("wavecorr", (Part("apertures"),), NIRSPEC),
    ReferenceType(
        "wavelengthrange", (Part("wavelengthrange", "r"), Part("waverange_selector", "r")), NIRSPEC
    ),
)  # fmt: skip
