import itertools
import logging

import numpy as np
import pytest
from heliodor.bits import PIXEL
from heliodor.engine import execute
from heliodor_detector.steps.ramp_fit import SPEC
from heliodor_detector.steps.ramp_fit.covariance import covariance_table, even_read_times
from heliodor_detector.steps.ramp_fit.params import RampFitParams

DNU, SAT, JUMP, PERS = 1, 2, 4, 32
NO_GAIN = PIXEL["NO_GAIN_VALUE"]
PLANES = ("data", "err", "var_poisson", "var_rnoise")


@pytest.fixture
def fit(make_ramp, make_reference):
    """Fit ramps of given data (nints, ngroups, ny, nx) by likelihood and return the products."""

    def run(
        data, groupdq=None, *, gain=2.0, readnoise=10.0, zeroframe=None, dark=None, pixeldq=0,
        nframes=1, gap=0, frame_time=10.0, read_times=None, threads=1, strip=64, **params,
    ):  # fmt: skip
        if zeroframe is not None:
            zeroframe = np.array(zeroframe, np.float32)
        times = {"TGROUP": (nframes + gap) * frame_time, "TFRAME": frame_time}
        ramp = make_ramp(data, groupdq, zeroframe, NFRAMES=nframes, GROUPGAP=gap, **times)
        ramp.pixeldq |= np.uint32(pixeldq)
        ramp.read_times = read_times
        if dark is not None:
            ramp.extra["AVDRKCUR"] = np.full(ramp.shape[2:], dark, np.float32)
        references = {
            name: make_reference(name, ramp, SCI=np.full(ramp.shape[2:], value, np.float32))
            for name, value in (("gain", gain), ("readnoise", readnoise))
        }
        before = ramp.data.copy(), ramp.groupdq.copy()
        given = RampFitParams(**{"algorithm": "LIKELY", **params})
        outcome = execute(SPEC, ramp, given, references, threads=threads, strip=strip)
        np.testing.assert_array_equal(ramp.data, before[0])
        np.testing.assert_array_equal(ramp.groupdq, before[1])
        return outcome.products

    return run


def one_ramp(values, flags=None):
    """Make data and flags of one integration of one pixel."""
    data = np.array(values, np.float32).reshape(1, -1, 1, 1)
    return data, np.array(np.zeros(data.size) if flags is None else flags, np.uint8).reshape(
        data.shape
    )


def pixel(product, y=0, x=0):
    return {name: plane[..., y, x].squeeze() for name, plane in product.planes.items()}


# --------------------------------------------------------------------------- the slow version


def dense_covariance(read_times):
    """Work out the covariance of the differences from that of single reads.

    Returns
    -------
    times between groups; what a read's variance is multiplied with; what photons add per second
    """
    times = np.concatenate(read_times)
    group = np.repeat(np.arange(len(read_times)), [len(reads) for reads in read_times])
    mean = (group == np.arange(len(read_times))[:, None]).astype(float)
    mean /= mean.sum(axis=1, keepdims=True)
    spacing = np.diff(mean @ times)
    differ = np.diff(mean, axis=0) / spacing[:, None]
    # two reads share the photons that came before the first of them
    photons = np.minimum(times[:, None], times)
    return spacing, differ @ differ.T, differ @ photons @ differ.T


def least_chi_squared(rates, covariance, used):
    """Fit a constant to the used values, given all their covariances."""
    inverse = np.linalg.inv(covariance[np.ix_(used, used)])
    slope = inverse.sum(axis=0) @ rates[used] / inverse.sum()
    residuals = rates[used] - slope
    return slope, residuals @ inverse @ residuals, inverse.sum(axis=0) / inverse.sum()


