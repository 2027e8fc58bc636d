import logging
import subprocess
import sys
import warnings

import numpy as np
import pytest
from astropy.io import fits
from heliodor import exposures, products, receipt
from heliodor.data import Keywords, Product
from heliodor.errors import OutputError
from heliodor.products import assemble
from stdatamodels import fits_support
from stdatamodels.jwst import datamodels


def image_planes(shape):
    rng = np.random.default_rng(3)
    names = ("data", "err", "var_poisson", "var_rnoise")
    planes = {name: rng.normal(size=shape).astype(np.float32) for name in names}
    planes["data"].flat[0] = np.nan
    planes["dq"] = rng.integers(0, 1 << 32, shape, np.uint32)
    return planes


@pytest.fixture
def make_rate(make_uncal):
    def make(model="ImageModel", **options):
        ramp = exposures.read_ramp(exposures.look(make_uncal(**options)))
        nints, _, ny, nx = ramp.shape
        shape = (ny, nx) if model == "ImageModel" else (nints, ny, nx)
        kind = "rate" if model == "ImageModel" else "rateints"
        return Product(kind, model, image_planes(shape), ramp.keywords, source=ramp.source)

    return make


def open_strictly(path):
    """Open with every check there is; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = datamodels.open(path, strict_validation=True, validate_arrays=True)
        model.validate()
    return model


@pytest.mark.parametrize("kind", ["ImageModel", "CubeModel"])
def test_opens_as_its_model(make_rate, tmp_path, kind):
    product = make_rate(kind)
    path = products.write(product, tmp_path / "x_rate.fits")
    with open_strictly(path) as model:
        assert type(model).__name__ == kind
        for name, plane in product.planes.items():
            np.testing.assert_array_equal(getattr(model, name), plane)
        assert model.meta.instrument.name == "NIRCAM"
        assert model.meta.wcsinfo.ra_ref == 53.1625
        assert model.meta.bunit_data == model.meta.bunit_err == "DN/s"
        assert model.meta.filename == "x_rate.fits"
        assert model.meta.calibration_software_version == "3.0.0"
        if kind == "CubeModel":
            assert list(model.int_times["integration_number"]) == [1, 2]


@pytest.mark.parametrize("kind", ["ImageModel", "CubeModel"])
def test_the_tree_needs_no_update_from_the_headers(make_rate, tmp_path, kind):
    """What stdatamodels would read from headers is what the tree says already."""
    path = products.write(make_rate(kind, keywords={"MYKEY": 3}), tmp_path / "x.fits")
    with fits.open(path) as hdus:
        model = getattr(datamodels, kind)
        tree = fits_support.from_fits_asdf(hdus)
        assert fits_support._can_skip_fits_update(hdus, tree, model())
        hdus[0].header["ADDED"] = 1
        updated = model(hdus).to_flat_dict(include_arrays=False)
    with datamodels.open(path) as opened:
        same = opened.to_flat_dict(include_arrays=False)
    assert {name for name in updated if updated[name] != same.get(name)} == {
        name for name in updated if name not in same
    }
    new = [name for name in updated if name not in same]
    assert {updated[name] for name in new} == {"ADDED", 1, ""}


def test_header_is_the_one_stdatamodels_writes(make_rate, tmp_path):
    path = products.write(make_rate("CubeModel"), tmp_path / "x_rateints.fits")
    with open_strictly(path) as model:
        del model.extra_fits
        model.save(str(tmp_path / "theirs.fits"))
    with fits.open(path) as ours, fits.open(tmp_path / "theirs.fits") as theirs:
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
            if mine.name == "INT_TIMES":
                continue
            cards = [
                card.image
                for card in mine.header.cards
                if card.keyword not in ("DATE", "HELIODOR", "FILENAME")
            ]
            expected = [
                card.image
                for card in other.header.cards
                if card.keyword not in ("DATE", "FILENAME")
            ]
            assert cards == expected


def test_verifies_as_fits(make_rate, tmp_path):
    path = products.write(make_rate(), tmp_path / "x.fits")
    assert path.stat().st_size % 2880 == 0
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert hdus[0].header["HELIODOR"]
        assert hdus[0].header["DATAMODL"] == "ImageModel"
        assert "FILETYPE" not in hdus[0].header


def test_statuses_references_and_context(make_rate, tmp_path):
    provenance = products.Provenance(
        status={"S_JUMP": "COMPLETE", "S_MINE": "SKIPPED"},
        references={"gain": ("R_GAIN", "gain.fits"), "mine": ("R_MINE", "mine.fits")},
        context="jwst_1303.pmap",
    )
    path = products.write(make_rate(), tmp_path / "x.fits", provenance)
    with open_strictly(path) as model:
        assert model.meta.cal_step.jump == "COMPLETE"
        assert model.meta.ref_file.gain.name == "gain.fits"
        assert model.meta.ref_file.crds.context_used == "jwst_1303.pmap"
        extra = {card[0]: card[1] for card in model.extra_fits.PRIMARY.header}
        assert extra["S_MINE"] == "SKIPPED"
        assert extra["R_MINE"] == "mine.fits"
        model.save(str(tmp_path / "again.fits"))
    assert fits.getval(tmp_path / "again.fits", "S_MINE") == "SKIPPED"


def test_keywords_set_by_steps(make_rate, tmp_path):
    product = make_rate(keywords={"GROUPGAP": 4, "MINE": 1})
    product.keywords["PRIMECRS"] = np.float32(0.25)
    product.keywords["RA_REF"] = 10
    product.keywords["MINE"] = np.int64(2)
    product.keywords["GROUPGAP"] = None
    path = products.write(product, tmp_path / "x.fits")
    with open_strictly(path) as model:
        assert model.meta.exposure.primary_cosmic_rays == 0.25
        assert model.meta.wcsinfo.ra_ref == 10
        assert model.meta.exposure.groupgap is None
    header = fits.getheader(path)
    assert header["MINE"] == 2
    assert header.count("MINE") == 1


def test_refused_values_are_named(make_rate, tmp_path, caplog):
    assemble._warn_once.cache_clear()
    product = make_rate(keywords={"FILTER": "F999W", "GROUPGAP": "three"})
    with caplog.at_level(logging.WARNING):
        path = products.write(product, tmp_path / "x.fits")
    assert "uncal.fits: FILTER = 'F999W' is left out: the schema allows" in caplog.text
    assert (
        "GROUPGAP = 'three' is left out: the schema allows a value of type integer" in caplog.text
    )
    open_strictly(path).close()


def unknown_extensions():
    table = fits.BinTableHDU.from_columns([fits.Column("s", "3A", array=["a", "bc"])], name="MYTAB")
    table.header["TABKEY"] = (4, "of the table")
    return (
        fits.ImageHDU(np.arange(32, dtype=np.uint16).reshape(4, 8), name="MYMAP"),
        fits.ImageHDU(np.zeros((2, 4, 8), np.float32), name="MYINTS"),
        fits.ImageHDU(np.zeros((2, 3, 4, 8), np.float32), name="MYRAMP"),
        fits.ImageHDU(np.arange(5), name="OTHER"),
        table,
    )


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("ImageModel", ["MYMAP", "OTHER", "MYTAB"]),
        ("CubeModel", ["MYMAP", "MYINTS", "OTHER", "MYTAB"]),
    ],
)
def test_unknown_extensions_go_where_they_fit(make_rate, tmp_path, model, kept):
    product = make_rate(model, extensions=unknown_extensions())
    path = products.write(product, tmp_path / "x.fits")
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus if hdu.name.startswith(("MY", "OTHER"))] == kept
        assert list(hdus["MYTAB"].data["s"]) == ["a", "bc"]
        assert hdus["MYTAB"].header["TABKEY"] == 4
        assert hdus["MYMAP"].data.dtype == np.uint16
    with open_strictly(path) as opened:
        np.testing.assert_array_equal(opened.extra_fits.MYMAP.data, np.arange(32).reshape(4, 8))
        assert [list(card) for card in opened.extra_fits.MYTAB.header] == [
            ["TABKEY", 4, "of the table"]
        ]


def test_unknown_keywords_history_and_tree_are_kept(make_uncal, tmp_path):
    path = make_uncal(tree="meta: {exposure: {read_times: [[1.0]]}}\nmine: {a: [1, x]}")
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["MYKEY"] = (3.5, "my comment")
        hdus[0].header["HISTORY"] = "made by hand"
        hdus[0].header["COMMENT"] = "one"
        hdus[0].header["COMMENT"] = "two"
        hdus["SCI"].header["MYSCI"] = True
    ramp = exposures.read_ramp(exposures.look(path))
    product = Product("rate", "ImageModel", image_planes((4, 8)), ramp.keywords, source=ramp.source)
    out = products.write(product, tmp_path / "x_rate.fits")
    with fits.open(out) as hdus:
        assert hdus[0].header["MYKEY"] == 3.5
        assert hdus[0].header.comments["MYKEY"] == "my comment"
        assert list(hdus[0].header["HISTORY"]) == ["made by hand"]
        assert list(hdus[0].header["COMMENT"]) == ["one", "two"]
        assert hdus["SCI"].header["MYSCI"] is True
    with open_strictly(out) as model:
        assert model.meta.exposure.read_times == [[1.0]]
        assert model.mine.a == [1, "x"]


def test_receipt_survives_stdatamodels(make_rate, tmp_path):
    mine = receipt.Receipt("0.1.0", plugins={"heliodor-detector": "0.1.0"}, options={"x": "01"})
    path = products.write(make_rate(), tmp_path / "x.fits", products.Provenance(receipt=mine))
    assert receipt.read(path) == mine.as_data()
    with open_strictly(path) as model:
        model.save(str(tmp_path / "again.fits"))
    assert receipt.read(tmp_path / "again.fits") == mine.as_data()


def test_writing_imports_neither_asdf_nor_stdatamodels(make_rate, tmp_path):
    product = make_rate()
    products.write(product, tmp_path / "x.fits")  # the layout is in the cache from now on
    code = f"""
