"""Median rates of ramps: exact, whether single precision would do or not."""

import numpy as np
import pytest
from heliodor.kernels import kernel
from heliodor_detector.medians import median_network
from heliodor_detector.steps.ramp_fit.rates import add_clean_rates, take_short_differences

NGROUPS, NX, WIDTH = 13, 100, 32
FIRST, LAST = 1, 11


@kernel(
    "void(f4[:,:,:,::1], i4[:,::1], b1[:,::1], f8[:,::1], f4[:,::1], f4[::1], i8[::1], f8[:,::1])"
)
def add_rates(data, network, clean, samples, short, room, wait, rates):
    for y in range(data.shape[2]):
        add_clean_rates(
            data, 0, y, FIRST, LAST, network, 2.0, clean[y], samples, short, room, wait, rates[y]
        )


def rates_of(data, clean):
    ny = data.shape[2]
    scratch = np.empty((NGROUPS - 1, WIDTH)), np.empty((NGROUPS - 1, WIDTH), np.float32)
    out = np.ones((ny, NX))
    room = np.empty(WIDTH, np.float32)
    network = median_network(LAST - FIRST)
    add_rates(data, network, clean, *scratch, room, np.zeros(1, np.int64), out)
    return out


def expected(data, clean):
    steps = np.diff(data[0, FIRST : LAST + 1].astype(np.float64), axis=0)
    return 1 + np.where(clean, np.median(steps, axis=0) / 2.0, 0)


def ramps(level, ny=7):
    rng = np.random.default_rng(3)
    steps = rng.normal(3, 50, (1, NGROUPS, ny, NX))
    return (level + steps.cumsum(axis=1)).astype(np.float32)


@pytest.mark.parametrize("level", [0, 30, 9000])
def test_medians_are_exact(level):
    data = ramps(level)
    clean = np.random.default_rng(1).random(data.shape[2:]) < 0.8
    np.testing.assert_array_equal(rates_of(data, clean), expected(data, clean))


def test_rows_of_both_kinds():
    # differences that single precision cannot hold, after many that it can
    data = np.concatenate([ramps(9000), ramps(0), ramps(9000)], axis=2)
    clean = np.ones(data.shape[2:], np.bool_)
    np.testing.assert_array_equal(rates_of(data, clean), expected(data, clean))


def test_flagged_ramps_do_not_matter():
    data = ramps(9000)
    data[0, 4, :, ::3] = np.nan
    data[0, 5, :, 1::3] = 1e-30
    clean = np.zeros(data.shape[2:], np.bool_)
    clean[:, 2::3] = True
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(rates_of(data, clean), expected(data, clean))


@kernel("b1(f4[:,:,:,::1], b1[::1], f4[:,::1], f4[::1])")
def exact(data, clean, samples, room):
    return take_short_differences(data, 0, 0, 0, 0, 1, clean, samples, room)


@pytest.mark.parametrize(
    ("earlier", "later", "sure"),
    [
        (1000.1, 1999.9, True),
        (1999.9, 1000.1, True),
        (1000.0, 2000.0, False),  # it is exact, but not for sure
        (0.001, 1000.1, False),
        (-0.3, 0.7, False),
        (-1000.1, -1500.3, False),
        (5.5, 5.5, True),
    ],
)
def test_no_difference_is_rounded_unnoticed(earlier, later, sure):
    data = np.array([earlier, later], np.float32).reshape(1, 2, 1, 1)
    samples, room = np.empty((1, 1), np.float32), np.empty(1, np.float32)
    found = exact(data, np.ones(1, np.bool_), samples, room)
    assert found == sure
    if found:
        assert samples[0, 0] == np.float64(data.flat[1]) - np.float64(data.flat[0])