def slow_likely(values, flags, read_times, gain, readnoise, dark):
    """Fit one ramp by trying everything; returns slope, chi squared, variances and jumps."""
    spacing, reads, photons = dense_covariance(read_times)
    rates = np.diff(values.astype(np.float32)).astype(float) / spacing
    several = [len(times) > 1 for times in read_times]
    usable = (flags[1:] == 0) & (flags[:-1] == 0) & np.isfinite(rates)
    saturated = ((flags[1:] | flags[:-1]) & SAT) != 0
    if not usable.any():
        return (np.nan,) * 4 + ([],)
    guess = np.median(rates[~saturated & np.isfinite(rates)])
    covariance = readnoise**2 / 2 * reads + max(guess, 0) / gain * photons
    used = np.flatnonzero(usable)
    slope, chisq, _ = least_chi_squared(rates, covariance, used)
    lost = []
    while True:
        choices = []
        for left_out, threshold in itertools.chain(
            (((k,), 20.25) for k in used),
            (((k, k + 1), 23.8) for k in used if k + 1 in used and several[k + 1]),
        ):
            rest = np.setdiff1d(used, left_out)
            if rest.size:
                other, least, _ = least_chi_squared(rates, covariance, rest)
                choices.append((round(chisq - least - threshold, 6), -other, left_out))
        if not choices or max(choices)[0] <= 0:
            break
        _, slope, left_out = max(choices)
        slope = -slope
        lost += left_out
        used = np.setdiff1d(used, left_out)
        if used.size < 4:
            break
        _, chisq, _ = least_chi_squared(rates, covariance, used)
    photons = (max(slope, 0) + dark) / gain * photons
    covariance = readnoise**2 / 2 * reads + photons
    slope, chisq, weights = least_chi_squared(rates, covariance, used)
    both = np.ix_(used, used)
    return (
        slope, chisq, weights @ photons[both] @ weights,
        weights @ (readnoise**2 / 2 * reads)[both] @ weights, sorted(lost),
    )  # fmt: skip


def simulate(rng, shape, read_times, rate, gain, readnoise, hits=0.0):
    """Simulate ramps read by read; give the groups and the first reads [DN]."""
    times = np.concatenate(read_times)
    arriving = np.diff(times, prepend=0.0)[:, None, None, None] * rate * gain
    electrons = rng.poisson(np.broadcast_to(arriving, (times.size, *shape))).astype(float)
    struck = rng.random(shape) < hits
    where = rng.integers(0, times.size, shape), *np.indices(shape)
    electrons[where] += struck * 10 ** rng.uniform(1.5, 4, shape)
    reads = np.cumsum(electrons, axis=0) / gain
    reads += rng.normal(0, readnoise / np.sqrt(2), reads.shape)
    ends = np.cumsum([len(reads) for reads in read_times])[:-1]
    groups = [part.mean(axis=0) for part in np.split(reads, ends)]
    return np.stack(groups, axis=1).astype(np.float32), reads[0].astype(np.float32)


UNEVEN = np.cumsum([2.0, 1, 1, 1, 3, 1, 1, 1])[:, None] * 10
CASES = {
    "single reads": {"ngroups": 8},
    "four groups": {"ngroups": 4},
    "averages": {"ngroups": 7, "nframes": 4, "gap": 1},
    "averages and first frame": {"ngroups": 5, "nframes": 2, "gap": 3, "first_frame": True},
    "uneven": {"ngroups": 8, "read_times": UNEVEN},
}


@pytest.mark.parametrize("case", CASES)
def test_equals_a_slow_fit_that_tries_everything(fit, case):
    given = {"nframes": 1, "gap": 0, "read_times": None, **CASES[case]}
    ngroups, first_frame = given.pop("ngroups"), given.pop("first_frame", False)
    rng = np.random.default_rng(len(case))
    gain, readnoise, dark = 2.0, 10.0, 0.02
    shape = 2, 4, 50
    times = given["read_times"]
    if times is None:
        times = even_read_times(ngroups, given["nframes"], given["gap"], 10.0)
    rate = 10 ** rng.uniform(-1, 2.5, shape[1:])
    data, zero = simulate(rng, shape, times, rate, gain, readnoise, hits=0.4)
    flags = np.zeros(data.shape, np.uint8)
    for bit, chance in ((DNU, 0.02), (JUMP, 0.03), (PERS, 0.01)):
        flags[rng.random(flags.shape) < chance] |= bit
    full = np.where(rng.random((2, 1, 4, 50)) < 0.2, rng.integers(0, ngroups), ngroups)
    flags[np.arange(ngroups)[:, None, None] >= full] |= SAT
    data[rng.random(data.shape) < 0.003] = np.nan
    products = fit(
        data, flags, gain=gain, readnoise=readnoise, dark=dark, save_opt=True,
        zeroframe=zero if first_frame else None, **given,
    )  # fmt: skip
    chisq = np.zeros(shape[1:])
    jumps = 0
    for i, y, x in np.ndindex(shape):
        values, dq = data[i, :, y, x], flags[i, :, y, x]
        reads = list(times)
        if first_frame:
            nframes = given["nframes"]
            rest = (values[0] * nframes - zero[i, y, x]) / (nframes - 1)
            values = np.array([zero[i, y, x], rest, *values[1:]])
            dq, reads = np.array([dq[0], *dq]), [reads[0][:1], reads[0][1:], *reads[1:]]
        slope, squares, var_p, var_r, lost = slow_likely(values, dq, reads, gain, readnoise, dark)
        found = pixel(products["rateints"], y, x)
        expected = slope, np.sqrt(var_p + var_r), var_p, var_r
        np.testing.assert_allclose(
            [found[name][i] for name in PLANES], expected, rtol=2e-6, atol=1e-9
        )
        everything = np.bitwise_or.reduce(dq) & (SAT | JUMP)
        unusable = DNU if (dq & (SAT | DNU)).astype(bool).all() else 0
        assert found["dq"][i] == everything | unusable | (JUMP if lost else 0)
        chisq[y, x] += squares
        jumps += bool(lost)
    np.testing.assert_allclose(products["likely_chisq"].planes["data"], chisq, rtol=1e-4, atol=1e-5)
    assert jumps > 40


