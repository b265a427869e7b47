"""Words as they are written, texts as they are indexed, and what is shown of them."""

from __future__ import annotations

import io
import zipfile

import pytest

from sessionfs.search import documents
from sessionfs.search.extract import extract
from sessionfs.search.office import read_office
from sessionfs.search.schema import NO_TEXT, TEXT, WAITING
from sessionfs.search.snippet import make_snippet
from sessionfs.search.tokens import fold
from sessionfs.search.words import BadWords, Find, Words, parse_words

LIMIT = 1 << 20


def text_of(data, limit=LIMIT):
    return extract([data], len(data), limit)


def archive(**parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name.replace("__", "/") + ".xml", content)
    return file.getvalue()


def pdf(text):
    """Return a PDF file of one page that says *text*."""
    stream = f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode()
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Root 1 0 R/Size 6>>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(data),
    )


# Words


def test_words_phrases_beginnings_and_alternatives():
    assert parse_words('report "annual  total" x*') == (
        Words((Find("report"), Find("annual  total"), Find("x", True))),
    )
    assert parse_words("a -b NOT c OR d") == (Words((Find("a"),), (Find("b"), Find("c"))), Words((Find("d"),)))
    assert parse_words('"a b"*') == (Words((Find("a b", True),)),)
    assert parse_words("or NOTE well-known") == (Words((Find("or"), Find("NOTE"), Find("well-known"))),)
    assert Find('a"b東京').match == '"a b 東  京 "'


@pytest.mark.parametrize(
    ("text", "column"),
    [("", 1), ("a OR", 5), ("-a", 3), ('a "b', 3), ("+++", 1), ("a OR OR b", 6), ('a ""', 3), ("a " * 65, 129)],
)
def test_what_is_wrong_with_words_is_said_with_its_column(text, column):
    with pytest.raises(BadWords, match=f"column {column}:") as raised:
        parse_words(text)
    assert raised.value.column == column


def test_scripts_without_spaces_are_a_word_for_each_character():
    assert fold("plain ASCII") == "plain ASCII"
    assert fold("東京tower").split() == ["東", "京", "tower"]
    assert fold("ﬁｎｅ Straße").split() == ["fine", "strasse"]
    assert fold("ラーメンと안녕").split() == list("ラーメンと안녕")


# Texts


def test_what_is_text_is_told_by_its_bytes():
    assert text_of("Grüße\n".encode()) == (TEXT, "Grüße\n")
    assert text_of("Grüße\n".encode("latin-1")) == (TEXT, "Grüße\n")
    assert text_of(b"\xff\xfe" + "Grüße".encode("utf-16-le")) == (TEXT, "Grüße")
    assert text_of(b'{"a": "\\u6771\\ud83d\\ude00"}')[1] == '{"a": "東😀"}'
    assert text_of(b"say \\u6771")[1] == "say \\u6771"
    for data in (b"", b"a\0b", b"a" * 5000 + b"\0", bytes(range(256)), b"\x89PNG\r\n\x1a\n", b"PK\x03\x04 no archive"):
        assert text_of(data) == (NO_TEXT, "")


def test_no_more_is_read_than_is_indexed():
    read = []

    def pieces():
        for number in range(100):
            read.append(number)
            yield b"word " * 2000

    assert len(extract(pieces(), 10**9, 25_000).text) == 25_000
    assert len(read) == 3
    assert text_of("aé".encode() * 10, 5) == (TEXT, "aéa\ufffd")
    assert extract([b"%PDF-"], 10**9, 1000).state == NO_TEXT


def test_office_documents():
    word = archive(word__document="<w:d xmlns:w='x'><w:p><w:r><w:t>Two </w:t><w:t>words</w:t></w:r></w:p><w:p/></w:d>")
    assert text_of(word)[1].split("\n")[0] == "Two words"
    slides = {f"ppt__slides__slide{number}": f"<a:t xmlns:a='x'>s{number}</a:t>" for number in (10, 9)}
    assert read_office(archive(**slides), LIMIT).split() == ["s9", "s10"]
    assert "cell" in read_office(archive(xl__sharedStrings="<sst><si><t>cell</t></si></sst>"), LIMIT)
    assert "odt" in read_office(archive(content="<o:c xmlns:o='x' xmlns:text='y'><text:p>odt</text:p></o:c>"), LIMIT)
    assert read_office(archive(other="<a/>"), LIMIT) is None
    assert read_office(word[:-30], LIMIT) is None
    assert read_office(archive(word__document="<w:t xmlns:w='x'>good</w:t><broken"), LIMIT) is not None


def test_an_archive_that_unpacks_to_much_is_read_to_the_limit():
    bomb = archive(word__document="<w:p xmlns:w='x'><w:t>" + "word " * 4_000_000 + "</w:t></w:p>")
    assert len(bomb) < 200_000
    assert len(read_office(bomb, 10_000)) == 10_000
    entities = '<!DOCTYPE a [<!ENTITY b "' + "b" * 1000 + '"><!ENTITY c "' + "&b;" * 1000 + '"><!ENTITY d "'
    entities += "&c;" * 1000 + '">]><w:t xmlns:w="x">&d;</w:t>'
    assert len(read_office(archive(word__document=entities), 10_000)) <= 10_000


def test_all_files_of_an_archive_together_are_read_to_the_limit():
    tags = "<a>" + "<b/>" * 25_000 + "</a>"
    assert text_of(archive(ppt__slides__slide1=tags, ppt__slides__slide2="<t>word</t>"), LIMIT)[1].split() == ["word"]
    assert read_office(archive(ppt__slides__slide1=tags, ppt__slides__slide2="<t>word</t>"), 10_000).split() == []
    many = {f"ppt__slides__slide{number}": "<t>word</t>" for number in range(1_000)}
    assert len(read_office(archive(**many), 10_000).split()) < 100


def test_what_reads_pdf_files_is_not_taken_from_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "pypdf.py").write_text("open('was_run', 'w')")
    monkeypatch.chdir(tmp_path)
    assert documents.read_pdf(pdf("Portable words"), LIMIT) == "Portable words\n"
    assert not (tmp_path / "was_run").exists()


def test_pdf_files(monkeypatch):
    assert text_of(pdf("Portable words")) == (TEXT, "Portable words\n")
    monkeypatch.setattr(documents, "can_read", lambda: False)
    assert text_of(pdf("x")).state == WAITING


# Snippets


def marked(text, *finds, **options):
    snippet = make_snippet(text, [Find(*find) if isinstance(find, tuple) else Find(find) for find in finds])
    return None if snippet is None else [snippet.text[start:end] for start, end in snippet.spans]


def test_the_words_are_marked_where_they_stand():
    assert marked("The Annual\nReport of 5", "report", "annual") == ["Annual", "Report"]
    assert marked("the annual-report", "annual report") == ["annual-report"]
    assert marked("reports", "report") is None
    assert marked("reports", ("report", True)) == ["report"]
    assert marked("Müller, Muller, MÜLLER", "muller") == ["Muller"]
    assert marked("only Müller", "muller") == ["Müller"]
    assert marked("私は東京タワーが好き", "東京") == ["東京"]
    assert marked("foo_bar", "bar") == ["bar"]
    snippet = make_snippet("x " * 1000 + "needle in\nit" + " y" * 1000, [Find("needle")])
    assert "needle in it" in snippet.text and len(snippet.text) < 300
