"""``why``: what an artifact was made from, back to what nobody made."""

from __future__ import annotations

from sessionfs.artifacts import text_of
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.exits import printable
from sessionfs.cli.spec import ARTIFACT, READ_SESSION, Verb
from sessionfs.events.callers import DURATION, ERROR_TYPE
from sessionfs.events.provenance import Step, Work, trace
from sessionfs.shown import human_duration, human_time

_NOUNS = {"tool.invoked": "tool", "agent.executed": "agent", "workflow.completed": "workflow"}


def _why(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        session = call.reading(store, arguments.text("SESSION"))
        artifact = session.artifacts[tree_path(arguments.text("PATH"))]
        steps = trace(store.core, artifact.id)
    if call.out.as_json:
        call.out.document([step.to_dict() for step in steps])
    else:
        _write_tree(call, {step.id: step for step in steps}, artifact.id)


def _write_tree(call: Call, steps: dict[str, Step], top: str) -> None:
    """Write what each was made from below it, each once."""
    shown: set[str] = set()
    waiting = [(0, top)]
    while waiting:
        depth, id = waiting.pop()
        is_repeated = id in shown and bool(steps[id].sources)
        shown.add(id)
        call.out.text("  " * depth + _described(steps[id]) + (" (see above)" if is_repeated else "") + "\n")
        if not is_repeated:
            waiting += [(depth + 1, source) for source in reversed(steps[id].sources)]


def _described(step: Step) -> str:
    event = step.event
    if event is None or step.path is None:
        return f"{step.id}, which is not in this store any more"
    words = [f"{printable(text_of(step.path))}  {step.id}  {human_time(event.time)}"]
    if step.work:
        words += [f"made by {' in '.join(map(_work, step.work))}"]
    elif step.origin is not None:
        words += [f"made from {step.origin} by {event.actor}"]
    else:
        words += [f"stored by {event.data.get('created_by', event.actor)}"]
    return "  ".join(words)


def _work(work: Work) -> str:
    noun = _NOUNS.get(work.type, work.type)
    name = printable(f"{noun} {work.name}")
    if work.event is None:
        return f"{name} (never ended)"
    data = work.event.data
    said = [work.event.id]
    if isinstance(data.get(DURATION), int):
        said.append(human_duration(data[DURATION]))
    if ERROR_TYPE in data:
        said.append("failed")
    return f"{name} ({', '.join(said)})"


VERBS = {
    "why": Verb(
        _why,
        about="Prints the artifact's newest version, the tool, agent or workflow that was open when it was stored, and "
        "below it what had been read for that; and so on, back to what was stored by nobody's tool. Copies lead to "
        "what they are copies of.",
        positionals=(READ_SESSION, ARTIFACT),
        examples=(("why @ report.pdf", "what it was made from"), ("--json why q4 report.pdf", "the same for programs")),
        exits={3: "There is no such session or artifact."},
    )
}
