"""The modes of NIRSpec, by EXP_TYPE."""

from __future__ import annotations

from heliodor.declare import Instrument, Layout, Match, Resource

NIRSPEC = Instrument(
    "NIRSPEC",
    "NIRSpec",
    providers=("heliodor-detector",),
    layout=Layout(full=(2048, 2048), outputs=4),
    simulation=Resource("heliodor_nirspec", "simulation.yaml"),
    detectors=("NRS1", "NRS2"),
)

IRS2 = Match({"INSTRUME": ("NIRSPEC",), "READPATT": ("NRSIRS2", "NRSIRS2RAPID")})
"""Exposures with interleaved reference pixels, whatever their mode."""

EDGELESS = Match({"INSTRUME": ("NIRSPEC",), "SUBARRAY": ("SUB512", "SUB512S", "SUB32")})
"""Exposures that reach no edge of the detector and so have no reference pixels."""

IMAGE = ("calwebb_detector1", "calwebb_image2")
SPECTRA = ("calwebb_detector1", "calwebb_spec2", "calwebb_spec3")
TIME_SERIES = ("calwebb_detector1", "calwebb_spec2", "calwebb_tso3")
LAMP = ("calwebb_detector1", "calwebb_nrslamp-spec2")

TARGET_ACQUISITION = (
    "NRS_TACQ", "NRS_TASLIT", "NRS_TACONFIRM", "NRS_WATA", "NRS_MSATA", "NRS_CONFIRM",
)  # fmt: skip

MODES = (
    NIRSPEC.mode("fixedslit", "fixed slits", ("NRS_FIXEDSLIT",), SPECTRA),
    NIRSPEC.mode("mos", "multi-object spectroscopy", ("NRS_MSASPEC",), SPECTRA),
    NIRSPEC.mode("ifu", "integral field spectroscopy", ("NRS_IFU",), SPECTRA),
    NIRSPEC.mode("brightobj", "bright object time series", ("NRS_BRIGHTOBJ",), TIME_SERIES),
    NIRSPEC.mode("imaging", "imaging", ("NRS_IMAGE", "NRS_MIMF"), IMAGE),
    NIRSPEC.mode("ta", "target acquisition", TARGET_ACQUISITION, IMAGE),
    NIRSPEC.mode("focus", "focus and verification", ("NRS_FOCUS", "NRS_VERIFY"), IMAGE),
    NIRSPEC.mode("lamps", "lamps", ("NRS_LAMP", "NRS_AUTOWAVE", "NRS_AUTOFLAT"), LAMP),
    NIRSPEC.mode("dark", "darks", ("NRS_DARK",), ("calwebb_dark",)),
)
