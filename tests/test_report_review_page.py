"""The review's page: what it says, what it forbids, and what it downloads in a real browser."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.report.review_page import FaceShown, PersonShown, RecordingShown, review_page
from emoclip_clinic.reviews import Review, read_reviews

NAMES = ["sub-Anna%20M%C3%BCller_ses-01", 'sub-"<2>&_ses-01']
# a JPEG of one pixel is not needed: nothing here looks at it
PICTURE = b"\xff\xd8\xff\xd9"
DURATION_S, ASPECT = 100.0, 16 / 9
COMMAND = "emoclip-clinic encode interviews --turns 'a b.csv'"


def person(number: int, lefts: tuple[float, ...] = (0.1, 0.1), **given: Any) -> PersonShown:
    known = {
        "spans": ((0.0, 10.0), (30.0, 60.0)),
        "chosen": False,
        "by_rule": False,
        **given,
    }
    times_s = (1.5, 40.0, 41.0, 55.0)
    faces = (
        FaceShown(time_s, PICTURE, (left, 0.3, 0.2, 0.5))
        for time_s, left in zip(times_s, lefts, strict=False)
    )
    return PersonShown(number, tuple(faces), **known)


def recording(name: str, **given: Any) -> RecordingShown:
    known = {
        "people": (person(1, by_rule=True), person(2, (0.7, 0.7), spans=((20.0, 25.0),))),
        "n_passing": 0,
        "stretches": (),
        "notes": (),
        **given,
    }
    return RecordingShown(name, "0123456789ab", DURATION_S, ASPECT, **known)


def page_of(*recordings: RecordingShown, rule: str = "region 0,0,0.5,1") -> str:
    return review_page(recordings, parse_rule(rule), COMMAND)


DECIDED = recording(
    NAMES[1],
    people=(person(1), person(2, chosen=True)),
    stretches=((0.0, 4.5), (90.0, math.inf)),
    notes=("blurred & <dark>",),
)
PAGE = page_of(recording(NAMES[0]), DECIDED)


class Tags(HTMLParser):
    """Collects every tag with its attributes, and checks that each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one that is open."""
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Give the attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_well_formed_and_shows_everybody() -> None:
    """A section a recording, a box a person, a picture a face, and what was decided before."""
    page = Tags(PAGE)
    assert page.open == []
    sections = [one for one in page.all("section") if one.get("class") == "recording"]
    assert [one["data-recording"] for one in sections] == NAMES
    boxes = [one for one in page.all("input") if one["type"] == "checkbox"]
    assert [(one["value"], "checked" in one) for one in boxes] == [
        ("1", False), ("2", False), ("1", False), ("2", True),
    ]  # fmt: skip
    assert len(page.all("img")) == 8
    assert PAGE.count('class="rule">chosen by the rule') == 1
    assert "blurred &amp; &lt;dark&gt;" in PAGE
    assert html.escape(COMMAND) in PAGE


def test_a_name_reads_as_it_was_given() -> None:
    """The id, as review.csv has it, stands below; where both are the same, it stands once."""
    page = page_of(recording(NAMES[0]), recording("sub-2_ses-01"))
    assert re.findall("<h2[^>]*>(.*?)</h2>", page) == ["sub-Anna Müller_ses-01", "sub-2_ses-01"]
    assert re.findall("in review.csv: <code>(.*?)</code>", page) == [NAMES[0]]


@pytest.mark.parametrize(
    ("lefts", "place"),
    [
        ((0.1, 0.2), "on the left of the picture"),
        ((0.4, 0.4), "in the middle of the picture"),
        ((0.7, 0.9), "on the right of the picture"),
        ((0.7, 0.7, 0.1, 0.1), "on the right and on the left of the picture"),
    ],
)
def test_where_somebody_sits_is_drawn_and_said(lefts: tuple[float, ...], place: str) -> None:
    """In the shape of the recording; two who look alike are told apart by it."""
    page = page_of(recording(NAMES[0], people=(person(1, lefts),)))
    assert f"Person 1, {place}, in view for 0:40 of 1:40" in page
    tags = Tags(page)
    (outline,) = [one for one in tags.all("svg") if one["class"] == "where"]
    assert outline["aria-label"] == f"person 1 sits {place}"
    width, height = map(float, str(outline["viewbox"]).split()[2:])
    assert width / height == pytest.approx(ASPECT, abs=0.001)
    faces = [one for one in tags.all("rect") if one["class"] == "face"]
    drawn = [(float(str(one["x"])) / width, float(str(one["y"])) / height) for one in faces]
    assert drawn == [pytest.approx((left, 0.3), abs=0.001) for left in lefts]


@pytest.mark.parametrize(
    ("duration_s", "times"),
    [
        (42.0, ["0:00", "0:10", "0:20", "0:30", "0:40"]),
        (1000.0, ["0:00", "5:00", "10:00", "15:00"]),
        (0.4, ["0:00"]),
        (50_000.0, [f"{120 * n}:00" for n in range(7)]),
    ],
)
def test_times_stand_under_a_timeline_at_their_places(duration_s: float, times: list[str]) -> None:
    """In minutes and seconds, round ones, from the beginning on."""
    shown = replace(recording(NAMES[0]), duration_s=duration_s)
    (axis, _) = re.findall('<svg class="axis".*?</svg>', page_of(shown))
    ticks = re.findall(r'<text class="\w+" x="([\d.]+)%" y="\d+">(.*?)</text>', axis)
    assert [words for _, words in ticks] == times
    for place, words in ticks:
        minutes, seconds = map(int, words.split(":"))
        assert float(place) == pytest.approx(100 * (60 * minutes + seconds) / duration_s, abs=0.01)


def test_times_stand_under_the_pictures() -> None:
    """They need no mouse to be seen."""
    captions = re.findall("<figcaption>(.*?)</figcaption>", PAGE)
    assert captions == ["0:02", "0:40"] * 4


def test_the_timeline_has_the_true_proportions() -> None:
    """10 of 100 s are a tenth of the line."""
    first = [one for one in Tags(PAGE).all("rect") if one["class"] == "seen"][:2]
    places = [(float(str(one["x"])), float(str(one["width"]))) for one in first]
    assert places == [(0, 100), (300, 300)]


def test_the_page_loads_and_sends_nothing() -> None:
    """No address but data in it; its policy allows its own script and style, and no other."""
    page = Tags(PAGE)
    addresses = [one.get(name) for _, one in page.tags for name in ("src", "href", "action")]
    assert all(one.startswith("data:image/jpeg;base64,") for one in addresses if one)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", PAGE)
    assert not any(name.startswith("on") or name == "style" for _, one in page.tags for name in one)
    policy = page.all("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", PAGE, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_a_recording_without_a_face_says_so() -> None:
    """And one with people in passing says how many."""
    page = page_of(recording("a", people=(), n_passing=3), rule="largest")
    assert "No face was found." in page
    assert "3 more, in view for a moment only." in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start a headless Chromium, where there is one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture
def browser_page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open the page; nothing goes wrong in it."""
    path = tmp_path / "review.html"
    path.write_text(PAGE, encoding="utf-8")
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(path.as_uri())
    yield page
    page.close()
    # the stand-in for a picture is none
    assert [one for one in problems if "ERR_INVALID" not in one] == []


