"""From raw exposures to slopes: what the products hold, and that other software opens them."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor import exposures, receipt
from heliodor.hashes import file_sha256
from stdatamodels.jwst import datamodels

OURS = {"rate": "ImageModel", "rateints": "CubeModel"}
STEPS = (
    "S_GRPSCL", "S_DQINIT", "S_SATURA", "S_IPC", "S_SUPERB", "S_REFPIX", "S_LINEAR", "S_DARK",
    "S_JUMP", "S_RAMP", "S_GANSCL",
)  # fmt: skip
REFERENCES = {
    "mask": "R_MASK", "saturation": "R_SATURA", "superbias": "R_SUPERB", "linearity": "R_LINEAR",
    "dark": "R_DARK", "gain": "R_GAIN", "readnoise": "R_READNO", "ipc": "R_IPC",
}  # fmt: skip
CASES = {
    "NIRCam window, 3 integrations, averaged, with ZEROFRAME": (
        "nircam-imaging",
        {"size": 64, "nints": 3, "ngroups": 6, "readpatt": "BRIGHT2"},
    ),
    "NIRCam window, 1 integration": ("nircam-imaging", {"size": (96, 48), "ngroups": 4}),
    "NIRCam subarray, 3 integrations": (
        "nircam-imaging",
        {"subarray": "SUB64P", "nints": 3, "ngroups": 4},
    ),
    "NIRISS window, averaged": ("niriss-imaging", {"size": 64, "ngroups": 5, "readpatt": "NIS"}),
    "NIRISS subarray, 1 integration": ("niriss-imaging", {"subarray": "SUB64", "ngroups": 5}),
    "NIRISS subarray, 3 integrations": (
        "niriss-imaging",
        {"subarray": "SUB80", "nints": 3, "ngroups": 4},
    ),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def case(request, simulated):
    mode, arguments = request.param
    return simulated(mode, **arguments)


@pytest.fixture(scope="module")
def done(case, tmp_path_factory):
    return heliodor.run(
        case.exposure, folders=case.references, out=tmp_path_factory.mktemp("out"), save=True
    )


def opened(path: Path):
    """Open with every check there is; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = datamodels.open(path, strict_validation=True, validate_arrays=True)
        model.validate()
    return model


# ------------------------------------------------------------------ every kind of exposure


def test_products_are_named_after_the_exposure(case, done):
    root = case.exposure.name.removesuffix("_uncal.fits")
    folder = done.plan.request.out
    assert done.paths == {kind: folder / f"{root}_{kind}.fits" for kind in OURS}
    assert sorted(folder.iterdir()) == sorted(done.paths.values())


def test_products_open_as_models(case, done):
    raw = exposures.look(case.exposure)
    nints, _, ny, nx = raw.shape
    for kind, model in OURS.items():
        with opened(done.paths[kind]) as product:
            assert type(product).__name__ == model
            assert product.data.shape == ((ny, nx) if kind == "rate" else (nints, ny, nx))
            assert product.dq.dtype == np.uint32
            assert product.meta.bunit_data == "DN/s"
            assert product.meta.exposure.readpatt == raw.keywords["READPATT"]
            for name in ("err", "dq", "var_poisson", "var_rnoise"):
                assert getattr(product, name).shape == product.data.shape


def test_file_structure(done):
    for kind, path in done.paths.items():
        with fits.open(path) as hdus:
            hdus.verify("exception")
            names = [hdu.name for hdu in hdus]
            assert names[:3] == ["PRIMARY", "SCI", "ERR"]
            assert {"DQ", "VAR_POISSON", "VAR_RNOISE"} <= set(names)
            assert names[-1] == "ASDF"
            assert not {"GROUP", "ZEROFRAME", "PIXELDQ", "GROUPDQ"} & set(names)
            assert ("INT_TIMES" in names) == (kind == "rateints")


