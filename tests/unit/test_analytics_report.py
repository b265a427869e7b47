"""What a report is made of: HTML that no name breaks out of, and charts that say what they show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from sessionfs.analytics.report.bins import MOST, put_together
from sessionfs.analytics.report.charts import Bar, Part, bars, columns, nice, parts
from sessionfs.analytics.report.html import Html, cut, element, html
from sessionfs.analytics.stats import Day

HOSTILE = [
    "<script>alert(1)</script>",
    "\"' onload=x",
    "]]>",
    "&amp;",
    "a\x00\x1b[31m\n",
    "\u202etxt.exe",
    "\udcff\ud800\uffff",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out(text):
    made = element("p", text, element("b", text), title=text, data_name=text)
    parsed = ElementTree.fromstring(made)  # is well-formed, which HTML need not be
    made.encode()
    assert [parsed.tag, *(child.tag for child in parsed)] == ["p", "b"]
    assert set(parsed.attrib) == {"title", "data-name"}
    assert "<" not in re.sub(r"</?[pb]\b[^<>]*>", "", made)


def test_what_is_html_stays_so():
    assert html(["a<", Html("<b>"), 3]) == "a&lt;<b>3"
    assert element("rect", x=1.5, y=2.0, class_="ok", id=None) == '<rect x="1.5" y="2" class="ok"/>'


def test_names_are_cut_by_what_is_seen():
    assert cut("abcdef", 3) == "abc…"
    assert cut("很长的名字", 4) == "很长…"
    assert cut("\u202eab", 40) == "\\u202eab"


@pytest.mark.parametrize("values", [[], [0], [0, 0], [1], [1, 7, 10**30]])
def test_charts_of_any_numbers_are_well_formed(values):
    rows = [Bar(HOSTILE[0], (Part(value, "ok", "fine"), Part(value // 2, "failed", "bad")), "note") for value in values]
    for chart in (
        bars("t", "a", rows),
        columns("t", "a", rows, str),
        parts("t", "a", [p for r in rows for p in r.parts], str),
    ):
        tree = ElementTree.fromstring(f"<div>{chart}</div>")
        (picture,) = tree.iter("svg")
        assert picture.get("role") == "img"
        assert {picture.find("title").get("id"), picture.find("desc").get("id")} == set(
            picture.get("aria-labelledby").split()
        )
        widths = [float(one.get("width")) for one in picture.iter("rect")]
        assert all(0 < width <= 1000 for width in widths)


@pytest.mark.parametrize(
    ("number", "above"), [(0, 1), (1, 1), (3, 4), (6, 8), (9, 10), (11, 20), (401, 500), (10**20 + 1, 2 * 10**20)]
)
def test_scales_end_at_numbers_that_are_easy_to_read(number, above):
    assert nice(number) == above


@pytest.mark.parametrize("dates", [[], ["2026-11-20"], ["1970-01-01", "2026-11-20"], ["0001-01-01", "9999-12-31"]])
def test_days_are_put_together_so_that_they_fit(dates):
    length, bins = put_together([Day(date=date, sessions=2, calls=1) for date in dates])
    assert len(bins) <= MOST + 20
    assert sum(one.sessions for one in bins) == 2 * len(dates)
    assert [one.date for one in bins] == sorted(one.date for one in bins)
    assert length == 1 or len(dates) > 1