import sys, numpy as np
from heliodor import exposures, products
from heliodor.data import Product
exposure = exposures.look({str(product.source.path)!r}, stage=1)
planes = {{"data": np.zeros((4, 8), np.float32)}}
product = Product("rate", "ImageModel", planes, exposure.keywords, source=exposure)
products.write(product, {str(tmp_path / "y.fits")!r})
print([m for m in ("asdf", "stdatamodels", "numba", "gwcs", "scipy") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_source(tmp_path):
    keywords = Keywords({"INSTRUME": "MIRI"}, {"RA_REF": 5.0})
    product = Product("rate", "ImageModel", image_planes((4, 8)), keywords, unit="DN/s")
    with open_strictly(products.write(product, tmp_path / "x.fits")) as model:
        assert model.meta.instrument.name == "MIRI"
        assert model.meta.wcsinfo.ra_ref == 5.0


def test_fitopt(make_uncal, tmp_path):
    ramp = exposures.read_ramp(exposures.look(make_uncal()))
    names = [
        "slope",
        "sigslope",
        "var_poisson",
        "var_rnoise",
        "yint",
        "sigyint",
        "weights",
        "crmag",
    ]
    planes = {name: np.full((2, 2, 4, 8), i, np.float32) for i, name in enumerate(names)}
    planes["pedestal"] = np.zeros((2, 4, 8), np.float32)
    product = Product("fitopt", "RampFitOutputModel", planes, ramp.keywords, source=ramp.source)
    with open_strictly(products.write(product, tmp_path / "x_fitopt.fits")) as model:
        assert type(model).__name__ == "RampFitOutputModel"
        assert (model.yint == 4).all()


def test_planes_the_model_does_not_have(make_rate, tmp_path):
    product = make_rate()
    product.planes["var_poison"] = product.planes["data"]
    with pytest.raises(OutputError, match="Did you mean 'var_poisson'"):
        products.write(product, tmp_path / "x.fits")
    product = make_rate()
    product.planes["data"] = np.zeros((2, 4, 8), np.float32)
    with pytest.raises(OutputError, match=r"data has shape \(2, 4, 8\); ImageModel wants 2 axes"):
        products.write(product, tmp_path / "x.fits")


def test_ramp_there_and_back(make_uncal, tmp_path):
    rng = np.random.default_rng(5)
    zero = rng.integers(0, 60000, (2, 4, 8), np.uint16)
    refout = rng.integers(0, 60000, (2, 3, 4, 2), np.uint16)
    added = fits.ImageHDU(zero, name="ZEROFRAME"), fits.ImageHDU(refout, name="REFOUT")
    exposure = exposures.look(make_uncal(keywords={"ZEROFRAM": True}, extensions=added))
    ramp = exposures.read_ramp(exposure)
    ramp.data[0, 1] = np.nan
    ramp.groupdq[:] = rng.integers(0, 256, ramp.shape, np.uint8)
    ramp.pixeldq[:] = rng.integers(0, 1 << 32, ramp.shape[2:], np.uint32)
    ramp.zeroframe += 0.5
    ramp.extra["AVDRKCUR"] = rng.normal(size=(4, 8)).astype(np.float32)
    ramp.extra["MYPLANE"] = np.ones((4, 8), np.float32)
    path = products.write_ramp(ramp, tmp_path / "x_ramp.fits")
    again = exposures.look(path, stage=1)
    assert again.level == "ramp"
    assert again.planes == (
        "SCI", "PIXELDQ", "GROUPDQ", "ZEROFRAME", "REFOUT", "AVDRKCUR", "INT_TIMES", "MYPLANE",
        "ASDF",
    )  # fmt: skip
    back = exposures.read_ramp(again)
    for name in ("data", "groupdq", "pixeldq", "zeroframe"):
        np.testing.assert_array_equal(getattr(back, name), getattr(ramp, name))
    np.testing.assert_array_equal(back.extra["AVDRKCUR"], ramp.extra["AVDRKCUR"])
    with open_strictly(path) as model:
        assert type(model).__name__ == "RampModel"
        assert model.refout.dtype.kind == "f"
        np.testing.assert_array_equal(model.refout, refout)
        assert model.meta.bunit_data == "DN"


def test_zeroframe_no_step_has_touched_goes_on(make_uncal, tmp_path):
    zero = np.arange(2 * 4 * 8, dtype=np.uint16).reshape(2, 4, 8)
    path = make_uncal(extensions=(fits.ImageHDU(zero, name="ZEROFRAME"),))
    ramp = exposures.read_ramp(exposures.look(path))
    out = products.write_ramp(ramp, tmp_path / "x_ramp.fits")
    np.testing.assert_array_equal(fits.getdata(out, "ZEROFRAME"), zero)
