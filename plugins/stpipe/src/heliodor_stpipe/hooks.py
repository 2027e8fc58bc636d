"""Our steps as hooks of `jwst`: a Step of stpipe that calls one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from heliodor import run_step
from heliodor.documents.fields import label_of
from heliodor.errors import UsageError
from stpipe import Step

if TYPE_CHECKING:
    from stdatamodels.jwst.datamodels import JwstDataModel

Given = Mapping[str, str | Path] | str | Path | None


class Hook(Step):
    """A step of Heliodor, before or after a step of `jwst`.

    What it is called with - a model, or a tuple of them - is returned with the same kind of models.

    Raises
    ------
    heliodor.errors.UsageError
        The step makes products of another kind.
    """

    spec = """
        step = string()  # As in Heliodor's documents: clean_flicker_noise, my_steps.py:destripe
        set = force_list(default=list())  # Its parameters, as NAME=VALUE
        references = string(default=None)  # Folder of reference files
        use = string(default=None)  # Distribution whose implementation is wanted
        output_ext = string(default='.fits')
    """

    parameters: ClassVar[Mapping[str, Any]] = {}
    files: ClassVar[Given] = None

    def process(self, models: Any) -> Any:
        """Run the step."""
        if isinstance(models, list | tuple):
            return type(models)(None if model is None else self._run(model) for model in models)
        return self._run(models)

    def _run(self, model: JwstDataModel) -> JwstDataModel:
        given = {
            name.strip(): value for name, _, value in (each.partition("=") for each in self.set)
        }
        result = run_step(
            self.step,
            model,
            references=self.files or self.references,
            use=self.use,
            **{**given, **self.parameters},
        )
        if isinstance(result, dict):
            raise UsageError(
                f"{self.step} makes {', '.join(result)}: a hook gives back what it was given."
            )
        result.meta.filename = model.meta.filename
        return result


def hook(step: str, *, references: Given = None, use: str | None = None, **parameters: Any) -> Hook:
    """Make a hook of a step of ours; see `heliodor_stpipe.hook`."""
    made = Hook(name=label_of(step), step=step, use=use)
    made.files = references  # type: ignore[misc]
    made.parameters = parameters  # type: ignore[misc]
    return made
