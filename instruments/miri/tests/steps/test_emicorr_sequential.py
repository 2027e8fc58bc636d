"""The sequential algorithm: the wave in what straight ramps leave."""

import asdf
import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from heliodor.engine import execute
from heliodor.errors import NotYetError
from heliodor.references.files import Reference
from heliodor_miri.steps.emicorr import SPEC
from heliodor_miri.steps.emicorr.params import EmiCorrParams
from heliodor_miri.steps.emicorr.sequential import matched, resampled
from heliodor_miri.steps.emicorr.waves import Clock

PERIOD = 256.0
FREQUENCY = 1e5 / PERIOD
ROW, FRAME = 28, 8512
KEYWORDS = {"SUBARRAY": "SUB64", "READPATT": "FASTR1", "DETECTOR": "MIRIMAGE", "NSAMPLES": 1}


def shape(phase):
    return np.sin(2 * np.pi * phase) + 0.4 * np.cos(4 * np.pi * phase)


TREE = {
    "frequencies": {
        "Hz390": {
            "frequency": FREQUENCY,
            "phase_amplitudes": shape((np.arange(200) + 0.5) / 200).tolist(),
        }
    },
    "subarray_cases": {
        "SUB64": {"rowclocks": ROW, "frameclocks": FRAME, "freqs": {"FAST": ["Hz390"]}}
    },
}


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "waves.asdf"
    asdf.AsdfFile(TREE).write_to(path)
    return path


@pytest.fixture
def run(reference):
    def run(ramp, how=(), **params):
        references = {"emicorr": Reference("emicorr", reference, ramp.keywords, ramp.shape[-2:])}
        params = EmiCorrParams(skip=False, **{"algorithm": "sequential", **params})
        return execute(SPEC, ramp, params, references, **dict(how))

    return run


