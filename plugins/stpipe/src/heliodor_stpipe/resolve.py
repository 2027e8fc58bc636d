"""Makes a declaration of a foreign step: what it says itself, and what a step of ours knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from heliodor.declare import ANY, PLANES, Output, Phase, RefNeed, StepSpec
from heliodor.engine import load
from heliodor.plugins import registry
from heliodor.products.layout import layout

from heliodor_stpipe.foreign import attribute, distribution, step_class
from heliodor_stpipe.params import GIVES

BITS = ("DO_NOT_USE", "SATURATED", "JUMP_DET")
KEYS = ("DETECTOR", "READPATT", "SUBARRAY", "FILTER", "PUPIL", "GRATING", "BAND", "CHANNEL")
"""What tells reference files of a type from each other that no step of ours needs."""

_OVERRIDE = "override_{}"


def resolve(rest: str, instead_of: StepSpec | None = None) -> StepSpec:
    """Declare ``stpipe:REST``.

    Parameters
    ----------
    rest : ``package.module.Class``
    instead_of : the step of ours that it stands in for, or None

    Returns
    -------
    StepSpec
        What stpipe cannot say - what the step works on, what it makes, by which keywords its
        references are chosen - is taken from the step it stands in for, or else from the one of
        ours whose name is the alias of the class or of one of its bases.
    """
    found = step_class(rest)
    own = relative(found)
    like = instead_of or own
    same = own is not None and found.class_alias == own.name
    params = f"heliodor_stpipe.params:{attribute(rest)}"
    makes = tuple(_makes(like, load(params).model_fields))
    names = ",".join(output.name + "?" * (output.option in GIVES) for output in makes)
    converts = any(not output.option for output in makes)
    return StepSpec(
        name=instead_of.name if instead_of else f"stpipe:{rest}",
        impl=f"heliodor_stpipe.steps:{attribute(rest)}->{names}",
        params=params,
        summary=(found.__doc__ or "").strip().partition("\n")[0] or f"{found.__name__}.",
        status=like.status if like and (instead_of or same) else _status(found),
        applies=instead_of.applies if instead_of else ANY,
        phases=(Phase("lend", looks="exposure", writes=() if converts else PLANES),),
        refs=tuple(_needs(found, like)),
        sets_bits=like.sets_bits if like else BITS,
        takes=like.takes if like else "ramp",
        makes=makes,
        stripes=like.stripes if like else True,
        in_memory=True,
        version=distribution(found),
    )


def relative(found: Any) -> StepSpec | None:
    """Find the step of ours that a class, or the nearest of its bases, is another version of."""
    steps = registry().steps
    for base in found.__mro__:
        offers = steps.get(vars(base).get("class_alias") or "", ())
        if offers:
            return next((o.spec for o in offers if o.spec.applies == ANY), offers[0].spec)
    return None


def _makes(like: StepSpec | None, parameters: Iterable[str]) -> Iterator[Output]:
    """Say what may come out: as of the step of ours, or what the user says by a parameter."""
    if like is None:
        for option, name in GIVES.items():
            yield Output(name, axes="iyx" if name == "rateints" else "yx", option=option)
    else:
        yield from (each for each in like.makes if not each.option or each.option in parameters)


def _needs(found: Any, like: StepSpec | None) -> Iterator[RefNeed]:
    """Ask our selectors for its references; what they have not, the step may ask CRDS for."""
    declared = [
        *(like.refs if like else ()),
        *(need for offers in registry().steps.values() for o in offers for need in o.spec.refs),
    ]
    for name in dict.fromkeys(found.reference_file_types):
        known = next((need for need in declared if need.type == name), None)
        keys, planes = (known.keys, known.planes) if known else (KEYS, 1)
        header = known.header if known else _keyword(("meta", "ref_file", name, "name"))
        yield RefNeed(
            name,
            keys=keys,
            optional=True,
            unless=_OVERRIDE.format(name),
            planes=planes,
            header=header,
        )


def _status(found: Any) -> str:
    """Name the keyword of its outcome: its own, the schema's, or one made of its name."""
    alias = found.class_alias or found.__name__.removesuffix("Step").lower()
    own = getattr(found, "fits_keyword", None) or _keyword(("meta", "cal_step", alias))
    return own or f"S_{re.sub(r'[^A-Z0-9]', '', alias.upper())[:6]}"


def _keyword(path: tuple[str, ...]) -> str:
    """Find the keyword of an entry of the models' schema; empty if there is none."""
    return next((key.name for key in layout("RampModel").keys if key.path == path), "")
