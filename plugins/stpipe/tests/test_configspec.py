"""Checks as stpipe writes them, and the parameters they become; needs no stpipe."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from heliodor.errors import PluginError, UsageError
from heliodor.layers import Layered
from heliodor.params import allowed
from heliodor_stpipe.configspec import field, parse
from heliodor_stpipe.params import model

SPEC = {
    "rejection_threshold": ("float(default=4.0,min=0)", "# CR sigma rejection threshold"),
    "groups": ("integer(1, 9, default=3)", "# groups to use"),
    "neighbors": ("boolean(default=yes)", ""),
    "skip": ("boolean(default=True)", "# Skip this step"),
    "method": ("option('fft', 'median', default='median')", "# how"),
    "order": ("option(1, 2, None, default=1)", "# of the polynomial"),
    "cores": ("string(default='1', max=7)", "# cores for multiprocessing: 'half' # or 'all'"),
    "box": ("int_list(default=list(3, 5), min=2, max=2)", "# box size"),
    "waves": ("list(default=None)", "# wavelengths"),
    "area": ("float", "# no default"),
    "file": ("input_file(default=None)", "# a file"),
    "override_gain": ("is_string_or_datamodel(default=None)", "# Override the gain"),
}


@pytest.fixture(scope="module")
def params():
    return model("made.up.FilterStep", SPEC, gives=False)


def test_defaults_have_the_type_of_their_check(params):
    assert params().model_dump() == {
        "rejection_threshold": 4.0,
        "groups": 3,
        "neighbors": True,
        "skip": True,
        "method": "median",
        "order": "1",
        "cores": "1",
        "box": [3, 5],
        "waves": None,
        "area": None,
        "file": None,
        "override_gain": None,
    }


@pytest.mark.parametrize(
    ("check", "type_", "default"),
    [
        ("integer(default=1)", int, 1),
        ("float(default=1)", float, 1.0),
        ("float(default=-1e-3)", float, -1e-3),
        ("float(default=0.0),", float, 0.0),
        ("float(default=inf)", float, float("inf")),
        ("boolean(default=false)", bool, False),
        ("string(default=optimal)", str, "optimal"),
        ("string(default='')", str, ""),
        ("string(default=half-max)", str, "half-max"),
        ("option('a', b, default=b)", Literal["a", "b"], "b"),
        ("integer(default=None)", int | None, None),
        ("float_list(default=list())", list[float], []),
        ("force_list(default=list('a', 1))", list[int | float | str], ["a", 1]),
        ("is_datamodel(default=None)", str | None, None),
        ("input_file(default=None)", Path | None, None),
    ],
)
def test_a_check_becomes_a_type_and_a_default(check, type_, default):
    annotation, info = field(check, "# what it is")
    assert annotation == type_
    assert info.default == default
    assert type(info.default) is type(default)
    assert info.description == "what it is"


def test_a_check_that_is_none_is_refused():
    for text in ("float(default=", "[1]", "a.b(1)"):
        with pytest.raises(PluginError, match="no check"):
            parse(text)


def test_limits_are_those_of_the_check(params):
    told = {name: allowed(info) for name, info in params.model_fields.items()}
    assert told["rejection_threshold"] == "a number, at least 0"
    assert told["groups"] == "a whole number, at least 1, at most 9"
    assert told["box"] == "a list (each a whole number), 2 of them"
    assert told["cores"] == "text, 0 to 7 of them"
    assert told["method"] == "'fft' or 'median'"
    assert told["override_gain"] == "text or None"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rejection_threshold", -1),
        ("rejection_threshold", "many"),
        ("groups", 10),
        ("groups", 2.5),
        ("neighbors", "perhaps"),
        ("method", "mean"),
        ("box", [1]),
        ("box", "1,2,3"),
        ("rejection_treshold", 5),
        ("file", "nowhere.fits"),
    ],
)
def test_what_the_check_forbids_is_refused_with_its_origin(params, name, value):
    layers = Layered()
    layers.add("command line", "-p", "filter", name, value)
    with pytest.raises(UsageError, match=rf"filter\.{name}.*\(command line, -p\)"):
        layers.resolve("filter", params)


def test_text_of_a_command_line_is_understood(params):
    given = params(groups="5", box="7, 9", waves="1.5", area="2", neighbors="no", method="FFT")
    assert (given.groups, given.box, given.area) == (5, [7, 9], 2.0)
    assert (given.neighbors, given.method, given.waves) == (False, "fft", ["1.5"])


def test_the_comment_is_the_description(params):
    fields = params.model_fields
    assert fields["rejection_threshold"].description == "CR sigma rejection threshold"
    assert fields["cores"].description == "cores for multiprocessing: 'half' # or 'all'"
    assert fields["neighbors"].description


def test_origins_name_the_foreign_class(params):
    _, origins = Layered().resolve("filter", params)
    assert str(origins["groups"]) == "declared default, made.up.FilterStep"


def test_what_a_step_makes_can_be_said_only_where_nothing_else_tells():
    assert "gives_rate" not in model("made.up.FilterStep", SPEC, gives=False).model_fields
    assert model("made.up.FilterStep", SPEC, gives=True)().gives_rateints is False
