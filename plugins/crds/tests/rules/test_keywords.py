"""Names that rules use, and the keywords that these are."""

from __future__ import annotations

import pytest
from heliodor_crds.keywords import KEYWORDS, Parameters, keyword


def test_names_and_keywords_are_those_of_the_data_models():
    schema = pytest.importorskip("stdatamodels.schema")
    datamodels = pytest.importorskip("stdatamodels.jwst.datamodels")
    known = {}

    def note(part, path, *_):
        if part.get("fits_hdu", "PRIMARY") == "PRIMARY" and "fits_keyword" in part:
            known[".".join(path).upper()] = part["fits_keyword"]

    schema.walk_schema(datamodels.JwstDataModel().schema, note)
    assert {name: known.get(name) for name in KEYWORDS} == KEYWORDS
    families = ("EXPOSURE", "INSTRUMENT", "OBSERVATION", "SUBARRAY", "VISIT")
    telling = {name for name in known if name.split(".")[1] in families}
    assert len(telling) > 100
    assert telling <= KEYWORDS.keys()


def test_values_are_conditioned_when_they_are_asked_for():
    values = Parameters({"TSOVISIT": True, "CHANNEL": 12, "FILTER": " f070w", "ODD": None})
    assert values["META.VISIT.TSOVISIT"] == "T"
    assert values["META.INSTRUMENT.CHANNEL"] == "12.0"
    assert values["META.INSTRUMENT.FILTER"] == "F070W"
    assert values["META.INSTRUMENT.PUPIL"] == values["ODD"] == "UNDEFINED"
    assert keyword("REFTYPE") == "REFTYPE"
