"""What the reference files of the detector stage hold."""

from __future__ import annotations

from heliodor.declare import Match, Part, ReferenceType

COUNTS = ("DN", "ADU", "COUNTS")

DQ = Part("DQ", "yx", optional=True)
FLAGS = ("bit", "value", "name")

NEAR_INFRARED = Match({"INSTRUME": ("FGS", "NIRCAM", "NIRISS", "NIRSPEC")})

REFERENCE_TYPES = (
    ReferenceType("mask", (Part("DQ", "yx"), Part("DQ_DEF", columns=FLAGS))),
    ReferenceType("saturation", (Part("SCI", "yx", units=COUNTS), DQ)),
    ReferenceType("superbias", (Part("SCI", "yx", units=COUNTS), DQ), NEAR_INFRARED),
    ReferenceType(
        "linearity", (Part("COEFFS", "cyx"), DQ, Part("INV_COEFFS", "dyx", optional=True))
    ),
    ReferenceType("dark", (Part("SCI", "gyx", units=COUNTS), DQ), NEAR_INFRARED),
    # Pixels without a gain are NaN, also in the archive's files; every step takes them as bad.
    ReferenceType("gain", (Part("SCI", "yx", nan="marks"),)),
    ReferenceType("readnoise", (Part("SCI", "yx", units=COUNTS),)),
    ReferenceType("ipc", (Part("SCI", "kk|kkyx", nan="never"),)),
    ReferenceType("flat", (Part("SCI", "yx"), Part("ERR", "yx", nan="marks", optional=True), DQ)),
    ReferenceType("pictureframe", (Part("SCI", "yx"), DQ)),
    ReferenceType("sirskernel", ()),
)
