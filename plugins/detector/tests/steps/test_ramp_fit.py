import numpy as np
import pytest
from heliodor.bits import PIXEL
from heliodor.engine import execute
from heliodor_detector.steps.ramp_fit import SPEC
from heliodor_detector.steps.ramp_fit.params import RampFitParams
from heliodor_detector.steps.ramp_fit.step import unflagged_groups
from heliodor_detector.steps.ramp_fit.weights import POWERS, pair_table, weight_table

DNU, SAT, JUMP, PERS, CHARGELOSS = 1, 2, 4, 32, 128
NO_GAIN = PIXEL["NO_GAIN_VALUE"]
TGROUP = 10.0
CLOCK = {"TGROUP": TGROUP, "TFRAME": 10.0, "NFRAMES": 1, "GROUPGAP": 0}


@pytest.fixture
def fit(make_ramp, make_reference):
    """Fit ramps of given data (nints, ngroups, ny, nx) and return the products."""

    def run(
        data, groupdq=None, *, gain=2.0, readnoise=10.0, zeroframe=None, dark=None, pixeldq=0,
        keywords=None, threads=1, strip=64, header=(), **params,
    ):  # fmt: skip
        if zeroframe is not None:
            zeroframe = np.array(zeroframe, np.float32)
        ramp = make_ramp(data, groupdq, zeroframe, **{**CLOCK, **(keywords or {})})
        ramp.pixeldq |= np.uint32(pixeldq)
        if dark is not None:
            ramp.extra["AVDRKCUR"] = np.full(ramp.shape[2:], dark, np.float32)
        references = {
            name: make_reference(name, ramp, header, SCI=np.full(ramp.shape[2:], value, np.float32))
            for name, value in (("gain", gain), ("readnoise", readnoise))
        }
        before = ramp.data.copy(), ramp.groupdq.copy()
        outcome = execute(
            SPEC, ramp, RampFitParams(**params), references, threads=threads, strip=strip
        )
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


def noise_of(gain, readnoise, nframes=1):
    return readnoise * gain / np.sqrt(2 * nframes)


# --------------------------------------------------------------------------- known answers


def test_ramp_without_flags(fit):
    data, _ = one_ramp(100 + 30.0 * np.arange(5))
    products = fit(data)
    noise = noise_of(2, 10)
    var_r = 12 * (noise / TGROUP) ** 2 / ((5**3 - 5) * 2**2)
    var_p = 3.0 / (TGROUP * 2 * 4)
    for kind in ("rate", "rateints"):
        found = pixel(products[kind])
        assert found["data"] == pytest.approx(3.0, rel=1e-6)
        assert found["var_rnoise"] == pytest.approx(var_r, rel=1e-6)
        assert found["var_poisson"] == pytest.approx(var_p, rel=1e-6)
        assert found["err"] == pytest.approx(np.sqrt(var_r + var_p), rel=1e-6)
        assert found["dq"] == 0
    assert products["rate"].planes["data"].shape == (1, 1)
    assert products["rateints"].planes["data"].shape == (1, 1, 1)
    assert (products["rate"].model, products["rateints"].model) == ("ImageModel", "CubeModel")
    assert products["rate"].unit == "DN/s"
    assert "fitopt" not in products


def test_segments_are_weighted_by_read_noise(fit):
    # slopes 10 and 20 DN/group on both sides of a jump, 4 and 3 groups long
    values = [0, 10, 20, 30, 530, 550, 570]
    data, flags = one_ramp(values, [0, 0, 0, 0, JUMP, 0, 0])
    found = pixel(fit(data, flags)["rate"])
    weights = np.array([4**3 - 4, 3**3 - 3])
    assert found["data"] == pytest.approx((weights * [1.0, 2.0]).sum() / weights.sum(), rel=1e-6)
    assert found["var_rnoise"] == pytest.approx(
        12 * (noise_of(2, 10) / TGROUP) ** 2 / (weights.sum() * 4), rel=1e-6
    )
    # median of the differences 10 10 10 20 20 is 10; 3 and 2 intervals
    assert found["var_poisson"] == pytest.approx(1.0 / (TGROUP * 2 * (3 + 2)), rel=1e-6)
    assert found["dq"] == JUMP


