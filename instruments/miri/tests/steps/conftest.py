from functools import partial

import pytest
from heliodor import testing


@pytest.fixture
def make_ramp():
    return partial(testing.make_ramp, INSTRUME="MIRI")


@pytest.fixture
def make_reference(tmp_path):
    return partial(testing.make_reference, tmp_path)
