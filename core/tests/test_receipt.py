import json

import numpy as np
import pytest
from astropy.io import fits
from heliodor import receipt
from heliodor.errors import HeliodorError


def test_a_receipt_is_plain_data():
    step = receipt.StepRecord(
        "jump",
        "heliodor-detector 0.1.0",
        "1",
        "COMPLETE",
        seconds=np.float64(0.5),
        parameters=(receipt.ParameterRecord("rejection_threshold", np.float32(4), "default"),),
        references=(receipt.ReferenceRecord("gain", "gain.fits", "abc"),),
        flagged={"JUMP_DET": np.int64(7)},
    )
    whole = receipt.Receipt("0.1.0", steps=(step,), options={"threads": 2, "out": None})
    data = whole.as_data()
    assert json.loads(json.dumps(data)) == data
    assert data["steps"][0]["flagged"] == {"JUMP_DET": 7}
    assert data["steps"][0]["parameters"][0]["value"] == 4.0
    assert type(data["steps"][0]["seconds"]) is float
    assert data["format"] == receipt.FORMAT


def test_plain_turns_what_it_does_not_know_into_text(tmp_path):
    assert receipt.plain({1: (np.bool_(True), tmp_path, np.arange(2))}) == {
        "1": [True, str(tmp_path), [0, 1]]
    }


def test_files_without_a_receipt(tmp_path, make_uncal):
    with pytest.raises(HeliodorError, match="was not written by Heliodor"):
        receipt.read(make_uncal())
    path = tmp_path / "x.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(HeliodorError, match="holds no receipt"):
        receipt.read(path)
