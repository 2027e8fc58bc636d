import asdf
import numpy as np
import pytest
from heliodor.engine import execute
from heliodor.references.files import Reference
from heliodor_miri.steps.emicorr import SPEC
from heliodor_miri.steps.emicorr.fit import Fitter, lowest
from heliodor_miri.steps.emicorr.kernel import evaluate_wave, measure_spread, sum_by_phase
from heliodor_miri.steps.emicorr.params import EmiCorrParams
from heliodor_miri.steps.emicorr.waves import Clock, spline

SHAPE = (2, 6, 64, 72)
FREQUENCY = 390.625  # a period of 256 samples
KEYWORDS = {"SUBARRAY": "SUB64", "READPATT": "FASTR1", "DETECTOR": "MIRIMAGE", "NSAMPLES": 1}


def shape(phase):
    """Give a wave that is no sine."""
    return np.sin(2 * np.pi * phase) + 0.4 * np.cos(4 * np.pi * phase)


SLOW = {"MIRIMAGE": ["Hz10"], "MIRIFULONG": []}
TREE = {
    "frequencies": {
        "Hz390": {
            "frequency": FREQUENCY,
            "phase_amplitudes": shape((np.arange(200) + 0.5) / 200).tolist(),
        },
        "Hz10": {"frequency": 10.04, "phase_amplitudes": [0.0, 1.0, 0.0, -1.0]},
    },
    "subarray_cases": {
        "SUB64": {"rowclocks": 28, "frameclocks": 8512, "freqs": {"FAST": ["Hz390"]}},
        "FULL_FAST": {
            "rowclocks": 271,
            "frameclocks": 277504,
            "freqs": {"FAST": ["Hz390", "Hz10"]},
        },
        "FULL_SLOW": {"rowclocks": 2333, "frameclocks": 2388992, "freqs": {"SLOW": SLOW}},
    },
}


@pytest.fixture
def run(tmp_path):
    """Run the step on a ramp."""

    def run(ramp, how=(), tree=TREE, **params):
        path = tmp_path / "emicorr.asdf"
        asdf.AsdfFile(tree).write_to(path)
        references = {"emicorr": Reference("emicorr", path, ramp.keywords, ramp.shape[-2:])}
        return execute(SPEC, ramp, EmiCorrParams(skip=False, **params), references, **dict(how))

    return run


def disturbed(amplitudes=(3.0, 3.0), phases=(0.2, 0.2), noise=1.0):
    """Make straight ramps, and the wave over them by the time of each pixel."""
    rng = np.random.default_rng(5)
    nints, ngroups, ny, nx = SHAPE
    slopes = rng.uniform(0, 3, (ny, nx))
    still = rng.normal(9000, 50, (ny, nx)) + slopes * np.arange(ngroups)[:, None, None]
    still = still + rng.normal(0, noise, SHAPE)
    row, frame = 28, ny * 28 + (1024 - ny) * 7
    times = np.arange(ny)[:, None] * row + np.arange(nx) // 4
    times = times + np.arange(ngroups)[:, None, None] * frame
    period = 1e5 / FREQUENCY
    wave = [
        amplitudes[i] * shape(phases[i] + (times + i * (ngroups * frame + 8512)) / period)
        for i in range(nints)
    ]
    return still, np.array(wave)


def rest(ramp, still, wave):
    """Give how much of a wave is left, as a part of it."""
    return np.std(ramp.data - still) / np.std(wave)


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.4999, 0.999])
def test_a_wave_is_removed_whatever_its_phase(make_ramp, run, phase):
    still, wave = disturbed(phases=(phase, phase))
    ramp = make_ramp(still + wave, **KEYWORDS)
    assert run(ramp).status == "COMPLETE"
    assert rest(ramp, still, wave) < 0.03
    assert not ramp.pixeldq.any()
    assert not ramp.groupdq.any()