def test_r16_power_of_the_weights_comes_from_the_segment_itself(fit):
    # curved, so that weights matter; the first segment is faint, the second bright
    first = np.array([0.0, 5, 12, 21, 32])
    second = 5000 + 800 * np.array([0.0, 1, 2.3, 3.9, 6.0])
    data, flags = one_ramp([*first, *second], [0] * 5 + [JUMP] + [0] * 4)
    noise = noise_of(2, 10)
    slopes = []
    for segment in (first, second):
        signal = (segment[-1] - segment[0]) * 2
        snr = signal / np.sqrt(noise**2 + signal)
        power = POWERS[np.searchsorted([5, 10, 20, 50, 100], snr, side="right")]
        assert power == (0 if segment is first else 6)
        weights = np.abs((np.arange(5) - 2) / 2) ** power
        slopes.append(np.polyfit(np.arange(5), segment, 1, w=np.sqrt(weights))[0] / TGROUP)
    assert pixel(fit(data, flags)["rate"])["data"] == pytest.approx(np.mean(slopes), rel=1e-6)


@pytest.mark.parametrize(
    ("suppress", "zeroframe", "time"),
    [(False, None, 25.0), (False, 60.0, 25.0), (True, 60.0, None)],
)
def test_r17_time_of_a_lone_first_group(fit, suppress, zeroframe, time):
    data, flags = one_ramp([100.0, 200, 300], [0, SAT, SAT])
    zero = None if zeroframe is None else [[[zeroframe]]]
    found = pixel(
        fit(
            data, flags, zeroframe=zero, keywords={"NFRAMES": 4, "TGROUP": 40.0},
            suppress_one_group=suppress,
        )["rate"]
    )  # fmt: skip
    if time is None:
        assert np.isnan(found["data"])
        assert found["dq"] == DNU | SAT
    else:
        assert found["data"] == pytest.approx(100 / time, rel=1e-6)
        assert found["dq"] == SAT
        noise = noise_of(2, 10, nframes=4)
        assert found["var_rnoise"] == pytest.approx(12 * (noise / time) ** 2 / (6 * 4), rel=1e-6)
        assert found["var_poisson"] == pytest.approx(100 / time / (time * 2), rel=1e-6)


def test_r17_first_frame_of_saturated_ramps(fit):
    data = np.full((2, 3, 1, 2), 5e4)
    flags = np.full(data.shape, SAT, np.uint8)
    flags[0, :, 0, 1] = [0, 0, SAT]  # or there would be nothing to do
    data[0, :, 0, 1] = [10, 20, 30]
    zero = np.array([[[70.0, 0.0]], [[0.0, 0.0]]])
    products = fit(data, flags, zeroframe=zero, suppress_one_group=False)
    found = pixel(products["rateints"])
    assert found["data"][0] == pytest.approx(70 / CLOCK["TFRAME"], rel=1e-6)
    assert found["dq"].tolist() == [SAT, SAT | DNU]
    assert np.isnan(found["data"][1])
    assert pixel(products["rate"])["data"] == found["data"][0]


def test_one_group_exposures_are_never_suppressed(fit):
    found = pixel(fit(one_ramp([80.0])[0])["rate"])
    assert found["data"] == pytest.approx(80 / 10.0, rel=1e-6)
    assert found["dq"] == 0


def test_dark_current_adds_to_the_poisson_variance(fit):
    data, _ = one_ramp([0.0, 20, 40])
    assert pixel(fit(data, dark=0.5)["rate"])["var_poisson"] == pytest.approx(
        2.5 / (TGROUP * 2 * 2), rel=1e-6
    )
    falling, _ = one_ramp([40.0, 20, 0])
    assert pixel(fit(falling, dark=0.5)["rate"])["var_poisson"] == pytest.approx(
        0.5 / (TGROUP * 2 * 2), rel=1e-6
    )
    assert pixel(fit(falling)["rate"])["var_poisson"] == 0


