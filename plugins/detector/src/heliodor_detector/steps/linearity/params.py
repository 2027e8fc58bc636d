"""Parameters of linearity."""

from heliodor.params import Params, parameter


class LinearityParams(Params):
    """How groups of several frames are corrected."""

    frames_of_stripes: bool = parameter(
        True,
        "Correct averaged groups frame by frame in exposures in stripes as in others; the "
        "operational pipeline corrects the average of such an exposure.",
    )
