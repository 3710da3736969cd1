"""The page on which a reviewer says who the participant is: one HTML file that asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

__all__ = ["PersonShown", "RecordingShown", "review_page"]

WIDTH = 1000
"""Of a timeline, in its own units."""
HEIGHT = 22


@dataclass(frozen=True)
class PersonShown:
    """Someone who was seen in a recording."""

    number: int
    pictures: tuple[tuple[float, bytes], ...]
    """Time, s, and a JPEG of the face."""
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


@dataclass(frozen=True)
class RecordingShown:
    """A recording to review."""

    recording: str
    found: str
    """Names the people that the numbers count."""
    duration_s: float
    people: tuple[PersonShown, ...]
    n_passing: int
    """People who are in view too shortly to be shown."""
    stretches: tuple[tuple[float, float], ...]
    """What review.csv excludes already, s."""
    notes: tuple[str, ...]
    """Warnings of quality.csv, and what else is to be known."""


def review_page(recordings: Sequence[RecordingShown], rule: str, command: str) -> str:
    """Write the page.

    Parameters
    ----------
    recordings
        What is shown, in this order.
    rule
        Who is the participant where nobody is chosen.
    command
        What to run once review.csv is in the study folder.

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
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>Who is the participant?</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Who is the participant?</h1>
<p class="warning">This page shows faces. Leave it in its folder, and remove it when you are done:
<code>emoclip-clinic review --clean</code></p>
<p>Tick the participant where the rule (<b>{escape(rule)}</b>) chose the wrong person; tick several
where one person was taken for several. Exclude what must not be encoded: type two times, or draw
over a timeline. Then download <code>review.csv</code>, put it into the study folder, and run
<code>{escape(command)}</code></p>
</header>
<main>
{"".join(map(_section, recordings))}</main>
<footer class="bar"><button id="download">Download review.csv</button></footer>
<script>{script}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return (files(__package__) / "review" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _section(shown: RecordingShown) -> str:
    people = "".join(_person(one, shown.duration_s) for one in shown.people)
    passing = f"<p>{shown.n_passing} more, in view for a moment only.</p>" * (shown.n_passing > 0)
    notes = "".join(f'<p class="quality">{escape(note)}</p>' for note in shown.notes)
    return f"""<section class="recording" data-recording="{escape(shown.recording)}"
 data-people="{escape(shown.found)}" data-duration="{shown.duration_s!r}">
<h2>{escape(shown.recording)}</h2>
{notes}{people or "<p>No face was found.</p>"}{passing}
<ul class="stretches">{"".join(_stretch(*one) for one in shown.stretches)}</ul>
<p>Exclude from <input type="text" aria-label="start" placeholder="1:20"> to
<input type="text" aria-label="stop" placeholder="2:05.5">
<button class="exclude">exclude</button> <span class="message" role="alert"></span></p>
</section>
"""


def _person(one: PersonShown, duration_s: float) -> str:
    pictures = "".join(
        f'<img alt="person {one.number} at {_clock(time_s)}" title="{_clock(time_s)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
        for time_s, jpeg in one.pictures
    )
    spans = "".join(
        f'<rect class="seen" x="{WIDTH * start_s / duration_s:.2f}" '
        f'width="{max(1.0, WIDTH * (stop_s - start_s) / duration_s):.2f}" height="{HEIGHT}">'
        f"<title>{_clock(start_s)} to {_clock(stop_s)}</title></rect>"
        for start_s, stop_s in one.spans
    )
    rule = ' <span class="rule">chosen by the rule</span>' * one.by_rule
    return f"""<div class="person"><label><input type="checkbox" value="{one.number}"\
{" checked" * one.chosen}> Person {one.number}, in view for {_clock(one.seen_s)}{rule}</label>
<div class="strip">{pictures}</div>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"
 aria-label="when person {one.number} is in view"><rect class="ground" width="{WIDTH}" \
height="{HEIGHT}"></rect>{spans}</svg></div>
"""


def _stretch(start_s: float, stop_s: float) -> str:
    stop = "" if math.isinf(stop_s) else repr(stop_s)
    words = f"{start_s} s to {f'{stop} s' if stop else 'the end'}"
    return (
        f'<li data-start="{start_s!r}" data-stop="{stop}">{words} '
        '<button class="keep">keep it after all</button></li>'
    )


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d}"
