"""JSON Schemas: what is shipped and shown is valid, mistakes are not, nothing is forgotten."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from heliodor.documents import edits, nodereader, parse, when
from heliodor.documents.shipped import all_documents
from heliodor.documents.yaml import load
from heliodor.engine import load as load_path
from heliodor.errors import HeliodorError, UsageError
from heliodor.plugins import registry
from heliodor.schema import pipeline_schema, step_schema

ROOT = Path(__file__).parents[1]
PAGES = ("pipelines.md", "parameters.md")
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
KNOWN = {
    "$schema", "title", "description", "default", "unit", "definitions", "$ref", "type", "enum",
    "anyOf", "oneOf", "if", "then", "else", "required", "properties", "patternProperties",
    "additionalProperties", "minProperties", "maxProperties", "items", "minItems", "maxItems",
    "uniqueItems", "pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum",
}  # fmt: skip
"""Words of JSON Schema that `valid` understands, and that there may be."""


def valid(value, schema, root):
    """Whether a value is what a schema asks for; a small reading of draft 7."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        inner = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            inner = inner[part]
        return valid(value, inner, root)

    def ok(other, thing=value):
        return valid(thing, other, root)

    kinds = schema.get("type", list(TYPES))
    right = any(
        isinstance(value, TYPES[kind])
        and not (isinstance(value, bool) and kind in ("integer", "number"))
        for kind in ([kinds] if isinstance(kinds, str) else kinds)
    )
    tests = [
        right,
        value in schema.get("enum", [value]),
        "anyOf" not in schema or any(map(ok, schema["anyOf"])),
        "oneOf" not in schema or sum(map(ok, schema["oneOf"])) == 1,
        "if" not in schema or ok(schema["then" if ok(schema["if"]) else "else"]),
    ]
    if isinstance(value, dict):
        tests += [
            set(schema.get("required", ())) <= value.keys(),
            schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 1e9),
            all(_property_ok(key, item, schema, ok) for key, item in value.items()),
        ]
    if isinstance(value, list):
        tests += [
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1e9),
            not schema.get("uniqueItems") or len(set(map(str, value))) == len(value),
            all(ok(schema.get("items", {}), item) for item in value),
        ]
    if isinstance(value, str):
        tests.append(re.search(schema.get("pattern", ""), value) is not None)
    if isinstance(value, int | float):
        tests += [
            schema.get("minimum", value) <= value <= schema.get("maximum", value),
            schema.get("exclusiveMinimum", value - 1) < value,
            value < schema.get("exclusiveMaximum", value + 1),
        ]
    return all(tests)


def _property_ok(key, item, schema, ok):
    named = [schema["properties"][key]] if key in schema.get("properties", {}) else []
    named += [
        other
        for pattern, other in schema.get("patternProperties", {}).items()
        if re.search(pattern, key)
    ]
    if not named and schema.get("additionalProperties") is False:
        return False
    if not named and isinstance(schema.get("additionalProperties"), dict):
        named = [schema["additionalProperties"]]
    return all(ok(other, item) for other in named)


@pytest.fixture(scope="module")
def schema():
    return pipeline_schema(registry())


