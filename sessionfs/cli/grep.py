"""``grep``: lines of contents that match a pattern."""

from __future__ import annotations

from collections.abc import Callable

from sessionfs.api.searching import MatchedContent
from sessionfs.artifacts.names import encode
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.exits import NO, YES, exit_of, message_of, printable
from sessionfs.cli.gc import duration
from sessionfs.cli.grep_lines import AsJson, AsLines, label
from sessionfs.cli.spec import JSON_LINES, Option, Positional, Verb
from sessionfs.clock import NS_PER_SECOND
from sessionfs.query import Query, parse_query
from sessionfs.search.grep import How
from sessionfs.search.lines import Wanted
from sessionfs.search.pattern import DEFAULT_SECONDS, Pattern

_SHORTEST_SECONDS = 0.01
_LONGEST_NS = 86_400 * NS_PER_SECOND


def _grep(call: Call, arguments: Arguments) -> int:
    pattern = Pattern(
        arguments.text("PATTERN"),
        fixed=arguments.flag("fixed-strings"),
        ignore_case=arguments.flag("ignore-case"),
        words=arguments.flag("word-regexp"),
        whole_lines=arguments.flag("line-regexp"),
    )
    query = parse_query(" ".join(arguments.texts("QUERY")))
    if arguments.flag("all-versions"):
        query = Query(subject=query.subject, where=query.where, versions=True)
    is_short = arguments.flag("files-with-matches") or arguments.flag("count")
    how = How(
        wanted=_wanted(arguments, is_short=is_short, shows_spans=call.out.is_terminal or call.out.as_json),
        take_binary=arguments.flag("text"),
        seconds=_seconds(arguments),
        each_once=query.versions,
        only_count=arguments.flag("count") and not arguments.flag("files-with-matches"),
    )
    found, code = False, YES
    write = _writer(call, arguments, how.wanted)
    with call.open_store() as store, call.progress("reading logs", in_bytes=True) as progress:
        matched = store.grep_contents(pattern, how, query, at=arguments.maybe("at"), progress=progress.reach)
        for some in matched:
            if some.failure is not None:
                call.say(f"sessionfs: grep: {printable(label(some))}: {message_of(some.failure)}")
                code = exit_of(some.failure)
            found |= some.count > 0
            if some.lines or some.count or some.binary_at is not None:
                write(some)
        write(None)
    return code or (YES if found else NO)


def _wanted(arguments: Arguments, *, is_short: bool, shows_spans: bool) -> Wanted:
    if is_short:
        limit = 1 if arguments.flag("files-with-matches") else arguments.number("max-count")
        return Wanted(invert=arguments.flag("invert-match"), max_count=limit, spans=False)
    around = arguments.number("context") or 0
    before, after = arguments.number("before-context"), arguments.number("after-context")
    only = arguments.flag("only-matching")
    if only and arguments.flag("invert-match"):
        raise UsageError("--only-matching shows what matches, and --invert-match wants what does not; leave one out")
    return Wanted(
        invert=arguments.flag("invert-match"),
        before=0 if only else around if before is None else before,
        after=0 if only else around if after is None else after,
        max_count=arguments.number("max-count"),
        spans=only or shows_spans,
    )


def _seconds(arguments: Arguments) -> float:
    limit_ns = duration(arguments, "time-limit")
    if limit_ns is None:
        return DEFAULT_SECONDS
    if limit_ns > _LONGEST_NS:
        raise UsageError(
            f"--time-limit: {arguments.text('time-limit')} is more than a day, which is as long as a pattern may take"
        )
    return max(limit_ns / NS_PER_SECOND, _SHORTEST_SECONDS)


def _writer(call: Call, arguments: Arguments, wanted: Wanted) -> Callable[[MatchedContent | None], None]:
    """Return what writes the lines of one artifact, and at the end is told that there are no more."""
    end = b"\0" if arguments.flag("null") else b"\n"
    if arguments.flag("files-with-matches"):
        return _Names(call, end).write
    if arguments.flag("count"):
        return _Counts(call, end if arguments.flag("null") else b":").write
    if call.out.as_json:
        return AsJson(call).write
    return AsLines(
        call,
        only=arguments.flag("only-matching"),
        with_numbers=not arguments.flag("no-line-number"),
        with_context=bool(wanted.before or wanted.after),
        null=arguments.flag("null"),
    ).write