def test_integrations_that_differ_are_fitted_separately(make_ramp, run):
    still, wave = disturbed((3.0, 1.5), (0.2, 0.6))
    together, apart = make_ramp(still + wave, **KEYWORDS), make_ramp(still + wave, **KEYWORDS)
    run(together)
    run(apart, fit_ints_separately=True)
    assert rest(apart, still, wave) < 0.04 < rest(together, still, wave)


def test_flagged_and_noisy_pixels_take_no_part(make_ramp, run):
    still, wave = disturbed()
    clean, spoilt = make_ramp(still + wave, **KEYWORDS), make_ramp(still + wave, **KEYWORDS)
    run(clean)
    spoilt.data[..., :20, :] += 500 * np.arange(6)[:, None, None]  # bright
    spoilt.data[:, 3, 40:50] += 9
    spoilt.pixeldq[40:50] = 4
    run(spoilt)
    good = np.ones(64, bool)
    good[:20] = good[40:50] = False
    np.testing.assert_allclose(spoilt.data[:, :, good], clean.data[:, :, good], atol=0.15)


def test_threads_make_no_difference(make_ramp, run):
    still, wave = disturbed()
    ramps = [make_ramp(still + wave, **KEYWORDS) for _ in range(2)]
    run(ramps[0])
    run(ramps[1], how={"threads": 3, "strip": 5})
    np.testing.assert_array_equal(ramps[0].data, ramps[1].data)


@pytest.mark.parametrize(
    ("keywords", "ngroups", "reason"),
    [
        ({"READPATT": "FASTGRPAVG8"}, 6, "FASTGRPAVG8"),
        ({"SUBARRAY": "MASKLYOT"}, 6, "no waves"),
        ({"SUBARRAY": "FULL", "READPATT": "SLOW", "DETECTOR": "MIRIFULONG"}, 6, "no waves"),
        ({}, 2, "fewer than 3"),
    ],
)
def test_skipped(make_ramp, run, keywords, ngroups, reason):
    ramp = make_ramp(np.ones((1, ngroups, 4, 8)), **{**KEYWORDS, **keywords})
    outcome = run(ramp)
    assert outcome.status == "SKIPPED"
    assert reason in outcome.reason
    assert (ramp.data == 1).all()


def test_skipped_without_a_reference(make_ramp):
    ramp = make_ramp(np.ones((1, 3, 4, 8)), **KEYWORDS)
    assert execute(SPEC, ramp, EmiCorrParams(skip=False), {}).status == "SKIPPED"


def test_ramps_that_show_nothing_stay(make_ramp, run):
    ramp = make_ramp(np.full((1, 3, 4, 8), 9000), **KEYWORDS)
    run(ramp)  # no pixel has less spread than twice nothing
    assert (ramp.data == 9000).all()


def test_read_out():
    keywords = {"SUBARRAY": "FULL", "DETECTOR": "MIRIMAGE", "READPATT": "SLOWR1"}
    slow = Clock.of(TREE, keywords)
    assert (slow.row, slow.frame, [wave.name for wave in slow.waves]) == (2333, 2388992, ["Hz10"])
    fast = Clock.of(TREE, {**keywords, "READPATT": "FASTR1"})
    assert [wave.name for wave in fast.waves] == ["Hz390", "Hz10"]
    assert fast.waves[0].period == pytest.approx(256)
    assert fast.frame_time(1024) == 271 * 1024
    assert Clock.of(TREE, KEYWORDS).frame_time(64) == 64 * 28 + 960 * 7
    np.testing.assert_array_equal(fast.times((2, 12), 9), [[0, 9, 18], [271, 280, 289]])


# ------------------------------------------------------------------------------------- parts


def at(wave, phases):
    values = np.empty(len(phases))
    evaluate_wave(wave, np.array(phases, float), values)
    return values


