import numpy as np
import pytest
from heliodor.errors import StepError
from heliodor_detector.steps.clean_flicker_noise import frequencies, ticks


def least_squares(places, values, weights, components, n):
    """Fit waves of given frequencies by their matrix."""
    waves = np.exp(2j * np.pi * np.outer(places, components) / n)
    found, *_ = np.linalg.lstsq(waves * weights[:, None], values * weights, rcond=None)
    return found


def test_a_line_is_fitted_as_by_the_matrix_of_waves():
    rng = np.random.default_rng(1)
    n = 512
    image = rng.normal(0, 1, (12, n)).astype(np.float32)
    mask = rng.random(image.shape) < 0.7
    noise = frequencies.waves(frequencies.line_components(image, mask), n)
    assert not noise[: frequencies.EDGE].any()
    gain = frequencies.low_pass(n)
    weights = frequencies.line_weights(mask, np.roll(mask, 1, axis=0))
    values = frequencies.without_outliers(image, mask)
    for y in range(frequencies.EDGE, 12 - frequencies.EDGE):
        good = np.flatnonzero(mask[y])
        found = least_squares(good, values[y, good], weights[y, good], np.arange(gain.size), n)
        whole = np.zeros(n // 2 + 1, complex)
        whole[: gain.size] = found * gain
        np.testing.assert_allclose(noise[y], n * np.fft.irfft(whole, n), atol=1e-9)


def test_slow_noise_of_lines_is_removed_and_stars_do_not_matter():
    n = 2048
    x = np.arange(n)
    wave = 5 * np.sin(2 * np.pi * 3 * x / n) + 2
    image = np.tile(wave, (64, 1)).astype(np.float32)
    mask = np.ones(image.shape, bool)
    image[:, 700:720], mask[:, 700:720] = 1e5, False
    components = frequencies.line_components(image, mask)
    noise = frequencies.waves(frequencies.smooth_lines(components, n), n)
    middle = np.s_[16:-16]
    # a gap makes waves leak into each other: those of negative frequency are not fitted
    np.testing.assert_allclose(noise[middle], np.tile(np.roll(wave, 1), (32, 1)), atol=0.2)


def test_b05_noise_is_smoothed_across_lines_and_moved_by_one_line_and_pixel():
    n, nlines = 64, 40
    components = np.zeros((nlines, 3), complex)
    components[20] = 1, 2j, 3 - 1j
    noise = frequencies.waves(frequencies.smooth_lines(components, n), n)
    line = np.roll(frequencies.waves(components[20:21], n)[0], 1)
    across = frequencies.gaussian(np.arange(nlines) - 21, frequencies.SMOOTH_SIGMA)
    np.testing.assert_allclose(noise, across[:, None] * line, atol=1e-9)


def test_weights_are_of_the_line_and_the_pixel_before():
    mask = np.ones((1, 512), bool)
    before = np.zeros((1, 512), bool)
    before[0, 100:104] = True
    density = 1 / frequencies.line_weights(mask, before)[0]
    assert density.argmax() in (102, 103)
    sigma = frequencies.DENSITY_SIGMA
    expected = sum(frequencies.gaussian(np.arange(512) - x - 1.0, sigma) for x in range(100, 104))
    lowest = frequencies.gaussian(np.zeros(1), sigma)
    np.testing.assert_allclose(density, np.maximum(expected, lowest), rtol=1e-12)


def test_weights_stay_bounded_where_the_line_before_has_no_background():
    mask = np.ones((64, 512), bool)
    mask[20:40] = False
    weights = frequencies.line_weights(mask, np.roll(mask, 1, axis=0))
    assert not weights[20:40].any()
    np.testing.assert_allclose(weights[10], 1, rtol=1e-6)
    assert weights[40].max() <= 1 / frequencies.gaussian(np.zeros(1), frequencies.DENSITY_SIGMA)


def test_outliers_of_a_line_become_its_median():
    image = np.tile(np.arange(9, dtype=np.float32), (2, 1))
    image[0, 8] = 1000
    mask = np.ones(image.shape, bool)
    filled = frequencies.without_outliers(image, mask)
    assert filled[0].tolist() == [*range(8), 4]
    assert filled[1].tolist() == list(range(9))


def test_sections_overlap_by_half_and_hold_enough():
    counts = np.full(10, 200)
    assert list(ticks.sections(counts)) == [(0, 3), (2, 5), (4, 7), (6, 9), (8, 10)]
    counts = np.array([0, 5, 0, 5, 0])
    assert list(ticks.sections(counts)) == [(1, 4)]


def test_a_section_is_fitted_as_by_the_matrix_of_waves():
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1, (16, 64)).astype(np.float32)
    mask = rng.random(image.shape) < 0.8
    n = 16 * (64 + ticks.PAUSE)
    gain = ticks.band_gain(n, ticks.BANDS)
    fitted = np.flatnonzero(gain)
    assert 0 in fitted
    assert n // 2 in fitted
    padded = np.pad(mask, ((0, 0), (0, ticks.PAUSE))).reshape(-1)
    good = np.flatnonzero(padded)
    weights = ticks.tick_weights(padded.astype(float), ticks.BANDS)[good]
    whole = np.zeros(n // 2 + 1, complex)
    whole[fitted] = least_squares(good, image[mask], weights, fitted, n) * gain[fitted]
    expected = n * np.fft.irfft(whole, n).reshape(16, -1)[:, :64]
    np.testing.assert_allclose(ticks.section_noise(image, mask, ticks.BANDS), expected, atol=1e-9)


def test_outliers_and_their_neighbours_are_not_background():
    image = np.random.default_rng(1).normal(0, 1, (9, 9)).astype(np.float32)
    image[4, 4] = 100
    good = ticks.without_outliers(image, np.ones(image.shape, bool))
    expected = np.ones((9, 9), bool)
    expected[[4, 3, 5, 4, 4], [4, 4, 4, 3, 5]] = False
    np.testing.assert_array_equal(good, expected)


def test_sections_with_too_little_background_have_no_noise():
    image = np.random.default_rng(1).normal(0, 1, (8, 64)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[0, :3] = mask[7, :3] = True
    assert not ticks.tick_noise(image, mask, "SUB").any()
    with pytest.raises(StepError, match="no background"):
        ticks.tick_noise(image, np.zeros(image.shape, bool), "SUB")


def test_lines_are_columns_and_the_second_detector_reads_them_backwards():
    rng = np.random.default_rng(1)
    drift = 3 * np.cumsum(rng.normal(0, 1, 40))
    image = (rng.normal(0, 1, (100, 40)) + drift).astype(np.float32)
    mask = rng.random(image.shape) < 0.9
    cleaned, backwards = image.copy(), np.ascontiguousarray(image[:, ::-1])
    frequencies.subtract_noise(cleaned, mask, "NRS1", "SUB")
    frequencies.subtract_noise(backwards, mask[:, ::-1], "NRS2", "SUB")
    np.testing.assert_array_equal(backwards[:, ::-1], cleaned)
    assert cleaned.mean(axis=0).std() < 0.3 * image.mean(axis=0).std()
