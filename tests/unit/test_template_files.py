"""The file of a template: what it may say, how mistakes are named, and how variables are filled in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.templates import variables
from sessionfs.templates.reading import parse_template
from sessionfs.templates.substitution import MAX_FILLED_CHARACTERS, escape, fill, fill_text, names_in
from sessionfs.templates.template import BadTemplate
from sessionfs.templates.variables import BadVariable, check_values, parse_values

PATH = "/t/mine.toml"


def parse(text):
    return parse_template(text.encode() if isinstance(text, str) else text, PATH, "mine", "user")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tags = 'x'", "/t/mine.toml: tags is a list, not a text"),
        ("tags = [1]", "/t/mine.toml: tags is a list of texts; [1] was given"),
        ("nmae = 'x'", "/t/mine.toml has the unknown key 'nmae'; the nearest known one is 'name'"),
        (
            "[artifacts.a]\nfil = 'x'\ntext='y'",
            "has the unknown key 'artifacts.a.fil'; the nearest known one is 'file'",
        ),
        ("[artifacts.a]\n", "artifacts.a needs exactly one of file, tree, text, symlink, link, directory; it has none"),
        ("[artifacts.a]\ntext='x'\nfile='y'", "it has file, text"),
        ("[artifacts]\na = 1", "/t/mine.toml: artifacts.a is a table, not a whole number"),
        ("[artifacts.a]\ndirectory=false", "artifacts.a.directory can only be true"),
        ("[artifacts.a]\ntext='x'\nsubstitute=true", "artifacts.a.substitute is for file and tree"),
        ("[artifacts.a]\ntext='x'\nmode='rw'", "permission bits are octal"),
        ("[state]\na = 2026-11-20", "state.a is a date or time, which JSON cannot hold; quote it"),
        ("[state.a.b]\nc = inf", "state.a.b.c is inf, which JSON cannot hold"),
        ("[state]\na = {json = '{'}", "state.a.json is not JSON"),
        (
            "[hooks]\npre-artifact-sotre = 'x'",
            "'hooks.pre-artifact-sotre'; the nearest known one is 'pre-artifact-store'",
        ),
        ("[hooks]\npre-session-create = 'x'", "has the unknown key 'hooks.pre-session-create'"),
        ("[variables.x]\ntype = 'int'", "variables.x.type is one of string, integer, number, boolean; not 'int'"),
        ("[variables.x]\ndefault = 1", "variables.x.default: 1: a text (valid Unicode) is needed"),
        ("[variables.x]\ndefault = 'c'\nchoices = ['a', 'b']", "'c': these are possible: a, b"),
        ("[variables.x]\npattern = '('", "variables.x.pattern is no regular expression"),
        ("[variables.x]\ntype = 'integer'\npattern = 'a'", "variables.x.pattern is for texts"),
        ("[variables.x]\nmin = 1", "variables.x.min is a number, for a variable of type integer or number"),
        ("[variables.x]\ntype = 'boolean'\nchoices = [1]", "variables.x.choices: 1 is no boolean"),
        ("[variables.id]\n", "variables.id: 'id' is the session's id; call it something else"),
        ("[variables.a-b]\n", "variables.a-b: its name is made of letters"),
        ("name = '${x}'", "/t/mine.toml: name: there is no variable 'x'; the nearest is"),
        ('[artifacts.a]\ntext = "a\\n${xs}"\n[variables.x]\n', "there is no variable 'xs'; the nearest is 'x'"),
        ("[state.a]\nb = ['${']", "state.a.b, line 1: '${' is never closed"),
        ("id_prefix = '${id}'", "id_prefix is a part of the id"),
        ("name = ", "/t/mine.toml is not valid TOML: Invalid value (at end of document)"),
        ("x = 1\ny 2", "(at line 2, column 3)"),
        (b"a = 1\nname = '\xff'", "/t/mine.toml, line 2: it is not UTF-8 text"),
        ("[state]\na = " + "[" * 2000 + "]" * 2000, "nested too deeply"),
    ],
)
def test_mistakes_are_named_by_file_and_key(text, said):
    with pytest.raises(BadTemplate) as failure:
        parse(text)
    assert said in str(failure.value) and PATH in str(failure.value)


@pytest.mark.parametrize("text", ["${n}\n" * 50_000, "$" * 100_000, "${n" * 50_000 + "}"])
def test_a_long_text_takes_no_longer_than_it_is_long(text):
    started = time.process_time()
    names = {name: "x" for name, _ in names_in(text, "t")}
    filled = fill_text(text, names, "t")
    assert time.process_time() - started < 1  # several, where all is gone through again for each variable or dollar
    assert filled == text.replace("${n}", "x") or len(names) == 1


def test_what_filling_in_makes_is_bounded():
    value = "x" * (MAX_FILLED_CHARACTERS // 64)
    many = "a\n" + "${n}\n" * 64
    with pytest.raises(BadTemplate, match=r"^t, line 65: .* more than 67108864 characters"):
        fill_text(many, {"n": value}, "t")
    for texts in (["${n}"] * 65, {"a": ["${n}"] * 64, "b": "b${n}"}):  # all that is made of one value, in one bound
        with pytest.raises(BadTemplate, match="more than 67108864 characters"):
            fill(texts, {"n": value}, "state")
    assert fill(["${n}"] * 64, {"n": value}, "state") == [value] * 64


VARIABLES = """
[variables.name]
about = "what it is called"
pattern = "[a-z]+"
[variables.count]
type = "integer"
default = 3
min = 1
max = 5
[variables.rate]
type = "number"
default = 0.5
[variables.gpu]
type = "boolean"
default = false
[variables.kind]
default = "a"
choices = ["a", "b"]
"""


def test_values_have_types_defaults_and_checks():
    template = parse(VARIABLES)
    assert check_values(template, {"name": "x"}) == {"name": "x", "count": 3, "rate": 0.5, "gpu": False, "kind": "a"}
    texts = {"name": "x", "count": "4", "rate": "2e3", "gpu": "true", "kind": "b"}
    given = parse_values(template, texts)
    assert check_values(template, given) == {"name": "x", "count": 4, "rate": 2000.0, "gpu": True, "kind": "b"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "needs a value for 'name' (what it is called): --set name=…"),
        ({"name": "X"}, "cannot be 'X': it has to match the pattern '[a-z]+'"),
        ({"name": "x\n"}, "has to match"),
        ({"name": "x" * 2_000_000}, "at most 1048576 bytes"),
        ({"name": "\ud800"}, "a text (valid Unicode) is needed"),
        ({"name": 1}, "a text (valid Unicode) is needed"),
        ({"name": "x", "count": 0}, "it is at least 1"),
        ({"name": "x", "count": 6}, "it is at most 5"),
        ({"name": "x", "count": True}, "a whole number is needed"),
        ({"name": "x", "count": "3"}, "a whole number is needed"),
        ({"name": "x", "rate": float("nan")}, "a number is needed"),
        ({"name": "x", "kind": "c"}, "these are possible: a, b"),
        ({"nam": "x"}, "has no variable 'nam'; the nearest is 'name'"),
        ({"name": "x", "date": "today"}, "'date' is the day on which it is made, in UTC: 2026-11-20; it cannot be set"),
    ],
)
def test_bad_values_are_refused(values, said):
    with pytest.raises(BadVariable) as failure:
        check_values(parse(VARIABLES), values)
    assert said in str(failure.value)


@pytest.mark.parametrize(("name", "text"), [("count", "1.5"), ("count", ""), ("rate", "x"), ("gpu", "yes")])
def test_texts_of_another_type_are_refused(name, text):
    with pytest.raises(BadVariable, match=f"'{name}'.*is needed"):
        parse_values(parse(VARIABLES), {name: text})


def test_a_pattern_that_explodes_is_refused(monkeypatch):
    monkeypatch.setattr(variables, "_PATTERN_SECONDS", 0.05)
    template = parse("[variables.name]\npattern = '(a|aa)+$'")
    with pytest.raises(BadVariable, match="takes too long on it; simplify the pattern"):
        check_values(template, {"name": "a" * 60 + "b"})


def test_variables_are_filled_in():
    values = {"name": "x", "count": 3, "gpu": True}
    assert fill_text("a${name}b${count}${gpu}", values, "") == "axb3true"
    assert fill_text("$name $1 {} $${name} $$${name}", values, "") == "$name $1 {} ${name} $${name}"
    found = fill({"k${name}": ["${count}", {"${gpu}": "${gpu}!"}], "n": None}, values, "")
    assert found == {"kx": [3, {"true": "true!"}], "n": None}
    with pytest.raises(BadTemplate, match="f, line 3: there is no variable 'nam'; the nearest is 'name'"):
        fill_text("\n\n${nam}", values, "f")
    with pytest.raises(BadTemplate, match="two keys become 'x'"):
        fill({"x": 1, "${name}": 2}, values, "f")


TEXTS = st.text("${}a\\", max_size=12)


@given(st.recursive(TEXTS | st.none(), lambda inside: st.lists(inside) | st.dictionaries(TEXTS, inside), max_leaves=6))
def test_what_is_escaped_comes_back(value):
    assert fill(escape(value), {"a": 1}, "") == value
