"""The modes of NIRCam, by EXP_TYPE."""

from __future__ import annotations

from heliodor.declare import Instrument, Layout, Resource

NIRCAM = Instrument(
    "NIRCAM",
    "NIRCam",
    providers=("heliodor-detector",),
    layout=Layout(
        full=(2048, 2048),
        outputs=4,
        planes=("ZEROFRAME",),
        # early exposures say wrongly where they begin
        striped_from_edge=(
            "SUB41STRIPE1_DHS", "SUB82STRIPE2_DHS", "SUB164STRIPE4_DHS", "SUB260STRIPE4_DHS",
            "SUB160STRIPE4_DHS", "SUB256STRIPE4_DHS", "SUB40STRIPE1_DHS", "SUB80STRIPE2_DHS",
        ),
    ),
    simulation=Resource("heliodor_nircam", "simulation.yaml"),
    detectors=(
        "NRCA1", "NRCA2", "NRCA3", "NRCA4", "NRCALONG",
        "NRCB1", "NRCB2", "NRCB3", "NRCB4", "NRCBLONG",
    ),
)  # fmt: skip

IMAGE = ("calwebb_detector1", "calwebb_image2")
SPECTRA = ("calwebb_detector1", "calwebb_spec2", "calwebb_spec3")
TIME_SERIES = ("calwebb_detector1", "calwebb_spec2", "calwebb_tso3")

MODES = (
    NIRCAM.mode("imaging", "imaging", ("NRC_IMAGE",), (*IMAGE, "calwebb_image3")),
    NIRCAM.mode("wfss", "wide field slitless spectroscopy", ("NRC_WFSS",), SPECTRA),
    NIRCAM.mode("coron", "coronagraphy", ("NRC_CORON",), (*IMAGE, "calwebb_coron3")),
    NIRCAM.mode("tsimage", "imaging time series", ("NRC_TSIMAGE",), (*IMAGE, "calwebb_tso3")),
    NIRCAM.mode("tsgrism", "grism time series", ("NRC_TSGRISM",), TIME_SERIES),
    NIRCAM.mode("ta", "target acquisition", ("NRC_TACQ", "NRC_TACONFIRM"), IMAGE),
    NIRCAM.mode("focus", "focus", ("NRC_FOCUS",), IMAGE),
    NIRCAM.mode("lamps", "flats and lamps", ("NRC_FLAT", "NRC_LED", "NRC_GRISM"), IMAGE[:1]),
    NIRCAM.mode("dark", "darks", ("NRC_DARK",), ("calwebb_dark",)),
)
