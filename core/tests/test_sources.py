import numpy as np
from heliodor import exposures
from heliodor.sources import Retabled

TIMES = np.array([(1, 2.5), (2, 3.5)], [("integration_number", ">i4"), ("start", ">f8")])


def test_tables_are_replaced_added_and_taken_away(make_uncal):
    exposure = exposures.look(make_uncal())
    source = Retabled(exposure, {"INT_TIMES_STRIPE": TIMES, "INT_TIMES": None})
    with source.open() as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "ASDF", "INT_TIMES_STRIPE"]
        stored = hdus["INT_TIMES_STRIPE"].data
        np.testing.assert_array_equal(stored["start"], [2.5, 3.5])
        assert hdus["SCI"].header["RA_REF"] == 53.1625
    with Retabled(source, {"INT_TIMES": TIMES}).open() as hdus:
        assert "INT_TIMES_STRIPE" in hdus
        np.testing.assert_array_equal(hdus["INT_TIMES"].data["integration_number"], [1, 2])
    with exposure.open() as hdus:  # the file is as it was
        assert len(hdus["INT_TIMES"].data.names) == 7
