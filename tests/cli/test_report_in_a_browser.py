"""The page that ``stats --html`` writes, in a real browser: what it shows, that nothing runs and nothing is fetched."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

import sessionfs

pytestmark = pytest.mark.slow

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "dl", "div", "dt", "dd", "nav", "a",
    "main", "section", "table", "thead", "tbody", "tr", "th", "td", "span", "i", "b", "svg", "desc", "g", "rect",
    "line", "path", "text", "tspan",
}  # fmt: skip
HOSTILE = [
    '<img src="http://localhost:9/x.png" onerror="document.title=1">',
    "</title></svg><script>document.title=2</script>",
]


@pytest.fixture
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed here: apt-get install chromium-headless-shell")
    return found


@pytest.fixture
def page(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True) as store:
        for number in range(3):
            session = store.sessions.create(f"Run {number}", id=f"run-{number}", parent="run-0" if number else None)
            for tool in ("search", *HOSTILE):
                session.record("tool.invoked", {"name": tool, "duration_ns": 10**9, "error.type": tool})
            session.artifacts.put("f", b"x" * 20_000)
            session.fail(HOSTILE[1])
        (tmp_path / "page.html").write_text(store.report())
    return tmp_path / "page.html"


def test_it_shows_what_it_should(browser, page, tmp_path):
    seen = Seen()
    seen.feed(look(browser, tmp_path, "--dump-dom", page.as_uri()))
    assert seen.tags.keys() <= TAGS  # nothing that runs or is fetched, whatever the names are
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "srcset", "style")]
    assert seen.title == "Sessions in runs"
    assert seen.tags["svg"] >= 8 and all(seen.tags[tag] for tag in ("table", "rect", "path"))
    assert all(link.startswith("#") for link in seen.links) and len(seen.links) >= 5


def test_it_is_light_and_dark(browser, page, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed: pip install 'sessionfs[ui]'")
    for scheme, is_light in (("1", True), ("0", False)):
        target = tmp_path / f"{scheme}.png"
        look(
            browser, tmp_path, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={target}",
            "--window-size=1100,2600", page.as_uri(),
        )  # fmt: skip
        with image.open(target) as picture:
            pixels = picture.convert("RGB")
            paper = pixels.getpixel((2, 2))
            assert (sum(paper) > 600) == is_light
            colours = {colour for count, colour in pixels.getcolors(1 << 24) if count > 300}
        reds = [colour for colour in colours if colour[0] > 150 and colour[0] - colour[2] > 80]  # what failed
        greens = [colour for colour in colours if colour[1] > 100 and colour[1] - colour[0] > 60]  # artifacts
        assert reds and greens


def look(browser: str, tmp_path: Path, *options: str) -> str:
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
            f"--user-data-dir={tmp_path / 'profile'}", *options,
        ],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.decode()


class Seen(HTMLParser):
    """What elements a page has after the browser has read it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.title = ""

    def handle_starttag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes.update(name for name, _ in attributes)
        self.links += [value for name, value in attributes if name == "href"]

    def handle_data(self, data):
        if not self.title and self.tags.get("title") and "body" not in self.tags:
            self.title = data