@pytest.mark.parametrize("case", CASES)
def test_table_holds_the_covariance_of_the_differences(case):
    given = CASES[case]
    times = given.get("read_times")
    if times is None:
        times = even_read_times(given["ngroups"], given.get("nframes", 1), given.get("gap", 0), 10)
    spacing, reads, photons = dense_covariance(times)
    table = covariance_table(times)
    expected = [
        spacing, reads.diagonal(), photons.diagonal(),
        [0, *reads.diagonal(1)], [0, *photons.diagonal(1)],
    ]  # fmt: skip
    np.testing.assert_allclose(table[:5], expected, rtol=1e-12, atol=1e-15)
    assert (table[5, 1:] == (given.get("nframes", 1) > 1)).all()


# --------------------------------------------------------------------------- known answers


def test_read_noise_alone_is_least_squares(fit):
    values = 100 + 2.0 * np.array([0, 11, 19, 31, 40])
    data, _ = one_ramp(values)
    found = pixel(fit(data, gain=1e12)["rate"])
    assert found["data"] == pytest.approx(np.polyfit(np.arange(5) * 10, values, 1)[0], rel=1e-6)
    assert found["var_rnoise"] == pytest.approx(12 * 50 / (100 * (5**3 - 5)), rel=1e-6)


def test_photon_noise_alone_is_last_minus_first(fit):
    data, _ = one_ramp([0.0, 11, 19, 31, 40])
    products = fit(data, readnoise=0.0, dark=0.25)
    found = pixel(products["rate"])
    assert found["data"] == pytest.approx(1.0, rel=1e-6)
    assert found["var_poisson"] == pytest.approx(1.25 / (2 * 40), rel=1e-6)
    assert found["var_rnoise"] == 0
    assert found == {name: value for name, value in pixel(products["rateints"]).items()}
    assert set(products) == {"rate", "rateints"}


def test_values_equal_to_the_times_of_uneven_reads_have_slope_one(fit, caplog):
    data, _ = one_ramp(UNEVEN)
    with caplog.at_level(logging.WARNING):
        found = pixel(fit(data, read_times=UNEVEN, algorithm="OLS_C")["rate"])
    assert found["data"] == pytest.approx(1.0, rel=1e-6)
    assert "even" in caplog.text


def test_a_jump_is_left_out(fit):
    data, _ = one_ramp([0.0, 20, 40, 560, 580, 600])
    products = fit(data)
    for kind in ("rate", "rateints"):
        found = pixel(products[kind])
        assert found["data"] == pytest.approx(2.0, rel=1e-6)
        assert found["dq"] == JUMP


def test_a_jump_inside_an_average_takes_both_differences(fit):
    # it came when half of the third group's frames had been read
    data, _ = one_ramp([0.0, 100, 200 + 250, 300 + 500, 400 + 500, 500 + 500])
    found = pixel(fit(data, nframes=4, gap=1)["rate"])
    assert found["data"] == pytest.approx(2.0, rel=1e-6)
    assert found["dq"] == JUMP


