"""The modes of NIRISS, by EXP_TYPE."""

from __future__ import annotations

from heliodor.declare import Instrument, Layout, Resource

NIRISS = Instrument(
    "NIRISS",
    "NIRISS",
    providers=("heliodor-detector",),
    layout=Layout(
        full=(2048, 2048),
        outputs=4,
        planes=("ZEROFRAME",),
        joined_to_full=(
            "SUB17STRIPE_SOSS", "SUB60STRIPE_SOSS", "SUB204STRIPE_SOSS", "SUB680STRIPE_SOSS",
        ),
    ),
    simulation=Resource("heliodor_niriss", "simulation.yaml"),
    detectors=("NIS",),
)  # fmt: skip

IMAGE = ("calwebb_detector1", "calwebb_image2")
SPECTRA = ("calwebb_detector1", "calwebb_spec2", "calwebb_spec3")
TIME_SERIES = ("calwebb_detector1", "calwebb_spec2", "calwebb_tso3")

MODES = (
    NIRISS.mode("imaging", "imaging", ("NIS_IMAGE",), (*IMAGE, "calwebb_image3")),
    NIRISS.mode("wfss", "wide field slitless spectroscopy", ("NIS_WFSS",), SPECTRA),
    NIRISS.mode("soss", "single object slitless spectroscopy", ("NIS_SOSS",), TIME_SERIES),
    NIRISS.mode("ami", "aperture masking interferometry", ("NIS_AMI",), (*IMAGE, "calwebb_ami3")),
    NIRISS.mode("ta", "target acquisition", ("NIS_TACQ", "NIS_TACONFIRM"), IMAGE),
    NIRISS.mode("focus", "focus", ("NIS_FOCUS",), IMAGE),
    NIRISS.mode("lamps", "lamps and external calibration", ("NIS_LAMP", "NIS_EXTCAL"), IMAGE[:1]),
    NIRISS.mode("dark", "darks", ("NIS_DARK",), ("calwebb_dark",)),
)
