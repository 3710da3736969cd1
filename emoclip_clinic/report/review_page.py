"""The page on which a reviewer says who the participant is: one HTML file that asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from emoclip_clinic.participant_rule import ParticipantRule
from emoclip_clinic.scan import plain_id

__all__ = ["FaceShown", "PersonShown", "RecordingShown", "review_page"]

WIDTH = 1000
"""Of a timeline, in its own units."""
HEIGHT = 22
OUTLINE = 100
"""Height of the small outline of the picture, in its own units."""
LEFT, RIGHT = 0.4, 0.6
"""A face whose centre is between these fractions of the picture's width is in its middle."""
OFTEN = 0.25
"""Somebody sits on a side where they are in this share of the pictures."""
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Between the times on an axis."""
MOST_STEPS = 6
MOST_SPANS = 20
"""Are read out; a line that is interrupted more often is seen."""
RULES = {
    "largest": "whose face covers most of the picture",
    "longest": "who is in view longest",
    "left": "who sits furthest to the left",
    "right": "who sits furthest to the right",
    "region": "whose face is in this part of the picture",
    "photo": "whom the photo shows",
}


@dataclass(frozen=True)
class FaceShown:
    """A face at one moment."""

    time_s: float
    jpeg: bytes
    box: tuple[float, float, float, float]
    """Left and upper edge, width and height, as fractions of the whole picture's."""

    @property
    def side(self) -> str:
        """Where in the picture it is."""
        left, _, width, _ = self.box
        middle = left + width / 2
        if LEFT <= middle <= RIGHT:
            return "in the middle"
        return "on the left" if middle < LEFT else "on the right"


@dataclass(frozen=True)
class PersonShown:
    """Someone who was seen in a recording."""

    number: int
    faces: tuple[FaceShown, ...]
    """In order of time."""
    spans: tuple[tuple[float, float], ...]
    """Start and stop of the stretches in which the face is in view, s."""
    chosen: bool
    """Whether review.csv has chosen them already."""
    by_rule: bool
    """Whether the rule would choose them."""

    @property
    def seen_s(self) -> float:
        """How long the face is in view."""
        return sum(stop_s - start_s for start_s, stop_s in self.spans)

    @property
    def place(self) -> str:
        """Where in the picture they sit; who changes places sits on both sides."""
        sides = [one.side for one in self.faces]
        often = [side for side in dict.fromkeys(sides) if sides.count(side) >= OFTEN * len(sides)]
        return f"{' and '.join(often)} of the picture"


@dataclass(frozen=True)
class RecordingShown:
    """A recording to review."""

    recording: str
    found: str
    """Names the people that the numbers count."""
    duration_s: float
    aspect: float
    """Width of the picture over its height."""
    people: tuple[PersonShown, ...]
    n_passing: int
    """People who are in view too shortly to be shown."""
    stretches: tuple[tuple[float, float], ...]
    """What review.csv excludes already, s."""
    notes: tuple[str, ...]
    """Warnings of quality.csv, and what else is to be known."""