def downloaded(page: Any, folder: Path) -> dict[str, Review]:
    """Press the button, and read what comes as `encode` does."""
    with page.expect_download() as waiting:
        page.click("#download")
    assert waiting.value.suggested_filename == "review.csv"
    path = folder / "review.csv"
    waiting.value.save_as(path)
    return read_reviews(path, NAMES)


def test_what_was_decided_before_is_downloaded_again(browser_page: Any, tmp_path: Path) -> None:
    """Nothing that review.csv said is lost by opening the page."""
    assert downloaded(browser_page, tmp_path) == {
        NAMES[1]: Review((2,), "0123456789ab", DECIDED.stretches)
    }


def test_ticks_and_stretches_are_downloaded(browser_page: Any, tmp_path: Path) -> None:
    """A tick, a stretch that is typed, one that is kept after all, one that is no stretch."""
    first, second = (browser_page.locator(".recording").nth(number) for number in (0, 1))
    first.locator("input[type=checkbox]").nth(1).check()
    for start, stop in (("1:20", "0:1:25.5"), ("9", "4"), ("x", "5"), ("", "")):
        first.get_by_label("Exclude from").fill(start)
        first.get_by_label("to", exact=True).fill(stop)
        first.locator(".exclude").click()
        refused = "Give two times" in first.locator(".message").inner_text()
        assert refused == (start != "1:20")
    assert first.locator(".stretches li").inner_text().startswith("Excluded: 1:20 to 1:25.5")
    second.locator(".keep").first.click()
    second.locator("input[type=checkbox]").nth(1).uncheck()
    assert first.locator(".out").count() == 2
    assert downloaded(browser_page, tmp_path) == {
        NAMES[0]: Review((2,), "0123456789ab", ((80.0, 85.5),)),
        NAMES[1]: Review((), "", ((90.0, math.inf),)),
    }