def test_slopes_are_near_the_truth(case, done):
    # coarse: wrong units or gain would break it; accuracy is judged by the steps' own tests
    with np.load(case.truth) as truth:
        expected = truth["rate_e"] * truth["flat"] / truth["gain"]
        live = ~truth["refpix"] & (truth["mask"] == 0)
    with opened(done.paths["rate"]) as rate:
        good = live & (rate.dq == 0)
        slope, error, expected = rate.data[good], rate.err[good], expected[good]
    assert good.sum() > 0.5 * live.sum()
    pull = (slope - expected) / error
    # without reference pixels the amplifier's drift is left: it is common to all pixels
    assert 0.5 < np.percentile(abs(pull - np.median(pull)), 68) < 2
    if exposures.look(case.exposure).keywords["SUBARRAY"] == "GENERIC":
        stars = expected > 20 * error
        assert stars.sum() > 10
        assert np.median(slope[stars] / expected[stars]) == pytest.approx(1, abs=0.02)


def test_every_keyword_of_the_input_goes_on(case, done):
    about_storage = {
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "NAXIS4", "EXTEND",
        "PCOUNT", "GCOUNT", "BSCALE", "BZERO", "EXTNAME", "EXTVER", "", "COMMENT", "HISTORY",
        "CHECKSUM", "DATASUM",
    }  # fmt: skip
    about_the_file = {"DATE", "FILENAME", "DATAMODL", "FILETYPE", "BUNIT", "CAL_VER", "CAL_VCS"}
    with fits.open(case.exposure) as raw:
        for path in done.paths.values():
            with fits.open(path) as product:
                for extension in ("PRIMARY", "SCI"):
                    mine, theirs = product[extension].header, raw[extension].header
                    for name in set(theirs) - about_storage - about_the_file:
                        assert mine[name] == theirs[name], name


def test_steps_and_references_are_recorded(case, done):
    statuses = {step.spec.status: outcome.status for step, outcome in done.outcomes}
    with fits.open(done.paths["rate"]) as hdus:
        header = hdus[0].header
        for name in STEPS:
            assert header[name] == statuses[name]
        for name in ("S_DQINIT", "S_SATURA", "S_SUPERB", "S_LINEAR", "S_DARK", "S_JUMP", "S_RAMP"):
            assert header[name] == "COMPLETE"
        for kind, name in REFERENCES.items():
            if kind != "ipc":
                assert header[name] == case.files[kind].name
        assert header["FILENAME"] == done.paths["rate"].name
        assert header["CAL_VER"] == "3.0.0"
        assert header["HELIODOR"] == heliodor.__version__


def test_receipt(case, done):
    found = receipt.read(done.paths["rate"])
    assert found["inputs"] == [
        {
            "name": case.exposure.name,
            "sha256": file_sha256(case.exposure),
            "size": case.exposure.stat().st_size,
        }
    ]
    assert found["pipeline"] == "calwebb_detector1"
    assert set(found["plugins"]) >= {"heliodor", "heliodor-detector"}
    by_name = {step["name"]: step for step in found["steps"]}
    assert by_name["charge_migration"]["status"] == "SKIPPED"
    assert "calwebb_detector1.yaml" in by_name["charge_migration"]["reason"]
    jump = by_name["jump"]
    assert jump["implementation"].startswith("heliodor-detector ")
    assert {each["name"] for each in jump["parameters"]} >= {"rejection_threshold", "skip"}
    assert all(each["origin"] == "declared default" for each in jump["parameters"])
    for each in jump["references"]:
        assert each["name"] == case.files[each["type"]].name
        assert each["sha256"] == file_sha256(case.files[each["type"]])
    assert {each["type"] for each in jump["references"]} == {"gain", "readnoise"}


# ------------------------------------------------------------------ one exposure, in detail