@pytest.mark.parametrize("values", [[0.0, 20, 540], [0.0, 520, 540]])
def test_of_two_differences_the_lower_is_kept(fit, values):
    # chi squared falls to 0 without either
    data, flags = one_ramp([*values, 600, 600], [0, 0, 0, SAT, SAT])
    found = pixel(fit(data, flags)["rate"])
    assert found["data"] == pytest.approx(2.0, rel=1e-6)
    assert found["dq"] == SAT | JUMP


def test_saturated_groups_do_not_lower_the_guess(fit):
    rng = np.random.default_rng(3)
    times = even_read_times(10, 1, 0, 10.0)
    data, _ = simulate(rng, (1, 20, 200), times, 700.0, 2.0, 10.0)
    flags = np.zeros(data.shape, np.uint8)
    flags[:, 4:] = SAT
    data[:, 4:] = 30_000
    rate = fit(data, flags)["rate"].planes
    assert (rate["dq"] & JUMP == 0).all()
    # as in operations the noise of photons is unknown then: nearly every ramp seems to jump
    with_saturated = fit(data, flags, likely_as_jwst=True)["rate"].planes
    assert (with_saturated["dq"] & JUMP != 0).mean() > 0.5


def test_integrations_are_weighted_as_if_they_had_one_rate(fit):
    steps = np.arange(6.0)
    data = np.array([20 * steps, 30 * steps, 25 * steps]).reshape(3, 6, 1, 1)
    flags = np.zeros(data.shape, np.uint8)
    flags[0, 3:] = DNU
    products = fit(data, flags)
    rate, ints = pixel(products["rate"]), pixel(products["rateints"])
    assert ints["data"].tolist() == pytest.approx([2.0, 3.0, 2.5], rel=1e-6)
    assert rate["dq"] == 0
    slope = 2.5
    for _ in range(2):
        photons = ints["var_poisson"] * slope / ints["data"]
        weights = 1 / (photons + ints["var_rnoise"])
        weights /= weights.sum()
        slope = weights @ ints["data"]
    assert rate["data"] == pytest.approx(slope, rel=1e-6)
    assert rate["var_poisson"] == pytest.approx(weights**2 @ photons, rel=1e-6)
    assert rate["var_rnoise"] == pytest.approx(weights**2 @ ints["var_rnoise"], rel=1e-6)
    assert rate["err"] == pytest.approx(np.sqrt(rate["var_poisson"] + rate["var_rnoise"]))


# --------------------------------------------------------------------------- data quality


@pytest.mark.parametrize(
    ("flags", "int_dq", "rate_dq", "valid"),
    [
        ([[0, 0, 0, 0, 0], [0, 0, 0, JUMP, 0]], [0, JUMP], JUMP, [True, True]),
        ([[0, 0, SAT, SAT, SAT], [0] * 5], [SAT, 0], SAT, [True, True]),
        ([[0, SAT, SAT, SAT, SAT], [0] * 5], [SAT, 0], SAT, [False, True]),
        ([[SAT] * 5, [0] * 5], [SAT | DNU, 0], SAT, [False, True]),
        ([[DNU] * 5, [SAT] * 5], [DNU, SAT | DNU], SAT | DNU, [False, False]),
        ([[0, PERS, PERS, 0, 0], [0, 0, PERS, 0, 0]], [0, 0], 0, [True, True]),
        ([[JUMP] * 5, [0] * 5], [JUMP, 0], JUMP, [False, True]),
    ],
)
def test_flags_of_groups_become_flags_of_slopes(fit, flags, int_dq, rate_dq, valid):
    data = 20 * np.arange(5.0).reshape(1, 5, 1, 1).repeat(2, axis=0).repeat(2, axis=3)
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[:, :, 0, 0] = flags
    products = fit(data, groupdq, save_opt=True)
    rate, ints = pixel(products["rate"]), pixel(products["rateints"])
    assert ints["dq"].tolist() == int_dq
    assert rate["dq"] == rate_dq
    for name in PLANES:
        assert np.isfinite(ints[name]).tolist() == valid
        assert np.isfinite(rate[name]) == any(valid)
    assert np.isfinite(pixel(products["likely_chisq"])["data"]) == all(valid)
    assert products["likely_chisq"].model == "ImageModel"
    assert pixel(products["rate"], x=1)["dq"] == 0