def test_spline():
    middles = (np.arange(50) + 0.5) / 50
    wave = spline(shape(middles))
    np.testing.assert_allclose(at(wave, middles), shape(middles), atol=1e-12)
    phases = np.linspace(0, 1, 999)
    np.testing.assert_allclose(at(wave, phases), shape(phases), atol=3e-4)
    interpolate = pytest.importorskip("scipy.interpolate")
    knots = (np.arange(52) - 0.5) / 50
    other = interpolate.make_interp_spline(knots, wave[0], 3)
    np.testing.assert_allclose(at(wave, phases), other(phases), atol=1e-12)


@pytest.mark.parametrize("minimum", [0.1234, 0.0004, 0.9993, 0.5])
def test_the_minimum_of_a_periodic_function(minimum):
    chisq = -np.cos(2 * np.pi * (np.arange(500) / 500 - minimum))
    assert (lowest(chisq) - minimum + 0.5) % 1 == pytest.approx(0.5, abs=1e-6)


def test_the_minimum_of_nothing():
    assert lowest(np.full(9, np.nan)) == 0
    assert lowest(np.ones(10)) == 0
    broken = np.full(10, np.nan)
    broken[3] = 1
    assert lowest(broken) == 0.3


def test_spread_in_single_precision():
    data = np.random.default_rng(6).normal(9e3, 9, (2, 7, 5, 8)).astype(np.float32)
    spread = np.zeros((2, 5, 8), np.float32)
    for integration in range(2):
        measure_spread(data, spread, integration, 0, 2)
        measure_spread(data, spread, integration, 2, 5)
    np.testing.assert_array_equal(spread, data.std(axis=1))


def test_sums():
    rng = np.random.default_rng(7)
    data = rng.integers(0, 9999, (2, 3, 5, 8)).astype(np.float32)
    spread = rng.uniform(0, 2, (2, 5, 8)).astype(np.float32)
    pixeldq = (rng.random((5, 8)) < 0.2).astype(np.uint32)
    bins = rng.integers(-1, 4, (5, 2)).astype(np.int32)
    sums, counts = np.zeros((2, 3, 4)), np.zeros((2, 4), np.int64)
    expected, numbers = np.zeros_like(sums), np.zeros_like(counts)
    for i, g in np.ndindex(2, 3):
        sum_by_phase(data, spread, 1.0, pixeldq, bins, sums, counts, i, g)
        for y, x in np.ndindex(5, 8):
            if spread[i, y, x] < 1 and not pixeldq[y, x] and bins[y, x // 4] >= 0:
                expected[i, g, bins[y, x // 4]] += data[i, g, y, x]
                numbers[i, bins[y, x // 4]] += g == 0
    np.testing.assert_array_equal(sums, expected)
    np.testing.assert_array_equal(counts, numbers)


def test_chi_squared_is_that_of_a_fit_of_all_pixels():
    """Chi squared of lines with a wave, less that of lines alone."""
    rng = np.random.default_rng(8)
    ngroups, nbins = 5, 6
    wave = spline(rng.normal(0, 1, nbins))
    pixels = rng.normal(0, 3, (nbins, 4, ngroups))  # four in each bin
    lines = np.stack((np.ones(ngroups), np.arange(ngroups)))
    keep = np.eye(ngroups) - np.linalg.pinv(lines) @ lines  # takes a line from a ramp
    counts = np.full((1, nbins), 4)
    fitter = Fitter.of(pixels.sum(axis=1).T[None].copy(), counts, wave, 0.3, 0.0)
    phases = (np.arange(nbins) + 0.5) / nbins + 0.124
    seen = np.array([at(wave, (phases + 0.3 * group) % 1) for group in range(ngroups)]).T
    seen, pixels = (seen @ keep)[:, None], pixels @ keep
    amplitude = (seen * pixels).sum() / (4 * (seen**2).sum())
    gain = ((pixels - amplitude * seen) ** 2).sum() - (pixels**2).sum()
    chisq, found = fitter.at(0.124, np.array([0]))
    assert found == pytest.approx(amplitude)
    assert chisq == pytest.approx(gain)