def add_odd_things(hdus):
    """Put into an exposure what no schema knows."""
    hdus[0].header["ODDKEY"] = ("kept", "nobody knows this keyword")
    hdus[0].header.add_history("looked at by an astronomer")
    hdus["SCI"].header["ODDSCI"] = 12
    ny, nx = hdus["SCI"].shape[-2:]
    nints = hdus["SCI"].shape[0]
    hdus.append(fits.ImageHDU(np.arange(ny * nx, dtype=np.int32).reshape(ny, nx), name="ODDMAP"))
    hdus.append(fits.ImageHDU(np.ones((nints, ny, nx), np.float32), name="ODDCUBE"))
    table = [fits.Column("star", "A4", array=["one", "two"]), fits.Column("x", "D", array=[1, 2])]
    hdus.append(fits.BinTableHDU.from_columns(table, name="ODDTAB"))


@pytest.fixture(scope="module")
def odd(small_nircam, tmp_path_factory):
    """All products of an exposure with additions of its own, under an unusual name."""
    folder = tmp_path_factory.mktemp("odd")
    path = folder / "my-stars_uncal.fits"
    with fits.open(small_nircam.exposure, memmap=False) as hdus:
        add_odd_things(hdus)
        hdus.writeto(path)
    return heliodor.run(
        path,
        folders=small_nircam.references,
        out=folder / "products",
        save=True,
        parameters={
            "save_calibrated_ramp": "true",
            "ramp_fit.save_opt": True,
            "jump.rejection_threshold": 5,
        },
    )


def test_all_products_are_written(odd):
    names = {path.name for path in odd.plan.request.out.iterdir()}
    assert names == {f"my-stars_{kind}.fits" for kind in ("rate", "rateints", "ramp", "fitopt")}
    # which fit it is may depend on the data, so a plan names both optional products
    assert {save.suffix for save in odd.plan.saves} == {*odd.paths, "likely_chisq"}


@pytest.mark.parametrize(
    ("kind", "model"), [*OURS.items(), ("ramp", "RampModel"), ("fitopt", "RampFitOutputModel")]
)
def test_each_opens_as_its_model(odd, kind, model):
    with opened(odd.paths[kind]) as product:
        assert type(product).__name__ == model
        assert product.meta.filename == odd.paths[kind].name
        assert product.meta.cal_step.jump == "COMPLETE"


def test_products_of_a_fit_by_likelihood(small_nircam, tmp_path):
    done = heliodor.run(
        small_nircam.exposure,
        folders=small_nircam.references,
        out=tmp_path,
        save=True,
        parameters={"ramp_fit.algorithm": "LIKELY", "ramp_fit.save_opt": True},
    )
    assert set(done.paths) == {"rate", "rateints", "likely_chisq"}
    with opened(done.paths["likely_chisq"]) as product, opened(done.paths["rate"]) as rate:
        assert type(product).__name__ == "ImageModel"
        good = rate.dq == 0
        # six groups and the first frame have six differences; 1/f noise is in no covariance
        freedom = 3 * (6 - 1)
        assert 0.9 * freedom < np.median(product.data[good]) < 1.4 * freedom


@pytest.mark.parametrize("kind", ["rate", "rateints", "ramp"])
def test_what_no_schema_knows_goes_on(odd, kind, planes):
    raw, product = planes(odd.plan.exposure.path), planes(odd.paths[kind])
    with fits.open(odd.paths[kind]) as hdus:
        assert hdus[0].header["ODDKEY"] == "kept"
        assert hdus[0].header.comments["ODDKEY"] == "nobody knows this keyword"
        assert "looked at by an astronomer" in str(hdus[0].header["HISTORY"])
        assert hdus["SCI"].header["ODDSCI"] == 12
    for name in ("ODDMAP", "ODDTAB") if kind == "rate" else ("ODDMAP", "ODDCUBE", "ODDTAB"):
        assert product[name].tobytes() == raw[name].tobytes()
        assert product[name].dtype == raw[name].dtype
    assert ("ODDCUBE" in product) == (kind != "rate")


