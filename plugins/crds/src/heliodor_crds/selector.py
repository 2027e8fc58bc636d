"""The reference selector that follows the rules of CRDS."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from heliodor.declare import RefNeed
from heliodor.errors import ReferenceError, UsageError
from heliodor.references.selectors import (
    Answer,
    Considered,
    Found,
    NotApplicable,
    Sources,
    Unknown,
)

from heliodor_crds import settings

if TYPE_CHECKING:
    from heliodor_crds.contexts import Context
    from heliodor_crds.keywords import Parameters

NAME = re.compile(r"jwst_([a-z]+)_[\w-]+\.\w+")
"""Names that CRDS gives: ``jwst_nircam_dark_0420.fits``."""

UNSET = "CRDS_PATH is not set"
FETCH = "heliodor_crds.fetch:fetch"
NOBODY = "not in the cache, and CRDS_SERVER_URL names no server"


class Crds:
    """Reference files by the rules of a CRDS context, from a local cache."""

    def __init__(self, sources: Sources):
        self._wanted = sources.context or sources.usual_context
        self._online = sources.online
        self._settings = settings.read()
        # without a cache, contexts of other names are for other sources
        if self._settings is None and sources.context.startswith(settings.OBSERVATORY):
            raise UsageError(f"--context {sources.context}: {UNSET}, there are no rules to follow.")

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer by the rules.

        Raises
        ------
        heliodor.errors.ReferenceError
            A mapping is missing or broken, or the file chosen was declared invalid.
        """
        if self._settings is None:
            return {need.type: Unknown(UNSET) for need in wanted}
        from heliodor_crds.keywords import Parameters

        values, context = Parameters(keywords), self._context
        try:
            return _sized({need.type: self._one(need.type, values) for need in wanted})
        finally:
            context.keep()

    def considered(self, need: RefNeed, keywords: Mapping[str, Any]) -> tuple[Considered, ...]:
        """Give the files in the rules for a type, the nearest to the exposure first."""
        if self._settings is None:
            return ()
        from heliodor_crds.explaining import considered
        from heliodor_crds.keywords import Parameters

        values = Parameters(keywords)
        rules = self._context.rules(need.type, _instrument(values))
        return () if rules is None or isinstance(rules, str) else considered(rules, values)

    def locate(self, names: Collection[str]) -> Mapping[str, Found]:
        """Say where files are, or belong, that have names of CRDS; no rules are asked."""
        if self._settings is None:
            return {}
        from heliodor_crds.cache import Cache

        cache = Cache(self._settings)
        named = [(name, match[1]) for name in names if (match := NAME.fullmatch(name))]
        fetch = FETCH if self._connected else ""
        return {
            name: Found(cache.reference(name, instrument), "by its name", fetch=fetch)
            for name, instrument in named
        }

    @cached_property
    def _context(self) -> Context:
        from heliodor_crds.contexts import opened

        assert self._settings is not None
        return opened(self._settings, self._wanted, self._online)

    def _one(self, type: str, values: Parameters) -> Answer:
        from heliodor_crds.rules import OMITTED, NoFile

        context = self._context
        instrument = _instrument(values)
        rules = context.rules(type, instrument)
        if rules is None:
            known = instrument.lower() in context.instruments
            what = f"{type} of {instrument}" if known else f"the instrument {instrument}"
            return Unknown(f"{context.name} has no rules for {what}")
        if isinstance(rules, str):
            left = "leaves out" if rules in OMITTED else "has no"
            return NotApplicable(f"{context.name} {left} {type} for {instrument}")
        try:
            choice = rules.choose(values)
        except NoFile as error:
            return Unknown(f"{rules.name}: {error}")
        why = f"{rules.name}: {choice.why}" if choice.why else rules.name
        if not choice.name:
            return NotApplicable(why)
        if not isinstance(choice.name, str):
            return Unknown(f"{why}: equally good: {', '.join(choice.name)}")
        self._refuse_bad(choice.name, rules.name, context.instruments[instrument.lower()])
        path = context.cache.reference(choice.name, instrument)
        found = Found(path, why, context.name, fetch=FETCH if self._connected else "")
        if found.absent and not found.fetch:
            return replace(found, why=f"{why}; {NOBODY}")
        return found

    @property
    def _connected(self) -> bool:
        return self._settings is not None and self._settings.connected

    def _refuse_bad(self, file: str, *rules: str) -> None:
        bad = self._context.cache.bad
        for name in (file, *rules, self._context.name):
            switch = "REFERENCES" if name == file else "RULES"
            if name in bad and not settings.is_set(f"CRDS_ALLOW_BAD_{switch}"):
                raise ReferenceError(
                    f"{name} was declared scientifically invalid by the observatory; "
                    f"CRDS_ALLOW_BAD_{switch}=1 uses it nevertheless."
                )


def _sized(answers: dict[str, Answer]) -> dict[str, Answer]:
    """Note how large the files are that are still to be fetched, where that is known."""
    absent = {
        type: each for type, each in answers.items() if isinstance(each, Found) and each.absent
    }
    if not absent:
        return answers
    from heliodor_crds.sizes import remembered

    sizes = remembered(each.path.name for each in absent.values())
    return answers | {
        type: replace(each, size=sizes.get(each.path.name)) for type, each in absent.items()
    }


def _instrument(values: Parameters) -> str:
    return values["META.INSTRUMENT.NAME"]