def test_lost_groups_count_for_read_noise_again(fit):
    flags = [0, 0, 0, CHARGELOSS | DNU, CHARGELOSS | DNU]
    data, flags = one_ramp([0.0, 20, 40, 55, 60], flags)
    products = fit(data, flags)
    for kind in ("rate", "rateints"):
        found = pixel(products[kind])
        assert found["data"] == pytest.approx(2.0, rel=1e-6)
        assert found["var_rnoise"] == pytest.approx(
            12 * (noise_of(2, 10) / TGROUP) ** 2 / ((5**3 - 5) * 4), rel=1e-6
        )
        assert found["var_poisson"] == pytest.approx(2 / (TGROUP * 2 * 2), rel=1e-6)


def test_variance_too_large_to_be_known(fit):
    data, _ = one_ramp([0.0, 20, 40])
    found = pixel(fit(data, readnoise=1e6)["rate"])
    assert found["var_rnoise"] == 0
    assert found["data"] == 0
    assert np.isfinite(found["err"])


@pytest.mark.parametrize(
    ("values", "flags", "slope", "lengths"),
    [
        # jumps at the end leave groups alone, which are dropped
        ([10, 15, 20, 145], [0, 0, 0, JUMP], 5, [3]),
        ([10, 15, 25, 145], [0, 0, JUMP, JUMP], 5, [2]),
        # one at the beginning leaves the first group alone, as does a saturated end
        ([10, 125, 145, 165], [0, JUMP, 0, 0], 20, [3]),
        ([10, 20, 500, 0], [0, 0, JUMP, SAT], 10, [2]),
        # nothing but the first group: its value, since the reset
        ([10, 15, 25, 145], [0, JUMP, JUMP, JUMP], 10, [1]),
        # a jump counts as the begin of the next segment, also after a group that is not used
        ([10, 20, 0, 300, 320, 340], [0, 0, DNU, JUMP, 0, 0], (6 * 10 + 24 * 20) / 30, [2, 3]),
        # no group is good, but not all are bad either
        ([10, 15, 25, 145], [JUMP] * 4, 0, []),
    ],
)
def test_jumps_leave_segments(fit, values, flags, slope, lengths):
    found = pixel(fit(*one_ramp(values, flags), suppress_one_group=False)["rate"])
    time = TGROUP if lengths != [1] else CLOCK["TFRAME"]
    assert found["data"] == pytest.approx(slope / time, rel=1e-6)
    assert found["dq"] == np.bitwise_or.reduce(flags) & ~DNU
    cubes = sum(length**3 - length if length > 1 else 6 for length in lengths)
    expected = 12 * (noise_of(2, 10) / TGROUP) ** 2 / (cubes * 4) if lengths else 0
    assert found["var_rnoise"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_ramps_without_light_or_values_have_slope_zero(fit, value):
    products = fit(np.full((2, 5, 1, 1), value))
    for kind in ("rate", "rateints"):
        found = pixel(products[kind])
        assert (found["data"] == 0).all()
        assert (found["var_poisson"] == 0).all()
        assert (found["dq"] == 0).all()


def test_bad_groups_at_both_ends_do_not_matter(fit):
    data, flags = one_ramp([-300, 80, 90, 100, 110, -600], [DNU, 0, 0, 0, 0, DNU])
    ends, none = pixel(fit(data, flags)["rate"]), pixel(fit(data[:, 1:5])["rate"])
    assert ends == none
    assert ends["data"] == pytest.approx(1.0, rel=1e-6)


# --------------------------------------------------------------------------- data quality


@pytest.mark.parametrize(
    ("flags", "int_dq", "rate_dq", "valid"),
    [
        ([[0, 0, 0, 0], [0, 0, JUMP, 0]], [0, JUMP], JUMP, True),
        ([[0, 0, SAT, SAT], [0, 0, 0, 0]], [SAT, 0], SAT, True),
        ([[SAT] * 4, [0] * 4], [SAT | DNU, 0], SAT, True),
        ([[SAT] * 4, [DNU] * 4], [SAT | DNU, DNU], SAT | DNU, False),
        ([[DNU] * 4, [0] * 4], [DNU, 0], 0, True),
        ([[DNU] * 4, [DNU] * 4], [DNU, DNU], DNU, False),
        ([[0, PERS, PERS, 0], [0] * 4], [PERS, 0], PERS, True),
        ([[SAT, 0, 0, 0], [SAT, 0, 0, 0]], [SAT | DNU] * 2, SAT | DNU, False),
        ([[0, DNU, DNU, DNU], [0] * 4], [DNU, 0], 0, True),
        ([[DNU, DNU | SAT, 0, JUMP], [JUMP, JUMP, JUMP, JUMP]], [SAT | JUMP | DNU, JUMP],
         SAT | JUMP, True),
    ],
)  # fmt: skip
def test_flags_of_groups_become_flags_of_slopes(fit, flags, int_dq, rate_dq, valid):
    data = np.arange(8.0).reshape(2, 4, 1, 1).repeat(2, axis=3)
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[:, :, 0, 0] = flags
    products = fit(data, groupdq)
    rate, rateints = pixel(products["rate"]), pixel(products["rateints"])
    assert rateints["dq"].tolist() == int_dq
    assert rate["dq"] == rate_dq
    assert np.isfinite(rate["data"]) == valid
    for i in range(2):
        if int_dq[i] & DNU:
            assert np.isnan(rateints["data"][i])
            assert rateints["err"][i] == rateints["var_poisson"][i] == 0
    if not valid:
        assert rate["err"] == rate["var_poisson"] == rate["var_rnoise"] == 0
    assert pixel(products["rate"], x=1)["dq"] == 0


@pytest.mark.parametrize("gain", [0.0, -1.0, np.nan])
def test_pixels_without_gain(fit, gain):
    found = pixel(fit(one_ramp([0.0, 1, 2])[0], gain=gain)["rate"])
    assert found["dq"] == DNU | NO_GAIN
    assert np.isnan(found["data"])


def test_bad_pixels_keep_their_flags(fit):
    products = fit(one_ramp([0.0, 1, 2])[0], pixeldq=DNU | 2**16)
    for kind in ("rate", "rateints"):
        found = pixel(products[kind])
        assert found["dq"] == DNU | 2**16
        assert np.isnan(found["data"])
        assert found["var_rnoise"] == 0


def test_a_value_that_is_not_a_number(fit):
    data, _ = one_ramp([0.0, np.nan, 20, 30])
    # it counts as 0 in the fit, and not at all in the median
    found = pixel(fit(data, readnoise=100)["rate"])
    expected = np.polyfit(np.arange(4), [0, 0, 20, 30], 1)[0] / TGROUP
    assert found["data"] == pytest.approx(expected, rel=1e-6)
    assert found["var_poisson"] == pytest.approx(1 / (TGROUP * 2 * 3), rel=1e-6)


def test_nothing_to_fit_when_everything_is_saturated(make_ramp):
    ramp = make_ramp(np.zeros((2, 3, 4, 4)), np.full((2, 3, 4, 4), SAT, np.uint8), **CLOCK)
    outcome = execute(SPEC, ramp, RampFitParams(), {})
    assert outcome.status == "SKIPPED"
    assert "saturated" in outcome.reason
    assert outcome.products == {}


# --------------------------------------------------------------------------- parameters


def test_first_and_last_group(fit):
    data, flags = one_ramp([0.0, 100, 110, 120, 130, 500])
    found = pixel(fit(data, firstgroup=1, lastgroup=4)["rate"])
    flags[0, [0, 5]] = DNU
    assert found == pixel(fit(data, flags)["rate"])
    assert found["data"] == pytest.approx(1.0, rel=1e-6)
    everything = pixel(fit(data)["rate"])
    assert pixel(fit(data, firstgroup=4, lastgroup=2)["rate"]) == everything
    assert pixel(fit(data, firstgroup=-3, lastgroup=9)["rate"]) == everything
    assert np.isnan(pixel(fit(data, firstgroup=8, lastgroup=9)["rate"])["data"])
    single, _ = one_ramp([80.0])
    assert pixel(fit(single, firstgroup=2)["rate"]) == pixel(fit(single)["rate"])


def test_algorithms(fit):
    data, _ = one_ramp([0.0, 10, 20, 40])
    assert pixel(fit(data, algorithm="OLS")["rate"]) == pixel(fit(data)["rate"])
    likely, squares = pixel(fit(data, algorithm="LIKELY")["rate"]), pixel(fit(data)["rate"])
    assert likely["data"] != squares["data"]
    # of three groups the operational pipeline makes a least-squares fit in any case
    short, _ = one_ramp([0.0, 10, 20])
    assert pixel(fit(short, algorithm="LIKELY")["rate"]) == pixel(fit(short)["rate"])


def test_gain_factor_goes_into_the_products(fit):
    products = fit(one_ramp([0.0, 1, 2])[0], header={"GAINFACT": 1.25})
    assert all(product.keywords["GAINFACT"] == 1.25 for product in products.values())


@pytest.mark.parametrize(
    ("keywords", "model"),
    [
        ({"EXP_TYPE": "NRS_IFU"}, "IFUImageModel"),
        ({"EXP_TYPE": "NRS_LAMP", "OPMODE": "IFU"}, "IFUImageModel"),
        ({"EXP_TYPE": "NRS_LAMP", "OPMODE": "FIXEDSLIT"}, "ImageModel"),
    ],
)
def test_integral_field_units_have_a_model_of_their_own(fit, keywords, model):
    assert fit(one_ramp([0.0, 1])[0], keywords=keywords)["rate"].model == model


# --------------------------------------------------------------------------- fits of segments


def test_optional_product(fit):
    values = [100.0, 110, 120, 130, 530, 550, 0, 0]
    data, flags = one_ramp(values, [0, 0, 0, 0, JUMP, 0, DNU, DNU])
    products = fit(data, flags, save_opt=True, keywords={"DRPFRMS1": 1})
    noise = noise_of(2, 10)
    found = pixel(products["fitopt"])
    assert products["fitopt"].model == "RampFitOutputModel"
    assert products["fitopt"].planes["slope"].shape == (1, 2, 1, 1)
    assert found["slope"].tolist() == pytest.approx([1.0, 2.0], rel=1e-6)
    line = np.array([noise * np.sqrt(1 / 5), noise * np.sqrt(2)])
    assert found["sigslope"] == pytest.approx(line, rel=1e-6)
    assert found["yint"] == pytest.approx([100, 530 * 5 - 550 * 4], rel=1e-6)
    assert found["sigyint"] == pytest.approx([noise * np.sqrt(14 / 20), line[1]], rel=1e-6)
    assert found["var_poisson"] == pytest.approx([1 / (20 * 3), 1 / 20], rel=1e-6)
    assert found["weights"] == pytest.approx(1 / found["var_rnoise"], rel=1e-6)
    assert found["crmag"] == 400
    slope = pixel(products["rateints"])["data"]
    assert found["pedestal"] == pytest.approx(100 - 2 * TGROUP * slope, rel=1e-6)
    theirs = fit(data, flags, save_opt=True, pedestal_as_jwst=True, keywords={"DRPFRMS1": 1})[
        "fitopt"
    ]
    assert pixel(theirs)["pedestal"] == pytest.approx(100 - 2 * slope, rel=1e-6)


def test_optional_product_of_ramps_that_cannot_be_fitted(fit):
    data = np.ones((1, 3, 1, 3))
    flags = np.zeros(data.shape, np.uint8)
    flags[0, :, 0, 0] = SAT
    flags[0, :, 0, 1] = [DNU, DNU, 0]
    planes = fit(data, flags, save_opt=True)["fitopt"].planes
    assert planes["crmag"].shape == (1, 0, 1, 3)
    for name in ("slope", "var_rnoise", "weights", "pedestal"):
        assert (planes[name][..., :2] == 0).all()
    lone = fit(data, flags, save_opt=True, suppress_one_group=False)["fitopt"].planes
    assert lone["slope"][0, 0, 0, 1] == pytest.approx(1 / TGROUP, rel=1e-6)
    assert lone["sigslope"][0, 0, 0, 1] == lone["yint"][0, 0, 0, 1] == 0


# --------------------------------------------------------------------------- random ramps


def random_exposure(seed, nints=3, ngroups=8, ny=12, nx=70):
    rng = np.random.default_rng(seed)
    shape = (nints, ngroups, ny, nx)
    rates = 10 ** rng.uniform(-0.5, 3.5, (ny, nx))
    data = np.cumsum(rng.poisson(rates * TGROUP * 2, shape) / 2, axis=1)
    data = (data + rng.normal(0, 7, shape)).astype(np.float32)
    flags = np.zeros(shape, np.uint8)
    for bit, chance in ((DNU, 0.05), (JUMP, 0.08), (PERS, 0.02), (64, 0.01)):
        flags[rng.random(shape) < chance] |= bit
    level = np.where(rng.random((nints, 1, ny, nx)) < 0.2, rng.integers(0, ngroups), ngroups)
    flags[np.arange(ngroups)[:, None, None] >= level] |= SAT
    data[rng.random(shape) < 0.003] = np.nan
    flags[:, :, :, :10] = 0  # some without flags
    return data, flags


def slow_fit(data, flags, gain, noise, suppress):
    """Fit the ramps of one pixel as a text book would; all times are TGROUP, no first frame."""
    flags = flags.copy()
    nints, ngroups = data.shape
    good = flags & ~np.uint8(PERS) == 0
    if suppress:
        flags[good.sum(axis=1) == 1] |= DNU
        good = flags & ~np.uint8(PERS) == 0
    rates, sums = [], np.zeros(3)
    lone = [not suppress and (flags[i] == 0).sum() == 1 and flags[i, 0] == 0 for i in range(nints)]
    with np.errstate(all="ignore"):
        for i in range(nints):
            values = np.where(flags[i] & (SAT | DNU), np.nan, data[i].astype(float))
            steps = np.where(flags[i, 1:] & JUMP, np.nan, np.diff(values))
            steps = steps[np.isfinite(steps)]
            first = 0 if np.isnan(values[0]) else values[0]
            rates.append((np.median(steps) if steps.size and not lone[i] else first) / TGROUP)
        rate = max(np.mean(rates), 0)
        slopes = []
        for i in range(nints):
            if flags[i, 0] & SAT or (flags[i] & (SAT | DNU)).all():
                slopes.append(np.nan)
                continue
            jump_only = flags[i] & ~np.uint8(PERS) == JUMP
            begins = [g for g in range(ngroups) if good[i, g] and not (g and good[i, g - 1])]
            segments = []
            for begin in begins:
                end = begin
                while end < ngroups and good[i, end]:
                    end += 1
                segments.append((begin - 1 if begin and jump_only[begin - 1] else begin, end))
            longer = [s for s in segments if s[1] - s[0] > 1]
            integration = np.zeros(2)
            for begin, end in longer or segments[:1]:
                n = end - begin
                y = data[i, begin:end].astype(float)
                signal = (y[-1] - y[0]) * gain
                snr = 0 if noise**2 + signal <= 0 else signal / np.sqrt(noise**2 + signal)
                power = POWERS[-1 if np.isnan(snr) else np.digitize(snr, [5, 10, 20, 50, 100])]
                if n > 2:
                    weights = np.abs((np.arange(n) - (n - 1) / 2) / ((n - 1) / 2)) ** power
                    slope = np.polyfit(np.arange(n), np.nan_to_num(y), 1, w=np.sqrt(weights))[0]
                else:
                    slope = y[1] - y[0] if n == 2 else y[0]
                var_r = 12 * (noise / TGROUP) ** 2 / ((n**3 - n if n > 1 else 6) * gain**2)
                var_p = rate / (TGROUP * gain * max(n - 1, 1))
                integration += slope / TGROUP / var_r, 1 / var_r
                sums += slope / TGROUP / var_r, 1 / var_r, 1 / var_p if var_p > 0 else 0
            slopes.append(integration[0] / integration[1] if integration[1] else 0.0)
        return np.array(slopes), sums


@pytest.mark.parametrize("suppress", [True, False])
@pytest.mark.parametrize("ngroups", [2, 3, 8])
def test_equals_a_slow_fit(fit, suppress, ngroups):
    data, flags = random_exposure(ngroups, ngroups=ngroups)
    products = fit(data, flags, suppress_one_group=suppress)
    rate, rateints = products["rate"].planes, products["rateints"].planes
    for y in range(data.shape[2]):
        for x in range(data.shape[3]):
            slopes, sums = slow_fit(
                data[..., y, x], flags[..., y, x], 2.0, noise_of(2, 10), suppress
            )
            np.testing.assert_allclose(rateints["data"][:, y, x], slopes, rtol=1e-5, atol=1e-7)
            if not rate["dq"][y, x] & DNU and sums[1]:
                expected = sums[0] / sums[1], 1 / sums[1], 1 / sums[2] if sums[2] else 0
                found = [rate[name][y, x] for name in ("data", "var_rnoise", "var_poisson")]
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_result_depends_on_neither_strips_nor_threads(fit):
    data, flags = random_exposure(5, ny=23, nx=600)
    whole = fit(data, flags, save_opt=True)
    parts = fit(data, flags, save_opt=True, strip=3, threads=3)
    for kind, product in whole.items():
        for name, plane in product.planes.items():
            np.testing.assert_array_equal(plane, parts[kind].planes[name])


def test_flagged_and_unflagged_ramps_are_fitted_alike(fit):
    # PERSISTENCE sends a ramp through the scalar code and changes nothing else
    data, _ = random_exposure(6)
    data = np.nan_to_num(data)
    flags = np.full(data.shape, PERS, np.uint8)
    fast, slow = fit(data), fit(data, flags)
    for kind in ("rate", "rateints"):
        assert (slow[kind].planes["dq"] == PERS).all()
        for name in ("data", "err", "var_poisson", "var_rnoise"):
            np.testing.assert_allclose(
                fast[kind].planes[name], slow[kind].planes[name], rtol=3e-7, atol=1e-7
            )


def test_errors_describe_the_scatter(fit):
    rng = np.random.default_rng(8)
    gain, readnoise, truth = 2.0, 10.0, 4.0
    shape = (1, 10, 60, 60)
    electrons = np.cumsum(rng.poisson(truth * gain * TGROUP, shape), axis=1)
    data = electrons / gain + rng.normal(0, readnoise / np.sqrt(2), shape)
    rate = fit(data, gain=gain, readnoise=readnoise)["rate"].planes
    pulls = (rate["data"] - truth) / rate["err"]
    assert abs(pulls.mean()) < 4 / 60
    assert pulls.std() == pytest.approx(1.0, abs=0.1)


# --------------------------------------------------------------------------- weights


@pytest.mark.parametrize("length", [2, 3, 4, 9, 10])
def test_pairs_of_groups_give_the_weighted_slope(length):
    values = np.random.default_rng(length).normal(size=length).cumsum()
    weights = weight_table(10)
    pairs = pair_table(weights, length)
    assert pairs.shape == (length // 2, POWERS.size)
    differences = values[::-1][: length // 2] - values[: length // 2]
    for k, power in enumerate(POWERS):
        x = np.abs(np.arange(length) - (length - 1) / 2) / ((length - 1) / 2)
        expected = np.polyfit(np.arange(length), values, 1, w=np.sqrt(x**power))[0]
        assert differences @ pairs[:, k] == pytest.approx(expected, rel=1e-6)


def test_ramps_of_one_group_have_no_pairs():
    assert pair_table(weight_table(1), 1).shape == (0, POWERS.size)


@pytest.mark.parametrize(
    "rejected",
    [
        [(), ()],
        [(0, 1), ()],  # one integration begins later in every pixel
        [(7,), (0, 1, 7)],
        [(3,), ()],  # in the middle: no ramp is simple
        [(0, 1, 2, 3, 4, 5, 6), ()],  # a group is left, of which nothing is made
    ],
)
def test_groups_that_no_pixel_has_cost_nothing_but_themselves(fit, rejected):
    rng = np.random.default_rng(5)
    data = rng.normal(40, 20, (2, 8, 5, 40)).cumsum(axis=1)
    flags = np.zeros(data.shape, np.uint8)
    for integration, groups in enumerate(rejected):
        flags[integration, list(groups)] = DNU
    flags[1, 4, 2, 10:20] |= JUMP
    flags[0, 0, 3, :7] |= SAT
    together = fit(data, flags)
    # where most pixels have every group, those that lack some go one by one
    more = np.pad(data, ((0, 0), (0, 0), (0, 6), (0, 0)), mode="edge")
    alone = fit(more, np.pad(flags, ((0, 0), (0, 0), (0, 6), (0, 0))))
    for kind, product in together.items():
        for name, plane in product.planes.items():
            expected = alone[kind].planes[name][..., :5, :]
            np.testing.assert_allclose(plane, expected, rtol=3e-7, err_msg=f"{kind} {name}")


def test_pixels_that_keep_groups_which_most_reject_are_fitted_as_if_alone(fit, make_ramp):
    rng = np.random.default_rng(12)
    data = rng.normal(40, 20, (2, 8, 6, 40)).cumsum(axis=1)
    flags = np.zeros(data.shape, np.uint8)
    flags[0, 0] = flags[1, :3] = DNU
    keep = [(0, 0), (3, 17), (5, 39)]
    for y, x in keep:
        flags[:, :, y, x] = 0

    spans, rejected = unflagged_groups(make_ramp(data, flags), (0, 8, 0, 7))
    assert spans.tolist() == [[1, 7], [3, 7]]
    assert rejected.tolist() == [[DNU, 0, 0, 0, 0, 0, 0, 0], [DNU, DNU, DNU, 0, 0, 0, 0, 0]]

    together = fit(data, flags)
    for y, x in [*keep, (0, 1), (3, 16), (5, 0)]:
        alone = fit(data[:, :, y : y + 1, x : x + 1], flags[:, :, y : y + 1, x : x + 1])
        for kind, product in together.items():
            for name, plane in product.planes.items():
                expected = alone[kind].planes[name][..., 0, 0]
                np.testing.assert_array_equal(plane[..., y, x], expected, f"{kind} {name}")


@pytest.mark.parametrize("algorithm", ["OLS_C", "LIKELY"])
@pytest.mark.parametrize("ngroups", [4, 5, 9])
def test_results_may_lie_where_the_ramps_were(make_ramp, make_reference, ngroups, algorithm):
    """With four groups there is no room for five planes: nothing else is overwritten."""
    rng = np.random.default_rng(ngroups)
    shape = (3, ngroups, 6, 37)
    data = np.cumsum(rng.poisson(40.0, shape), axis=1).astype(np.float32)
    groupdq = np.where(rng.random(shape) < 0.05, np.uint8(JUMP), np.uint8(0))
    found = []
    for spent in (False, True):
        ramp = make_ramp(data.copy(), groupdq.copy(), None, **CLOCK)
        ramp.spent = spent
        references = {
            name: make_reference(name, ramp, (), SCI=np.full(ramp.shape[2:], value, np.float32))
            for name, value in (("gain", 2.0), ("readnoise", 10.0))
        }
        products = execute(SPEC, ramp, RampFitParams(algorithm=algorithm), references).products
        found.append(products)
        mine = np.shares_memory(ramp.data, products["rateints"].planes["data"])
        assert mine == (spent and ngroups >= 5)
    for kind in ("rate", "rateints"):
        for name, plane in found[0][kind].planes.items():
            np.testing.assert_array_equal(plane, found[1][kind].planes[name])
