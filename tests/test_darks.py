"""Darks: from a raw exposure to a corrected ramp."""

from __future__ import annotations

import dataclasses

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor.documents.facts import facts
from heliodor.documents.shipped import for_exposure
from heliodor.errors import NotYetError
from heliodor.plugins import registry
from stdatamodels.jwst import datamodels


@pytest.fixture
def dark(simulated, copied):
    """A dark of NIRCam, and where its references are."""
    case = simulated(
        "nircam-imaging", size=64, nints=2, ngroups=6, without=("sources", "sky", "cosmic-rays")
    )
    return copied(case, EXP_TYPE="NRC_DARK"), case.references


def test_the_product_is_the_ramp_after_the_last_step(dark, tmp_path):
    exposure, references = dark
    done = heliodor.run(exposure, folders=references, out=tmp_path, save=True)
    assert list(done.paths) == ["dark"]
    assert done.paths["dark"].name == exposure.name.replace("uncal", "dark")
    with datamodels.open(done.paths["dark"]) as model, fits.open(exposure) as raw:
        assert type(model) is datamodels.RampModel
        assert model.meta.cal_step.linearity == "COMPLETE"
        assert model.meta.cal_step.dark_sub is None
        assert model.meta.cal_step.ramp_fit is None
        assert model.data.shape == model.groupdq.shape == raw["SCI"].shape
        assert model.pixeldq.shape == raw["SCI"].shape[-2:]


def test_no_light_is_left_but_the_dark_current(dark):
    """What the ramps rise by is the dark reference, whose frames are summed without noise."""
    exposure, references = dark
    ramp = heliodor.run(exposure, folders=references)["dark"]
    good = np.s_[4:-4, 4:-4]
    unflagged = (ramp.pixeldq == 0)[good]
    risen = (ramp.data[:, -1] - ramp.data[:, 0]).mean(axis=0)[good][unflagged]
    (path,) = references.glob("*dark*.fits")
    reference = fits.getdata(path)
    expected = (reference[ramp.data.shape[1] - 1] - reference[0])[:64, :64][good][unflagged]
    assert np.median(risen) == pytest.approx(np.median(expected), abs=1.0)


def test_a_pipeline_that_no_package_has_yet():
    mode = dataclasses.replace(registry().modes["nircam-imaging"], pipelines={1: "calwebb_tso1"})
    known = facts({"INSTRUME": "NIRCAM", "EXP_TYPE": "NRC_IMAGE"}, stage=1)
    with pytest.raises(NotYetError, match="calwebb_tso1, the pipeline of NIRCam imaging, is not"):
        for_exposure(registry(), mode, 1, known, ())
