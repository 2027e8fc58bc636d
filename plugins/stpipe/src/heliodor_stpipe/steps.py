"""Foreign steps as ours: ``heliodor_stpipe.steps:package/module/Class->PRODUCTS`` is a class."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from heliodor.data import Product, Ramp
from heliodor.engine import load
from heliodor.errors import HeliodorError, StepError
from heliodor.params import Params
from heliodor.step import References, Skipped, Step

from heliodor_stpipe.foreign import distribution, step_class
from heliodor_stpipe.models import KINDS, Loan
from heliodor_stpipe.params import GIVES


class ForeignStep(Step[Params]):
    """A Step of stpipe, called with the whole exposure.

    Attributes
    ----------
    path : ``package.module.Class`` of the Step
    makes : products it may give; with a ``?``, if the user says that it does
    """

    path: ClassVar[str] = ""
    makes: ClassVar[tuple[str, ...]] = ()

    def prepare(self, data: Ramp | Product, refs: References) -> Skipped | None:
        """Make the foreign step, with its parameters and the references that were found."""
        given = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in self.params
            if name not in ("skip", *GIVES) and value is not None
        }
        overrides = {f"override_{name}": str(refs[name].path) for name in refs}
        overrides |= {f"override_{name}": "N/A" for name in refs.none}
        with self._named():
            self.foreign = step_class(self.path)(**{**overrides, **given})
        self.products: dict[str, Product] = {}
        self.skipped = False
        return None

    def lend(self, data: Ramp | Product, piece: object = None) -> None:
        """Call it with a model of the exposure, and take back what it returns."""
        loan = Loan(data)
        self._keep_what_it_saves(loan)
        self._keep_references()
        module = type(self.foreign).__module__
        loggers = (module.rpartition(".")[0] or module, self.foreign.qualified_name)
        with self._named(), _listening(*loggers) as self.said:
            returned = self.foreign.run(loan.model)
        returned = list(_models(returned))
        if not returned:
            raise StepError(f"{self.path} returned no model")
        self.skipped = any(loan.skipped(model) for model in returned)
        if self.skipped:
            return
        for model in returned:
            if loan.same_kind(model):
                loan.take_back(model)
            else:
                kind = self._kind(type(model).__name__)
                self.products[kind] = loan.product(model, kind)

    def finish(self, data: Ramp | Product) -> dict[str, Product] | Skipped | None:
        """Give its products, or say that it has left itself out."""
        if self.skipped:
            return Skipped("; ".join(self.said[-2:]) or f"{self.path} left itself out")
        return self.products

    def _kind(self, model: str) -> str:
        kind = KINDS.get(model, "")
        may = f"{kind}?" in self.makes
        if kind in self.makes or (may and getattr(self.params, f"gives_{kind}")):
            return kind
        hint = f" Set gives_{kind}: true if it is to." if may else ""
        raise StepError(
            f"{self.path} returned a {model}, which has no place after this step.{hint}"
        )

    def _keep_what_it_saves(self, loan: Loan) -> None:
        """Make products of what it would write to files, as far as the pipeline has a place."""
        write = self.foreign.save_model

        def save_model(model: Any, suffix: str | None = None, *args: Any, **kwargs: Any) -> Any:
            if suffix in self.makes and suffix is not None:
                self.products[suffix] = loan.product(model, suffix)
                return None
            return write(model, suffix, *args, **kwargs)

        self.foreign.save_model = save_model

    def _keep_references(self) -> None:
        """Record references by name; only where CRDS has chosen one is it asked for its context."""
        finalize = self.foreign.finalize_result

        def finalize_result(model: Any, used: Iterable[tuple[str, str]]) -> None:
            used = [(kind, _short(name)) for kind, name in used]
            if any(name.startswith("crds://") for _, name in used):
                finalize(model, used)
            elif hasattr(model, "meta"):
                for kind, name in used:
                    if hasattr(model.meta.ref_file, kind):
                        getattr(model.meta.ref_file, kind).name = name

        self.foreign.finalize_result = finalize_result

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of an exception whose code raised it."""
        try:
            yield
        except HeliodorError:
            raise
        except Exception as error:
            where = f"{self.path} of {distribution(step_class(self.path))}"
            raise StepError(f"{where} failed: {type(error).__name__}: {error}") from error


def _short(name: str) -> str:
    return Path(name).name if Path(name).is_absolute() else name


def _models(returned: Any) -> Iterator[Any]:
    """Go through what a step has returned: a model, or several, or None among them."""
    if isinstance(returned, list | tuple):
        for each in returned:
            yield from _models(each)
    elif hasattr(returned, "meta"):
        yield returned
    elif returned is not None:
        raise StepError(f"it returned a {type(returned).__name__}, not a data model")


class _Listener(logging.Filter):
    """Hears everything that is logged, and lets pass what would have been logged without it."""

    def __init__(self, level: int, said: list[str]):
        super().__init__()
        self.level = level
        self.said = said

    def filter(self, record: logging.LogRecord) -> bool:
        self.said.append(record.getMessage().rstrip(" ;."))
        return record.levelno >= self.level


@contextmanager
def _listening(*packages: str) -> Iterator[list[str]]:
    """Collect what the loggers of packages say, in order, from the level INFO on."""
    said: list[str] = []
    names = [
        name
        for name in logging.root.manager.loggerDict
        if any(f"{name}.".startswith(f"{package}.") for package in packages)
    ]
    with ExitStack() as stack:
        for logger in map(logging.getLogger, names):
            listener = _Listener(logger.getEffectiveLevel(), said)
            logger.addFilter(listener)
            stack.callback(logger.removeFilter, listener)
            stack.callback(logger.setLevel, logger.level)
        for logger in map(logging.getLogger, names):
            logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
        yield said


@cache
def __getattr__(name: str) -> Any:
    place, arrow, makes = name.partition("->")
    path = place.replace("/", ".")
    if not arrow:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    members = {
        "__doc__": step_class(path).__doc__,
        "Params": load(f"heliodor_stpipe.params:{place}"),
        "path": path,
        "makes": tuple(filter(None, makes.split(","))),
    }
    return type(path.rpartition(".")[2], (ForeignStep,), members)