SHIPPED = [
    pytest.param(each.text, id=f"{each.distribution}-{each.name}")
    for each in all_documents(registry())
]
SHOWN = [
    pytest.param(text, id=f"{page}-{number}")
    for page in PAGES
    for number, text in enumerate(
        re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    )
    if re.match(r"(#.*\n)*(name|extends):", text)
]
EXAMPLES = [
    pytest.param(path.read_text(), id=str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "examples").rglob("*.yaml"))
    if re.search(r"^(extends|steps):", path.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("text", [*SHIPPED, *SHOWN, *EXAMPLES])
def test_what_is_shipped_and_shown_is_valid(schema, text):
    assert valid(load(text, "a.yaml"), schema, schema)


RIGHT = [
    "steps: [jump, mine.py:destripe, package.module:step]",
    "steps: [{jump: {set: {rejection_threshold: 4}, when: {ngroups: {ge: 3}}, on_error: skip}}]",
    "steps: [{mine.py:destripe: {set: {anything: [1]}}}, {jump: null}]",
    "for: {any: [{tsovisit: true}, {members.background: present}], not: {X: 1}}\nsteps: [jump]",
    "steps: [{choose: [{when: {subarray: [A, B]}, do: [jump]}, {otherwise: [jump]}]}]",
    "in: {a: x}\nsteps: [{each: [a], do: [{save: '{port}'}]}, {each: sources, do: [jump]}]",
    "steps: [{aside: [jump]}, {pipeline: mine, when: {stage: 2}}]\nin: {main: members.science}",
    "steps: [{clean_flicker_noise: {set: {background_box_size: [8, 8], fit_method: fft}}}]",
]
WRONG = [
    "steps: [jmp]",
    "steps: []",
    "steps: [jump]\nwhen: {instrument: MIRI}",
    "steps: [{jump: {rejection_threshold: 5}}]",
    "steps: [{jump: {set: {rejection_treshold: 5}}}]",
    "steps: [{jump: {set: {rejection_threshold: -5}}}]",
    "steps: [{jump: {set: {rejection_threshold: yes}}}]",
    "steps: [{jump: {}, refpix: {}}]",
    "steps: [{jump: {on_error: stop}}]",
    "steps: [{jump: {enabled: off}}]",
    "steps: [{each: [a, b]}]",
    "steps: [{choose: [{when: {stage: 1}}]}]",
    "steps: [{save: rate ints}]",
    "steps: [{aside: jump}]",
    "steps: [{clean_flicker_noise: {set: {background_box_size: [8]}}}]",
    "steps: [{clean_flicker_noise: {set: {fit_method: fftt}}}]",
    "for: {instrment: MIRI}\nsteps: [jump]",
    "for: {ngroups: {gr: 3}}\nsteps: [jump]",
    "for: {}\nsteps: [jump]",
    "options: {keep: maybe}\nsteps: [jump]",
]
RIGHT_EDITS = [
    "{insert: jump, after: refpix, when: {instrument: MIRI}, set: {a: 1}, as: second}",
    "{insert: [jump, {save: early}], before: refpix}",
    "{replace: [jump, ramp_fit], by: mine.py:fit}",
    "{move: jump, before: refpix}",
    "{remove: [jump, spec2/msa/photom]}",
    "{set: {jump.rejection_threshold: 5, option.keep: true}, when: {filter: F200W}}",
    "{set: {jump: {rejection_threshold: 5}, second: {a: 1}, second.a: 1, msa/photom.b: 1}}",
    "{wrap: jump, with: mine.py:around}",
    "{repeat: {times: 2, do: [jump, mine.py:more]}}",
]
WRONG_EDITS = [
    "{insert: jump}",
    "{insert: jump, after: refpix, before: refpix}",
    "{insert: jmp, after: refpix}",
    "{replace: jump}",
    "{replace: jump, by: [ramp_fit]}",
    "{move: jump}",
    "{remove: [jump, jump]}",
    "{set: {jump.rejection_treshold: 5}}",
    "{set: {jump.rejection_threshold: high}}",
    "{set: {jump: {rejection_treshold: 5}}}",
    "{set: {option.keep: 5}}",
    "{set: {}}",
    "{wrap: jump}",
    "{repeat: {times: 0, do: [jump]}}",
    "{skip: jump}",
    "jump",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_valid_and_understood(schema, text):
    text = f"name: mine\n{text}"
    assert valid(load(text, "a.yaml"), schema, schema)
    assert parse.parse(text, "a.yaml")


@pytest.mark.parametrize("edit", RIGHT_EDITS)
def test_edits_that_are_right(schema, edit):
    text = f"extends: calwebb_detector1\nedits: [{edit}]"
    assert valid(load(text, "a.yaml"), schema, schema)
    assert parse.parse(text, "a.yaml")


@pytest.mark.parametrize(
    "text",
    [
        *(f"name: mine\n{text}" for text in WRONG),
        *(f"extends: calwebb_detector1\nedits: [{edit}]" for edit in WRONG_EDITS),
        "name: mine",
        "extends: calwebb_detector1\nsteps: [jump]",
        "- jump",
    ],
)
def test_mistakes_are_not_valid(schema, text):
    assert not valid(load(text, "a.yaml"), schema, schema)


# ------------------------------------------------------------------ nothing is forgotten


def test_the_grammar_has_every_key_that_documents_may_have(schema):
    definitions = schema["definitions"]
    assert definitions["step-options"]["properties"].keys() == set(nodereader._STEP_KEYS)
    assert schema["else"]["properties"].keys() == set(parse._PIPELINE_KEYS)
    assert schema["then"]["properties"].keys() == set(parse._EDITS_KEYS)
    assert definitions["asked"]["anyOf"][1]["properties"].keys() == set(when._RELATIONS)
    begins = {
        key
        for kind in definitions["node"]["anyOf"]
        for key in definitions[kind["$ref"].rpartition("/")[2]].get("required", ())
    }
    assert set(nodereader._KINDS) <= begins
    kinds = {kind["$ref"].rpartition("/")[2] for kind in definitions["edit"]["anyOf"]}
    assert kinds == set(edits._READERS)


@pytest.mark.parametrize("name", sorted(registry().steps))
def test_every_step_with_all_its_parameters(schema, name):
    alone = step_schema(registry(), name)
    for offer in registry().steps[name]:
        model = load_path(offer.spec.params)
        assert model.model_fields.keys() <= alone["properties"].keys()
        defaults = json.loads(json.dumps(model().model_dump()))
        assert valid(defaults, alone, alone)
        document = {"name": "mine", "steps": [{name: {"set": defaults}}]}
        assert valid(document, schema, schema)
    assert not valid({"no_such_parameter": 1}, alone, alone)
    for described in alone["properties"].values():
        assert all("description" in each for each in described.get("anyOf", ()) if "unit" in each)


def test_units_and_meaning_stand_in_the_text():
    threshold = step_schema(registry(), "jump")["properties"]["rejection_threshold"]
    assert threshold["unit"] == "sigma"
    assert threshold["description"].endswith(" [sigma]")
    assert threshold["minimum"] == 0


def test_implementations_with_other_parameters_are_joined(schema):
    """A parameter that one implementation has is allowed, for the schema knows no exposure."""
    offers = registry().steps["ramp_fit"]
    names = {name for offer in offers for name in load_path(offer.spec.params).model_fields}
    assert schema["definitions"]["parameters-of-ramp_fit"]["properties"].keys() == names


def test_a_validator_of_others_agrees(schema):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft7Validator.check_schema(schema)
    judge = jsonschema.Draft7Validator(schema)
    for parameter in (*SHIPPED, *SHOWN, *EXAMPLES):
        assert judge.is_valid(load(parameter.values[0], "a.yaml"))
    for text in WRONG:
        assert not judge.is_valid(load(f"name: mine\n{text}", "a.yaml")), text
    for edit in WRONG_EDITS:
        assert not judge.is_valid(load(f"extends: x\nedits: [{edit}]", "a.yaml")), edit


# ------------------------------------------------------------------ command line


def test_the_command_line(cli, schema):
    assert json.loads(cli("schema", "pipeline").out) == schema
    assert json.loads(cli("schema", "step", "jump").out) == step_schema(registry(), "jump")
    for arguments, said in (
        (("step", "jmp"), "Did you mean 'jump'?"),
        (("step",), "heliodor schema step NAME"),
        (("pipeline", "jump"), "heliodor schema step NAME"),
        (("pipelin",), "Did you mean 'pipeline'?"),
    ):
        done = cli("schema", *arguments)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    with pytest.raises(UsageError):
        step_schema(registry(), "jmp")
    assert issubclass(UsageError, HeliodorError)
