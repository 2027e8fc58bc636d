"""Parameters of guider_cds."""

from heliodor.params import Params


class GuiderCDSParams(Params):
    """There are none beyond `skip`."""
