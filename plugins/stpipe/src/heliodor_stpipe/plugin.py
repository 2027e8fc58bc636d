"""What this distribution offers: every stpipe Step, by the name of its class."""

from __future__ import annotations

from heliodor.declare import Scheme
from heliodor.hookspecs import hookimpl


@hookimpl
def heliodor_schemes() -> list[Scheme]:
    """Offer ``stpipe:package.module.Class``."""
    return [
        Scheme(
            name="stpipe",
            help="a Step of stpipe by its class, such as stpipe:jwst.jump.JumpStep",
            impl="heliodor_stpipe.resolve:resolve",
        )
    ]