class _Names:
    """``-l``: what an artifact is called."""

    def __init__(self, call: Call, end: bytes) -> None:
        self._call = call
        self._end = end
        self._last = ""

    def write(self, some: MatchedContent | None) -> None:
        if some is None or not some.lines or some.artifact.id + some.artifact.path == self._last:
            return
        self._last = some.artifact.id + some.artifact.path
        if self._call.out.as_json:
            self._call.out.document({"artifact": label(some)})
        else:
            self._call.out.raw(encode(label(some)) + self._end)


class _Counts:
    """``-c``: how many lines of each artifact match."""

    def __init__(self, call: Call, between: bytes) -> None:
        self._call = call
        self._between = between
        self._of: MatchedContent | None = None
        self._count = 0

    def write(self, some: MatchedContent | None) -> None:
        last = self._of
        if last is not None and (some is None or some.artifact is not last.artifact):
            if self._call.out.as_json:
                self._call.out.document({"artifact": label(last), "count": self._count})
            else:
                self._call.out.raw(encode(label(last)) + self._between + b"%d\n" % self._count)
            self._count = 0
        self._of = some
        if some is not None:
            self._count += some.count


VERBS = {
    "grep": Verb(
        _grep,
        json=JSON_LINES,
        about="One line for each line of a content that matches: SESSION/PATH:LINE:TEXT; on a terminal a heading for "
        "each artifact, and colours. PATTERN is a regular expression as in Python. Contents are searched on all "
        "processors, each once. The other words are one query that says in which artifacts, as for find, such as: "
        "type:log after:7d session:q4. session:q4@{5}, or --at, searches what was there then; --all-versions all "
        "that ever was, each content once, as SESSION@{5}/PATH. What has a NUL byte is no text: it is searched up to "
        "there. Of a line of more than 4 MiB only what is around the match is shown.",
        positionals=(
            Positional("PATTERN", "A regular expression"),
            Positional("QUERY", "In which artifacts; all by default", count="*"),
        ),
        options=(
            Option("-i --ignore-case", "Letters match whatever their case"),
            Option("-F --fixed-strings", "PATTERN is plain text"),
            Option("-w --word-regexp", "Only whole words"),
            Option("-x --line-regexp", "Only whole lines"),
            Option("-v --invert-match", "The lines that do not match"),
            Option("-l --files-with-matches", "Only which artifacts"),
            Option("-c --count", "Only how many lines of each artifact"),
            Option("-o --only-matching", "Only the part that matches, a line for each; of one line the first 10,000"),
            Option("-n --line-number", "With the numbers of lines, which is the default"),
            Option("-N --no-line-number", "Without the numbers of lines"),
            Option("-m --max-count", "At most so many lines of each artifact", metavar="N", number=True),
            Option("-A --after-context", "So many lines after each, too", metavar="N", number=True),
            Option("-B --before-context", "So many lines before each, too", metavar="N", number=True),
            Option("-C --context", "So many lines before and after each, too", metavar="N", number=True),
            Option("-a --text", "Go on behind NUL bytes"),
            Option("-0 --null", "A NUL behind each name instead of a colon or line feed, as xargs -0 reads it"),
            Option("--all-versions", "Also what was there once: replaced, removed"),
            Option(
                "--at", "As it was then: a time, '10 minutes ago', a record's number, a checkpoint", metavar="MOMENT"
            ),
            Option(
                "--time-limit",
                "How long the pattern may take on one artifact, and 1 s more for each 8 MiB; 10 s by default",
                metavar="TIME",
            ),
        ),
        examples=(
            ("grep 'def \\w+_handler' type:code -C 2", "with two lines around each"),
            ("grep -iw timeout type:log session.status:failed", "in the logs of what failed"),
            ("grep -F 'a.b[0]' 'session:q4@{yesterday}'", "plain text, in what was there yesterday"),
            ("grep -l TODO -0 'name:*.md' | xargs -0 -n 1 echo", "which artifacts"),
            ("grep password --all-versions --json | jq '.version'", "also in what was deleted"),
        ),
        exits={
            0: "Something matches.",
            1: "Nothing does.",
            2: "The pattern or the query cannot be understood, or the pattern takes too long.",
            3: "There is no such moment, or no such session.",
            6: "A content is damaged or missing; the others were searched.",
        },
    ),
}