def review_page(recordings: Sequence[RecordingShown], rule: ParticipantRule, command: str) -> str:
    """Write the page.

    Parameters
    ----------
    recordings
        What is shown, in this order.
    rule
        Who is the participant where nobody is chosen.
    command
        What to run with the review.csv that the page gives.

    Returns
    -------
        HTML. It loads nothing and sends nothing: its policy forbids both, and allows no script and
        no style but its own two, by their hashes.
    """
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    sections = "".join(_section(n, one, rule) for n, one in enumerate(recordings, start=1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who is the participant?</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Who is the participant?</h1>
<p class="warning">This page shows faces. Leave it in its folder, and remove it when you are done:
<code>emoclip-clinic review --clean</code></p>
<p>Only the participant's face is analysed. Unless you say otherwise, the participant of a recording
is the person <b>{RULES[rule.kind]}</b> (rule: {escape(rule.text)}). Check it:</p>
<ol>
<li>Look at everybody who was seen: pictures of the face with their times, the small frame that
shows where in the picture they sit, and the line that is blue while they are in view.</li>
<li>Is the right person chosen? Then leave the recording as it is. If not, <b>tick the
participant</b>. If the participant is shown as several people, tick all of these.</li>
<li>To exclude a part, such as an interruption, type when it starts and stops, or draw over a
line with the mouse. What is excluded turns red.</li>
<li>Press <b>Download review.csv</b>, put the file into the study folder in place of an older one
(it must be called <code>review.csv</code>), and run <code>{escape(command)}</code></li>
</ol>
<noscript><p class="warning">This page needs JavaScript, which is switched off here.</p></noscript>
</header>
<main>
{sections}</main>
<footer class="bar"><button type="button" id="download">Download review.csv</button>
<span id="saved" role="status"></span></footer>
<script>{script}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return (files(__package__) / "review" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _section(number: int, shown: RecordingShown, rule: ParticipantRule) -> str:
    people = "".join(_person(one, shown) for one in shown.people)
    passing = f"<p>{shown.n_passing} more, in view for a moment only.</p>" * (shown.n_passing > 0)
    notes = "".join(f"<li>{escape(note)}</li>" for note in shown.notes)
    notes = f'<ul class="quality">{notes}</ul>' if notes else ""
    name = plain_id(shown.recording)
    in_csv = f'<p class="id">in review.csv: <code>{escape(shown.recording)}</code></p>'
    return f"""<section class="recording" aria-labelledby="recording-{number}"
 data-recording="{escape(shown.recording)}" data-people="{escape(shown.found)}"
 data-duration="{shown.duration_s!r}" data-otherwise="{escape(_otherwise(shown, rule))}">
<h2 id="recording-{number}">{escape(name)}</h2>
{in_csv * (name != shown.recording)}<p class="decided"></p>
{notes}{people or "<p>No face was found.</p>"}{passing}
<ul class="stretches">{"".join(_stretch(*one) for one in shown.stretches)}</ul>
<div class="exclusion"><label>Exclude from <input type="text" class="from" placeholder="1:20"
 autocomplete="off"></label> <label>to <input type="text" class="to" placeholder="2:05.5"
 autocomplete="off"></label> <button type="button" class="exclude">Exclude</button>
<span class="hint">minutes and seconds; empty is the beginning, or the end</span>
<span class="message" role="alert"></span></div>
</section>
"""


def _otherwise(shown: RecordingShown, rule: ParticipantRule) -> str:
    """Say who is the participant where nobody is ticked."""
    ruled = next((one.number for one in shown.people if one.by_rule), None)
    if ruled is not None:
        return f"person {ruled}, chosen by the rule. If that is right, tick nobody."
    if not shown.people:
        return "nobody, as no face was found."
    if rule.kind == "photo":
        return "who looks like the photo. To decide it yourself, tick the participant."
    return "not known. Tick the participant, or the recording is left out."


def _person(one: PersonShown, shown: RecordingShown) -> str:
    pictures = "".join(
        f'<figure><img alt="person {one.number} at {_clock(face.time_s)}, {face.side}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(face.jpeg).decode()}">'
        f"<figcaption>{_clock(face.time_s)}</figcaption></figure>"
        for face in one.faces
    )
    rule = ' <span class="rule">chosen by the rule</span>' * one.by_rule
    return f"""<div class="person"><label><input type="checkbox" value="{one.number}"\
{" checked" * one.chosen}> <span>Person {one.number}, {one.place}, in view for \
{_clock(one.seen_s)} of {_clock(shown.duration_s)}{rule}</span></label>
<div class="seen-at">{_outline(one, shown.aspect)}
<div class="strip">{pictures}</div></div>
{_timeline(one, shown.duration_s)}
{_axis(shown.duration_s)}</div>
"""


def _outline(one: PersonShown, aspect: float) -> str:
    """Draw the whole picture, small, with the place of the face at the time of each picture."""
    width = OUTLINE * aspect
    faces = "".join(
        f'<rect class="face" x="{width * x:.1f}" y="{OUTLINE * y:.1f}" '
        f'width="{width * w:.1f}" height="{OUTLINE * h:.1f}"></rect>'
        for x, y, w, h in (face.box for face in one.faces)
    )
    return f"""<svg class="where" viewBox="0 0 {width:.1f} {OUTLINE}" role="img"
 aria-label="person {one.number} sits {one.place}"><rect class="ground" width="{width:.1f}"
 height="{OUTLINE}"></rect>{faces}</svg>"""


def _timeline(one: PersonShown, duration_s: float) -> str:
    spans = "".join(
        f'<rect class="seen" x="{WIDTH * start_s / duration_s:.2f}" '
        f'width="{max(1.0, WIDTH * (stop_s - start_s) / duration_s):.2f}" height="{HEIGHT}">'
        f"<title>{_clock(start_s)} to {_clock(stop_s)}</title></rect>"
        for start_s, stop_s in one.spans
    )
    words = [f"{_clock(start_s)} to {_clock(stop_s)}" for start_s, stop_s in one.spans]
    more = " and more" * (len(words) > MOST_SPANS)
    return f"""<svg class="timeline" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"
 role="img" aria-label="person {one.number} is in view: {", ".join(words[:MOST_SPANS])}{more}">\
<rect class="ground" width="{WIDTH}" height="{HEIGHT}"></rect>{spans}</svg>"""


def _axis(duration_s: float) -> str:
    """Write times under a timeline; in per cent, as its text must not be stretched with it."""
    step_s = next((one for one in STEPS_S if duration_s <= MOST_STEPS * one), STEPS_S[-1])
    times = range(0, math.floor(duration_s) + 1, step_s)
    marks = "".join(_tick(time_s, 100 * time_s / duration_s) for time_s in times)
    return f'<svg class="axis" aria-hidden="true">{marks}</svg>'


def _tick(time_s: int, place: float) -> str:
    kind = "first" if place == 0 else "last" if place > 95 else "between"
    return (
        f'<rect class="tick" x="{place:.2f}%" width="1" height="4"></rect>'
        f'<text class="{kind}" x="{place:.2f}%" y="16">{_clock(time_s)}</text>'
    )


def _stretch(start_s: float, stop_s: float) -> str:
    """Note what is excluded; the script writes it out, as it does of what is added."""
    stop = "" if math.isinf(stop_s) else repr(stop_s)
    return f'<li data-start="{start_s!r}" data-stop="{stop}"></li>'


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d}"
