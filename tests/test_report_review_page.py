"""The review's page: what it says, what it forbids, and what it downloads in a real browser."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import shutil
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from emoclip_clinic.report.review_page import PersonShown, RecordingShown, review_page
from emoclip_clinic.reviews import Review, read_reviews

NAMES = ["sub-1_ses-01", 'sub-"<2>&_ses-01']
# a JPEG of one pixel is not needed: nothing here looks at it
PICTURE = b"\xff\xd8\xff\xd9"


def person(number: int, **given: Any) -> PersonShown:
    spans = ((0.0, 10.0), (30.0, 60.0))
    known = {"chosen": False, "by_rule": False, **given}
    return PersonShown(number, ((1.5, PICTURE), (40.0, PICTURE)), spans, **known)


def recording(name: str, **given: Any) -> RecordingShown:
    known = {
        "people": (person(1, by_rule=True), person(2)),
        "n_passing": 0,
        "stretches": (),
        "notes": (),
        **given,
    }
    return RecordingShown(name, "0123456789ab", 100.0, **known)


DECIDED = recording(
    NAMES[1],
    people=(person(1), person(2, chosen=True)),
    stretches=((0.0, 4.5), (90.0, math.inf)),
    notes=("blurred & <dark>",),
)
COMMAND = "emoclip-clinic encode 'my <films>' --participant left"
PAGE = review_page([recording(NAMES[0]), DECIDED], "region 0,0,0.5,1", COMMAND)


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
    assert PAGE.count("chosen by the rule") == 1
    assert "blurred &amp; &lt;dark&gt;" in PAGE


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
    page = review_page([recording("a", people=(), n_passing=3)], "largest", COMMAND)
    assert "No face was found." in page
    assert "3 more, in view for a moment only." in page


@pytest.fixture
def browser_page(tmp_path: Path) -> Iterator[Any]:
    """Open the page in a headless Chromium, where there is one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed")
    path = tmp_path / "review.html"
    path.write_text(PAGE, encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path.as_uri())
        yield page
        browser.close()
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
    for start, stop in (("1:20", "0:1:25.5"), ("9", "4"), ("x", "5")):
        first.get_by_label("start", exact=True).fill(start)
        first.get_by_label("stop", exact=True).fill(stop)
        first.locator(".exclude").click()
    assert "Give two times" in first.locator(".message").inner_text()
    second.locator(".keep").first.click()
    second.locator("input[type=checkbox]").nth(1).uncheck()
    assert first.locator(".out").count() == 2
    assert downloaded(browser_page, tmp_path) == {
        NAMES[0]: Review((2,), "0123456789ab", ((80.0, 85.5),)),
        NAMES[1]: Review((), "", ((90.0, math.inf),)),
    }


def test_a_stretch_can_be_drawn(browser_page: Any, tmp_path: Path) -> None:
    """From a quarter to three quarters of 100 s, over the timeline."""
    line = browser_page.locator("svg").first
    box = line.bounding_box()
    height = box["y"] + box["height"] / 2
    browser_page.mouse.move(box["x"] + box["width"] * 0.75, height)
    browser_page.mouse.down()
    browser_page.mouse.move(box["x"] + box["width"] * 0.25, height)
    browser_page.mouse.up()
    browser_page.locator(".exclude").first.click()
    ((start_s, stop_s),) = downloaded(browser_page, tmp_path)[NAMES[0]].stretches
    assert (start_s, stop_s) == pytest.approx((25, 75), abs=0.5)


def test_the_page_says_what_to_run_then() -> None:
    """The same command as the screen, with its options; it is text and never markup."""
    assert f"<code>{escape(COMMAND)}</code>" in PAGE
    assert "<films>" not in PAGE
