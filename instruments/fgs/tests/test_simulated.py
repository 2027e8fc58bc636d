"""Simulated guide star exposures, and what is found of their truth."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from heliodor.plugins import registry
from stdatamodels.jwst import datamodels

simulator = pytest.importorskip("heliodor_simulate")


@pytest.mark.parametrize(("mode", "ngroups"), [("fgs-track", 2), ("fgs-fineguide", 8)])
def test_rates_are_the_truth(mode, ngroups, tmp_path):
    """Without noise and whatever the pipeline does not correct, but for whole numbers of DN."""
    shown = {"sources", "sky", "flat"}
    made = simulator.simulate(
        registry().modes[mode], tmp_path, references=tmp_path / "references", size=24,
        ngroups=ngroups, nints=2, without=set(simulator.EFFECTS) - shown,
    )  # fmt: skip
    result = heliodor.run(made.exposure, folders=tmp_path / "references")["cal"]
    truth = np.load(made.truth)
    groups = 4 if mode == "fgs-fineguide" else 1
    expected = truth["rate_e"] / truth["gain"] * groups
    live = np.s_[4:, 4:]
    tgroup = result.meta.exposure.group_time
    for image in result.data:
        np.testing.assert_allclose(image[live], expected[live], rtol=1e-4, atol=2 / tgroup)


def test_tables_tell_of_the_brightest_star(tmp_path):
    made = simulator.simulate(registry().modes["fgs-acq"], tmp_path, ngroups=2, nints=1)
    stars = np.load(made.truth)["stars"]
    brightest = stars[np.argmax(stars["rate"])]
    with datamodels.GuiderRawModel(made.exposure) as raw:
        assert raw.planned_star_table["count_rate"] == pytest.approx(brightest["rate"])
        assert raw.centroid_table["guide_star_position_x"] == pytest.approx(brightest["x"])
        assert (raw.track_sub_table["x_size"], raw.track_sub_table["y_size"]) == (128, 128)
        assert len(raw.pointing_table) == 1