def test_a_stretch_can_be_drawn(browser_page: Any, tmp_path: Path) -> None:
    """From a quarter to three quarters of 100 s, over the timeline."""
    line = browser_page.locator(".timeline").first
    box = line.bounding_box()
    height = box["y"] + box["height"] / 2
    browser_page.mouse.move(box["x"] + box["width"] * 0.75, height)
    browser_page.mouse.down()
    browser_page.mouse.move(box["x"] + box["width"] * 0.25, height)
    browser_page.mouse.up()
    browser_page.locator(".exclude").first.click()
    ((start_s, stop_s),) = downloaded(browser_page, tmp_path)[NAMES[0]].stretches
    assert (start_s, stop_s) == pytest.approx((25, 75), abs=0.5)


def test_the_page_says_who_is_the_participant_now(browser_page: Any) -> None:
    """By the rule, by a tick, by several; two who are in view at once are not one person."""
    section = browser_page.locator(".recording").first
    boxes, said = section.locator("input[type=checkbox]"), section.locator(".decided")
    saved = browser_page.locator("#saved")
    assert said.inner_text().startswith("Participant: person 1, chosen by the rule.")
    assert saved.inner_text() == ""
    boxes.nth(1).check()
    assert said.inner_text() == "Participant: person 2, chosen by you."
    assert saved.inner_text().startswith("Not downloaded yet")
    boxes.nth(0).check()
    assert said.inner_text() == "Participant: persons 1 and 2, as one and the same, chosen by you."
    other = browser_page.locator(".recording").nth(1)
    # both are in view from 0 to 10 s
    other.locator("input[type=checkbox]").first.check()
    assert "in view at the same time" in other.locator(".decided").inner_text()
    with browser_page.expect_download():
        browser_page.click("#download")
    assert saved.inner_text().startswith("Downloaded.")


def test_an_end_may_be_left_open(browser_page: Any, tmp_path: Path) -> None:
    """Enter is as good as the button; what starts after the recording's end is refused."""
    section = browser_page.locator(".recording").first
    for start, stop in (("", "9"), ("1:30", ""), ("1:40", "")):
        section.get_by_label("Exclude from").fill(start)
        section.get_by_label("to", exact=True).fill(stop)
        section.get_by_label("to", exact=True).press("Enter")
    assert section.locator(".message").inner_text() == "The recording ends at 1:40"
    read = downloaded(browser_page, tmp_path)[NAMES[0]]
    assert read.stretches == ((0.0, 9.0), (90.0, math.inf))


EDGES = """() => [...document.querySelectorAll(".axis text")].map((text) => {
  const box = text.getBoundingClientRect();
  return [box.left, box.right];
})"""
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const label = one.labels && one.labels[0];
  return [
    one.className || one.type || one.id,
    one.getAttribute("aria-label") || (label || one).innerText,
    style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  ];
}"""


def test_every_control_is_reached_by_the_keyboard(browser_page: Any) -> None:
    """In the order of the page, each with a name and a visible focus."""
    n_controls = browser_page.locator("input, button").count()
    reached = []
    for _ in range(n_controls):
        browser_page.keyboard.press("Tab")
        reached.append(browser_page.evaluate(FOCUSED))
    kinds = [kind for kind, _, _ in reached]
    one = ["checkbox", "checkbox", "from", "to", "exclude"]
    assert kinds == [*one, "checkbox", "checkbox", "keep", "keep", *one[2:], "button"]
    assert all(name.strip() for _, name, _ in reached)
    assert all(outlined for _, _, outlined in reached)
    # the stretch that a button keeps is in its name
    assert "Keep it after all: 1:30 to the end" in [name for _, name, _ in reached]


def test_nothing_is_cut_off_at_the_side(browser_page: Any) -> None:
    """On a telephone as on a large screen; every time on an axis is within the page."""
    for width in (360, 1200):
        browser_page.set_viewport_size({"width": width, "height": 800})
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
        assert all(0 <= left < right <= width for left, right in browser_page.evaluate(EDGES))


def test_words_stand_out_from_their_ground(browser_page: Any) -> None:
    """Contrast by the formula of WCAG 2: 4.5 or more for every text on the page."""
    for words, colour, ground in browser_page.evaluate(COLOURS):
        assert contrast(colour, ground) >= 4.5, words


COLOURS = """() => {
  const seen = (one) => getComputedStyle(one).backgroundColor;
  const found = [];
  for (const one of document.body.querySelectorAll("*")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || one.matches("script, style, title, text, noscript, noscript *")) continue;
    let under = one;
    while (under.parentElement && seen(under) === "rgba(0, 0, 0, 0)") under = under.parentElement;
    found.push([one.innerText, getComputedStyle(one).color, seen(under)]);
  }
  return found;
}"""


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, "rgb(r, g, b)": 1 to 21."""
    lights = sorted(map(luminance, (one, other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    """Give the relative luminance of a colour."""
    levels = [int(level) / 255 for level in re.findall(r"\d+", colour)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels]
    return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