def test_bad_pixels_are_fitted_and_keep_their_flags(fit):
    found = pixel(fit(one_ramp([0.0, 20, 40, 60])[0], pixeldq=DNU | 2**16)["rate"])
    assert found["dq"] == DNU | 2**16
    assert found["data"] == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("gain", [0.0, -1.0, np.nan])
def test_pixels_without_gain(fit, gain):
    found = pixel(fit(one_ramp([0.0, 20, 40, 60])[0], gain=gain)["rate"])
    assert found["dq"] == DNU | NO_GAIN
    assert np.isnan(found["data"])


@pytest.mark.parametrize(
    ("slope", "readnoise", "valid"), [(20.0, 0.0, True), (0.0, 0.0, False), (20.0, np.nan, False)]
)
def test_read_noise_of_zero_or_unknown(fit, slope, readnoise, valid):
    found = pixel(fit(one_ramp(slope * np.arange(5))[0], readnoise=readnoise)["rate"])
    assert np.isfinite(found["data"]) == valid
    assert found["dq"] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_a_number_is_left_out(fit, value):
    data, _ = one_ramp([0.0, 20, 40, value, 80, 100])
    found = pixel(fit(data)["rate"])
    assert found["data"] == pytest.approx(2.0, rel=1e-6)
    assert found["dq"] == 0


def test_everything_saturated_gives_flags_and_no_slopes(fit):
    data = np.zeros((2, 5, 3, 4))
    rate = fit(data, np.full(data.shape, SAT, np.uint8))["rate"].planes
    assert (rate["dq"] == SAT | DNU).all()
    assert np.isnan(rate["data"]).all()


def test_first_and_last_group(fit):
    data, flags = one_ramp([-300.0, 20, 40, 60, 80, 900])
    found = pixel(fit(data, firstgroup=1, lastgroup=4)["rate"])
    flags[0, [0, 5]] = DNU
    assert found == pixel(fit(data, flags)["rate"])
    assert found["data"] == pytest.approx(2.0, rel=1e-6)


def test_too_few_groups_are_fitted_by_least_squares(fit):
    data, _ = one_ramp([0.0, 10, 25])
    assert pixel(fit(data)["rate"]) == pixel(fit(data, algorithm="OLS_C")["rate"])
    assert set(fit(data, save_opt=True)) == {"rate", "rateints", "fitopt"}


# --------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("nframes", [1, 4])
@pytest.mark.parametrize("rate", [0.1, 3.0, 300.0])
def test_pulls_and_chi_squared_are_distributed_as_they_should(fit, rate, nframes):
    rng = np.random.default_rng(9)
    ngroups, gain, readnoise = 10, 2.0, 10.0
    times = even_read_times(ngroups, nframes, 1, 10.0)
    data, _ = simulate(rng, (1, 100, 200), times, rate, gain, readnoise)
    products = fit(data, gain=gain, readnoise=readnoise, nframes=nframes, gap=1, save_opt=True)
    planes = products["rate"].planes
    good = planes["dq"] == 0
    assert good.mean() > 0.999
    pulls = ((planes["data"] - rate) / planes["err"])[good]
    assert abs(np.median(pulls)) < 0.05
    width = np.diff(np.percentile(pulls, [15.865, 84.135]))[0] / 2
    assert width == pytest.approx(1.0, abs=0.025)
    freedom = ngroups - 2
    chisq = products["likely_chisq"].planes["data"][good]
    assert chisq.mean() == pytest.approx(freedom, rel=0.02)
    assert chisq.var() == pytest.approx(2 * freedom, rel=0.06)


def test_result_depends_on_neither_strips_nor_threads(fit):
    rng = np.random.default_rng(5)
    shape = 3, 23, 600
    times = even_read_times(6, 2, 0, 10.0)
    data, zero = simulate(rng, shape, times, 20.0, 2.0, 10.0, hits=0.3)
    flags = np.where(rng.random(data.shape) < 0.1, DNU, 0).astype(np.uint8)
    given = {"nframes": 2, "zeroframe": zero, "save_opt": True}
    whole = fit(data, flags, **given)
    parts = fit(data, flags, **given, strip=3, threads=3)
    for kind, product in whole.items():
        for name, plane in product.planes.items():
            np.testing.assert_array_equal(plane, parts[kind].planes[name])
