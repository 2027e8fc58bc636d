"""What reference files hold that differ for MIRI, or belong to later stages."""

from __future__ import annotations

from heliodor.declare import Match, Part, ReferenceType

MIRI = Match({"INSTRUME": ("MIRI",)})
MRS = Match({"INSTRUME": ("MIRI",), "EXP_TYPE": ("MIR_MRS",)})
LRS = Match({"INSTRUME": ("MIRI",), "EXP_TYPE": ("MIR_LRS-FIXEDSLIT", "MIR_LRS-SLITLESS")})

COUNTS = ("DN", "ADU", "COUNTS")
DQ = Part("DQ", "yx|iyx|iuyx", optional=True)

SLITS = ("x_center", "y_center", "wavelength", *(f"{axis}{n}" for n in range(4) for axis in "xy"))

REFERENCE_TYPES = (
    ReferenceType("dark", (Part("SCI", "igyx", units=COUNTS), DQ), MIRI),
    ReferenceType("reset", (Part("SCI", "igyx", units=COUNTS), DQ), MIRI),
    ReferenceType(
        "rscd", (Part("RSCD_GROUP_SKIP", columns=("subarray", "readpatt", "group_skip")),), MIRI
    ),
    ReferenceType("emicorr", (Part("frequencies"), Part("subarray_cases")), MIRI),
    ReferenceType(
        "photom",
        (Part("PHOTOM", columns=("filter", "subarray", "photmjsr", "uncertainty")),),
        MIRI,
    ),
    ReferenceType("photom", (Part("SCI", "yx"), Part("PIXSIZ", "yx"), DQ), MRS),
    ReferenceType("pathloss", (Part("PATHLOSS", columns=("wavelength", "pathloss")),), LRS),
    ReferenceType("psfmask", (Part("SCI", "yx"),), MIRI),
    ReferenceType("area", (Part("SCI", "yx"),), MIRI),
    ReferenceType("regions", (Part("regions", "yx|cyx"),), MIRI),
    ReferenceType("distortion", (Part("model"),), MIRI),
    ReferenceType(
        "distortion",
        (
            Part("slices", "s"), Part("alpha_model", "s"), Part("beta_model", "s"),
            Part("x_model", "s"), Part("y_model", "s"), Part("abv2v3_model"), Part("bzero"),
            Part("bdel"),
        ),
        MRS,
    ),
    ReferenceType("specwcs", (Part("slices", "s"), Part("model", "s")), MRS),
    ReferenceType("specwcs", (Part("WAVETABLE", columns=SLITS),), LRS),
    ReferenceType("filteroffset", (Part("filters"),), MIRI),
    ReferenceType("abvegaoffset", (Part("abvega_offset"),), MIRI),
    ReferenceType(
        "wavelengthrange", (Part("wavelengthrange", "r"), Part("waverange_selector", "r")), MIRI
    ),
)  # fmt: skip