def test_ramp_keeps_what_belongs_to_ramps(odd, planes):
    raw, ramp = planes(odd.plan.exposure.path), planes(odd.paths["ramp"])
    assert ramp["SCI"].shape == ramp["GROUPDQ"].shape == raw["SCI"].shape
    assert ramp["SCI"].dtype.kind == "f"
    assert ramp["ZEROFRAME"].shape == raw["ZEROFRAME"].shape
    for table in ("GROUP", "INT_TIMES"):
        assert ramp[table].tobytes() == raw[table].tobytes()


def test_a_saved_ramp_goes_on_to_the_same_slopes(odd, small_nircam, tmp_path, planes):
    """A ramp in the middle of the pipeline is an input like any other."""
    again = heliodor.run(
        odd.paths["ramp"],
        folders=small_nircam.references,
        out=tmp_path,
        save=True,
        skip=[
            step.label for step, outcome in odd.outcomes
            if step.port == "main" and step.label != "ramp_fit"
        ],
    )  # fmt: skip
    assert again.paths["rate"].name == "my-stars_rate.fits"
    first, second = planes(odd.paths["rateints"]), planes(again.paths["rateints"])
    for name in ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE"):
        np.testing.assert_array_equal(first[name], second[name])


def test_origin_of_parameters_is_recorded(odd):
    (jump,) = (s for s in receipt.read(odd.paths["rate"])["steps"] if s["name"] == "jump")
    by_name = {each["name"]: each for each in jump["parameters"]}
    assert by_name["rejection_threshold"] == {
        "name": "rejection_threshold",
        "value": 5.0,
        "origin": "Python, parameters",
    }
    assert by_name["flag_4_neighbors"]["origin"] == "declared default"
    options = receipt.read(odd.paths["rate"])["options"]
    assert options["pipeline_options"] == {"save_calibrated_ramp": "true"}


def test_a_compressed_exposure(small_niriss, tmp_path, planes):
    path = tmp_path / f"{small_niriss.exposure.name}.gz"
    path.write_bytes(gzip.compress(small_niriss.exposure.read_bytes(), 1))
    rates = [
        heliodor.run(each, folders=small_niriss.references, out=tmp_path / name, save=True).paths
        for each, name in ((path, "gz"), (small_niriss.exposure, "plain"))
    ]
    for kind in OURS:
        packed, plain = planes(rates[0][kind]), planes(rates[1][kind])
        assert rates[0][kind].name == rates[1][kind].name
        assert packed.keys() == plain.keys()
        assert all(packed[name].tobytes() == plain[name].tobytes() for name in plain)


def test_the_input_is_not_touched(copied, small_niriss, tmp_path):
    path = copied(small_niriss)
    path.chmod(0o444)
    before, state = path.read_bytes(), path.stat()
    heliodor.run(path, folders=small_niriss.references, out=tmp_path, save=True)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == state.st_mtime_ns
    assert list(path.parent.iterdir()) == [path]


# ------------------------------------------------------------------ an exposure not of our making

SIMULATED_BY_OTHERS = Path(__file__).parents[2] / "shared/data/niriss_ami/sim_uncal"


@pytest.mark.skipif(not SIMULATED_BY_OTHERS.is_dir(), reason="the exposure is not at hand")
def test_an_exposure_of_other_software(simulated, tmp_path):
    """Interferometry of a binary, made for commissioning; references that fit its subarray."""
    (path,) = SIMULATED_BY_OTHERS.glob("*_uncal.fits")
    raw = exposures.look(path)
    made = simulated("niriss-imaging", subarray="SUB80", ngroups=raw.shape[1])
    steps = heliodor.plan(made.exposure, folders=made.references).steps
    files = {kind: file for step in steps for kind, file in step.files.items()}
    done = heliodor.run(path, references=files, out=tmp_path, save=True)
    with opened(done.paths["rateints"]) as rates:
        assert rates.data.shape == (raw.shape[0], *raw.shape[2:])
        assert rates.meta.exposure.type == raw.keywords["EXP_TYPE"]
        lit = rates.dq[0] & datamodels.dqflags.pixel["REFERENCE_PIXEL"] == 0
        assert np.isfinite(rates.data[0][lit]).mean() > 0.9
