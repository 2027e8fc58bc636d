"""Steps before superstripes are joined: each superstripe is treated like an exposure of its own."""

from __future__ import annotations

import numpy as np
import pytest
from heliodor.data import Keywords, Ramp
from heliodor.engine import execute, load
from heliodor.stripes import Stripes
from heliodor_detector.plugin import STEPS
from heliodor_detector.steps.dq_init import SPEC as DQ_INIT
from heliodor_detector.steps.group_scale import SPEC as GROUP_SCALE
from heliodor_detector.steps.ipc import SPEC as IPC
from heliodor_detector.steps.saturation import SPEC as SATURATION
from heliodor_detector.steps.superbias import SPEC as SUPERBIAS

NY, NX, NSTRIPES = 6, 9, 3
LINES = np.array([[0, 1, 20, 21, 22, 23], [0, 1, 24, 25, 26, 27], [0, 1, 28, 29, 30, 31]])
STRIPES = Stripes(-2, LINES, np.array([-1, -1, 0, 0, 0, 0]), True, (20, 12))
KEYWORDS = {
    "SUBSTRT1": 1, "SUBSTRT2": 1, "NFRAMES": 4, "FRMDIVSR": 2, "TGROUP": 1.0,
}  # fmt: skip
DETECTOR = 40


def superstripes(nints=2, ngroups=4):
    rng = np.random.default_rng(1)
    shape = (nints * NSTRIPES, ngroups, NY, NX)
    data = np.cumsum(rng.exponential(12000, shape), axis=1).astype(np.float32)
    data[rng.random(shape) < 0.02] = 0
    ramp = Ramp(
        data=data,
        groupdq=np.zeros(shape, np.uint8),
        pixeldq=np.zeros((NSTRIPES, NY, NX), np.uint32),
        keywords=Keywords(KEYWORDS),
        stripes=STRIPES,
    )
    ramp.zeroframe = data[:, 0].copy()
    return ramp


def one_of(ramp, stripe):
    """Take one superstripe as an exposure in stripes, all of whose integrations are alike."""
    lines = LINES[stripe : stripe + 1]
    return Ramp(
        data=ramp.data[stripe::NSTRIPES].copy(),
        groupdq=ramp.groupdq[stripe::NSTRIPES].copy(),
        pixeldq=ramp.pixeldq[stripe].copy(),
        keywords=Keywords(KEYWORDS),
        zeroframe=ramp.zeroframe[stripe::NSTRIPES].copy(),
        stripes=Stripes(-2, lines, STRIPES.repeats, False, STRIPES.extent),
    )


def planes():
    rng = np.random.default_rng(2)
    shape = (DETECTOR, NX)
    flags = (rng.random(shape) < 0.1).astype(np.uint32)
    return {
        "mask": {"DQ": flags},
        "saturation": {"SCI": rng.uniform(2e4, 5e4, shape).astype(np.float32), "DQ": flags << 21},
        "superbias": {"SCI": rng.normal(5e3, 1e2, shape).astype(np.float32), "DQ": flags << 4},
    }


def run(spec, ramp, make_reference, threads=1):
    needed = [need.type for need in spec.refs]
    refs = {name: make_reference(name, ramp, **planes()[name]) for name in needed}
    return execute(spec, ramp, load(spec.params)(), refs, threads=threads)


@pytest.mark.parametrize(
    "spec", [GROUP_SCALE, DQ_INIT, SATURATION, SUPERBIAS], ids=lambda s: s.name
)
@pytest.mark.parametrize("threads", [1, 3])
def test_each_superstripe_is_an_exposure(spec, threads, make_reference):
    ramp = superstripes()
    singles = [one_of(ramp, stripe) for stripe in range(NSTRIPES)]
    before = [plane.copy() for plane in (ramp.data, ramp.groupdq, ramp.pixeldq)]
    assert run(spec, ramp, make_reference, threads).status == "COMPLETE"
    for stripe, single in enumerate(singles):
        run(spec, single, make_reference)
        np.testing.assert_array_equal(ramp.data[stripe::NSTRIPES], single.data)
        np.testing.assert_array_equal(ramp.groupdq[stripe::NSTRIPES], single.groupdq)
        np.testing.assert_array_equal(ramp.zeroframe[stripe::NSTRIPES], single.zeroframe)
        np.testing.assert_array_equal(ramp.pixeldq[stripe], single.pixeldq)
    after = ramp.data, ramp.groupdq, ramp.pixeldq
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_neighbours_in_a_stripe_need_not_be_neighbours_on_the_detector(make_reference):
    ramp = superstripes()
    kernel = make_reference("ipc", ramp, SCI=np.ones((3, 3), np.float32))
    outcome = execute(IPC, ramp, load(IPC.params)(), {"ipc": kernel})
    assert outcome.status == "SKIPPED"
    assert "have other neighbours" in outcome.reason


def test_which_steps_may_come_before_superstripes_are_joined():
    names = {spec.name for spec in STEPS if spec.stripes}
    assert names == {"group_scale", "dq_init", "saturation", "ipc", "superbias", "refpix"}