def times(nints, ngroups, ny, nx):
    """Give when pixels are read, (nints, ngroups, ny, nx // 4), by walking along the read-out."""
    out = np.empty((nints, ngroups, ny, nx // 4))
    now = 0
    for integration in range(nints):
        for group in range(ngroups):
            for y in range(ny):
                out[integration, group, y] = now + np.arange(nx // 4)
                now += ROW
            now += (1024 - ny) * 7
        now += FRAME
    return out


def disturbed(size=(2, 12, 64, 72), amplitude=3.0, noise=1.0):
    """Make straight ramps, and a wave over them."""
    rng = np.random.default_rng(5)
    _, ngroups, ny, nx = size
    slopes = rng.uniform(0, 3, (ny, nx))
    still = rng.normal(9000, 50, (ny, nx)) + slopes * np.arange(ngroups)[:, None, None]
    still = still + rng.normal(0, noise, size)
    wave = amplitude * shape(0.3 + times(*size) / PERIOD)
    return still, wave.repeat(4, axis=3)


def slow(data, reference, nints, nbins):
    """Subtract the wave, in double precision and with masks of the whole exposure."""
    ngroups, _, nx = data.shape[1:]
    rest = []
    for ramp in data[:nints].astype(np.float64):
        used = ramp[1:-1]
        slope = np.polyfit(np.arange(ngroups - 2), used.reshape(ngroups - 2, -1), 1)[0]
        left = ramp - slope.reshape(ramp.shape[1:]) * np.arange(ngroups)[:, None, None]
        left -= (np.median if ngroups > 4 else np.min)(left[1:-1], axis=0)
        mean = left.reshape(*left.shape[:2], nx // 4, 4).mean(axis=3)
        mean[:, :, 1] = mean[:, :, 2] = (mean[:, :, 0] + mean[:, :, 3]) / 2
        rest.append(mean - np.median(mean, axis=(1, 2), keepdims=True))
    rest = np.array(rest)
    phase = times(*data.shape) / PERIOD % 1
    seen = np.array([
        sigma_clipped_stats(
            rest[(phase[:nints] > k / nbins) & (phase[:nints] <= (k + 1) / nbins)]
        )[0]
        for k in range(nbins)
    ])  # fmt: skip
    seen -= np.median(seen)
    table = seen[np.arange(int(PERIOD)) * nbins // int(PERIOD)]
    if reference is not None:
        n = reference.size
        target = seen[np.arange(n) * nbins // n]
        best = max(range(n), key=lambda k: np.corrcoef(np.roll(reference, k), target)[0, 1])
        aligned = np.roll(reference, best)[np.arange(int(PERIOD)) * n // int(PERIOD)]
        table = aligned * np.polyfit(aligned, table, 1)[0]
    return data - table[(phase * PERIOD).astype(int)].repeat(4, axis=3)


@pytest.mark.parametrize("ngroups", [4, 5, 12])
@pytest.mark.parametrize("from_data", [False, True])
def test_equals_slow_version(make_ramp, run, ngroups, from_data):
    still, wave = disturbed((3, ngroups, 64, 72))
    ramp = make_ramp(still + wave, **KEYWORDS)
    reference = None if from_data else np.array(TREE["frequencies"]["Hz390"]["phase_amplitudes"])
    expected = slow(ramp.data, reference, nints=2, nbins=100)
    frequencies = [FREQUENCY] if from_data else None
    outcome = run(ramp, nints_to_phase=2, nbins=100, onthefly_corr_freq=frequencies)
    assert outcome.status == "COMPLETE"
    np.testing.assert_allclose(ramp.data, expected, atol=3e-3)


@pytest.mark.parametrize(
    "params", [{}, {"use_n_cycles": None}, {"onthefly_corr_freq": [FREQUENCY]}, {"nbins": 64}]
)
def test_a_wave_is_removed(make_ramp, run, params):
    still, wave = disturbed()
    ramp = make_ramp(still + wave, **KEYWORDS)
    run(ramp, **params)
    assert np.std(ramp.data - still) < 0.15 * np.std(wave)


def test_only_a_scaled_reference_has_the_amplitude_of_the_data(make_ramp, run):
    still, wave = disturbed()
    ramp = make_ramp(still + wave, **KEYWORDS)
    run(ramp, scale_reference=False)
    assert np.std(ramp.data - still) / np.std(wave) == pytest.approx(2 / 3, abs=0.05)


def test_threads_make_no_difference(make_ramp, run):
    still, wave = disturbed()
    ramps = [make_ramp(still + wave, **KEYWORDS) for _ in range(2)]
    run(ramps[0])
    run(ramps[1], how={"threads": 3, "strip": 5})
    np.testing.assert_array_equal(ramps[0].data, ramps[1].data)


def test_pixels_without_a_value_take_no_part(make_ramp, run):
    still, wave = disturbed()
    clean, spoilt = make_ramp(still + wave, **KEYWORDS), make_ramp(still + wave, **KEYWORDS)
    run(clean)
    spoilt.data[:, 3, 40, 20] = np.nan
    run(spoilt)
    assert np.isnan(spoilt.data).sum() == 2
    np.testing.assert_allclose(np.where(np.isnan(spoilt.data), clean.data, spoilt.data),
                               clean.data, atol=0.05)  # fmt: skip


def test_the_last_pixels_of_a_full_row(make_ramp, run):
    """They are reference pixels, and three samples late; operations add 2**32."""
    rng = np.random.default_rng(3)
    data = rng.normal(0, 1, (1, 4, 16, 1032))
    late, very_late = make_ramp(data, **KEYWORDS), make_ramp(data, **KEYWORDS)
    moved = make_ramp(data, **{**KEYWORDS, "SUBSTRT1": 5})
    frequencies = {"onthefly_corr_freq": [397.0]}
    run(late, **frequencies)
    run(very_late, late_last_column=True, **frequencies)
    run(moved, late_last_column=True, **frequencies)
    same = np.abs(late.data - very_late.data) < 0.05
    assert same[..., :-4].all()
    assert not same[..., -4:].all()
    assert not np.allclose(moved.data[..., -4:], very_late.data[..., -4:], atol=0.05)


def test_a_reference_named_by_its_path(make_ramp, run, reference):
    still, wave = disturbed()
    one, other = make_ramp(still + wave, **KEYWORDS), make_ramp(still + wave, **KEYWORDS)
    run(one)
    params = EmiCorrParams(skip=False, algorithm="sequential", user_supplied_reffile=str(reference))
    assert execute(SPEC, other, params, {}).status == "COMPLETE"
    np.testing.assert_array_equal(one.data, other.data)


@pytest.mark.parametrize(
    ("ngroups", "params", "keywords", "reason"),
    [
        (3, {}, {}, "fewer than 4"),
        (4, {"onthefly_corr_freq": [10.0]}, {"SUBARRAY": "SUBPRISM"}, "no waves"),
        (4, {"onthefly_corr_freq": []}, {}, "no waves"),
    ],
)
def test_skipped(make_ramp, run, ngroups, params, keywords, reason):
    ramp = make_ramp(np.ones((1, ngroups, 4, 16)), **{**KEYWORDS, **keywords})
    outcome = run(ramp, **params)
    assert outcome.status == "SKIPPED"
    assert reason in outcome.reason


def test_waves_of_the_data_are_not_saved_yet(make_ramp, run):
    with pytest.raises(NotYetError, match="saved"):
        run(make_ramp(np.ones((1, 4, 4, 16)), **KEYWORDS),
            onthefly_corr_freq=[10.0], save_intermediate_results=True)  # fmt: skip


def test_phases_that_are_never_read_leave_the_exposure_alone(make_ramp, run):
    ramp = make_ramp(np.random.default_rng(1).normal(9, 1, (1, 4, 4, 16)), **KEYWORDS)
    before = ramp.data.copy()
    run(ramp, onthefly_corr_freq=[FREQUENCY])
    np.testing.assert_array_equal(ramp.data, before)


def test_read_out_without_a_reference():
    clock = Clock.without_reference([10.0, 390.625], KEYWORDS)
    assert (clock.row, clock.frame) == (ROW, FRAME)
    assert [wave.period for wave in clock.waves] == pytest.approx([10000, 256])
    full = Clock.without_reference([10.0], {"SUBARRAY": "FULL", "READPATT": "SLOWR1"})
    assert (full.row, full.frame) == (2333, 2388992)


def test_matching_by_hand():
    wave = np.array([0.0, 1, 5, 1])
    np.testing.assert_array_equal(resampled(wave, 8), wave.repeat(2))
    np.testing.assert_array_equal(resampled(wave, 2), [0, 5])
    np.testing.assert_array_equal(resampled(wave, 2.5), [0, 1, 1])
    seen = 2 * np.roll(wave, 3) + 7
    np.testing.assert_allclose(matched(seen, wave, 4.0, scale=True), 2 * np.roll(wave, 3))
    np.testing.assert_allclose(matched(seen, wave, 4.0, scale=False), np.roll(wave, 3))
