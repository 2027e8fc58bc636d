"""Every installed plugin does what a plugin promises; exposures with truth are at hand."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from heliodor.errors import UsageError
from heliodor.plugins import CORE, registry
from heliodor.testing import conformance, simulated


@pytest.mark.parametrize("name", [each.name for each in registry().plugins if each.key != CORE])
def test_every_plugin_conforms(name):
    conformance(name)


def test_an_exposure_of_a_mode_with_its_truth(tmp_path):
    made = simulated("niriss-imaging", tmp_path, "--size", "64", "--ngroups", "5")
    result = heliodor.run(made.exposure, folders=made.references)
    rate = result["rate"]
    with np.load(made.truth) as truth:
        expected = truth["rate_e"] / truth["gain"]
    good = (rate.dq == 0) & np.isfinite(rate.data)
    pulls = (rate.data - expected)[good] / rate.err[good]
    assert good.mean() > 0.5
    assert 0.5 < np.median(np.abs(pulls)) / 0.6745 < 2


def test_a_mode_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'niriss-imaging'"):
        simulated("niriss-imagin", tmp_path)
