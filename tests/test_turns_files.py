"""Readers of files of turns; the real files are in tests/real/test_turns_formats.py."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import ClinicError, TurnsError
from emoclip_clinic.turns import TurnChoice, stretches
from emoclip_clinic.turns_files import KINDS, read

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8
).filter(lambda name: name.casefold() not in ("na", "nan", "n/a"))
ROWS = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**5), NAMES), min_size=1, max_size=6
)

Rows = list[tuple[int, int, str]]
"""Start and duration in milliseconds, and the speaker."""


def spans(path: Path) -> list[tuple[float, float, str]]:
    return [(turn.start_s, turn.stop_s, turn.speaker) for turn in read(path)]


def truth(rows: Rows) -> list[tuple[object, object, str]]:
    return [
        (
            pytest.approx(start / 1000),
            pytest.approx((start + lasts) / 1000),
            unicodedata.normalize("NFC", name),
        )
        for start, lasts, name in rows
    ]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def csv_text(rows: Rows) -> str:
    lines = [f"{s / 1000},{(s + d) / 1000},{quoted(name)}" for s, d, name in rows]
    return "\n".join(["start_s,stop_s,speaker", *lines])


def events_text(rows: Rows) -> str:
    lines = [f"{s / 1000}\t{d / 1000}\t{quoted(name)}" for s, d, name in rows]
    return "\r\n".join(["onset\tduration\ttrial_type", *lines])


def ms_text(rows: Rows) -> str:
    lines = [f"{s};{d};{quoted(name)}" for s, d, name in rows]
    return "\n".join(["Begin Time - msec;Duration - msec;Tier", *lines])


def rttm_text(rows: Rows) -> str:
    lines = [f"SPEAKER a 1 {s / 1000} {d / 1000} <NA> <NA> {name} <NA> <NA>" for s, d, name in rows]
    return "\n".join([";; a comment", "SPKR-INFO a 1 <NA> <NA> <NA> unknown x <NA>", *lines])


def textgrid_text(rows: Rows, long: bool) -> str:
    def say(name: str, value: object) -> str:
        return f"{name} = {value}" if long else f"{value}"

    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"' if long else '"TextGrid"', ""]
    lines += [say("xmin", 0), say("xmax", 2000), "tiers? <exists>" if long else "<exists>"]
    lines += [say("size", len(rows)), *(["item []:"] if long else [])]
    for number, (start, lasts, name) in enumerate(rows, start=1):
        lines += [f"    item [{number}]:"] if long else []
        lines += [say("class", '"IntervalTier"'), say("name", quoted(name))]
        lines += [say("xmin", 0), say("xmax", 2000)]
        lines += [say("intervals: size", 2)]
        for low, high, label in ((0, start, ""), (start, start + lasts, 'she said "hi"\n2 ! 3')):
            lines += [say("xmin", low / 1000), say("xmax", high / 1000), say("text", quoted(label))]
    return "\n".join(lines)


def eaf_text(rows: Rows, header: str = 'TIME_UNITS="milliseconds"', media: str = "") -> str:
    slots, tiers = [], []
    for number, (start, lasts, name) in enumerate(rows):
        for slot, at in ((2 * number, start), (2 * number + 1, start + lasts)):
            slots.append(f'<TIME_SLOT TIME_SLOT_ID="ts{slot}" TIME_VALUE="{at}"/>')
        tiers.append(
            f'<TIER TIER_ID="{escaped(name)}"><ANNOTATION><ALIGNABLE_ANNOTATION '
            f'ANNOTATION_ID="a{number}" TIME_SLOT_REF1="ts{2 * number}" '
            f'TIME_SLOT_REF2="ts{2 * number + 1}"><ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION>'
            "</ANNOTATION></TIER>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT><HEADER {header}>{media}'
        f"</HEADER><TIME_ORDER>{''.join(slots)}</TIME_ORDER>{''.join(tiers)}</ANNOTATION_DOCUMENT>"
    )


FORMATS = {
    "turns.csv": csv_text,
    "events.tsv": events_text,
    "elan.txt": ms_text,
    "a.rttm": rttm_text,
    "long.TextGrid": lambda rows: textgrid_text(rows, long=True),
    "short.TextGrid": lambda rows: textgrid_text(rows, long=False),
    "a.eaf": eaf_text,
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", FORMATS)
@given(rows=ROWS)
def test_every_format_gives_back_what_was_written(
    name: str, encoding: str, tmp_path_factory: pytest.TempPathFactory, rows: Rows
) -> None:
    """Seconds and speakers, whatever the unit, the syntax and the encoding."""
    path = tmp_path_factory.mktemp("turns") / name
    path.write_bytes(FORMATS[name](rows).encode(encoding))
    assert spans(path) == truth(rows)


@pytest.mark.parametrize("kind", KINDS)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), data=st.data())
def test_no_content_brings_a_reader_down(
    kind: str, tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    """Damaged files, and text that is none of this, are refused in words."""
    made = [FORMATS[name]([(0, 5, "PAR")]) for name in FORMATS if name.endswith(kind[1:])]
    made += [textgrid_text([(0, 5, "PAR")], long=True)]
    whole = data.draw(st.sampled_from(made)).encode()
    at = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("turns") / f"damaged{kind}"
    for damaged in (content, whole[:at], whole[:at] + content + whole[at:]):
        path.write_bytes(damaged)
        try:
            read(path)
        except ClinicError as error:
            said = str(error)
        else:
            said = path.name
        assert path.name in said


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "headings are missing"),
        ("a.csv", "who,when\nPAR,3", "headings are who, when; needed are start_s"),
        ("a.csv", "start_s,stop_s\n3,1", "^row 2: it stops at 1.0 s, before"),
        ("a.csv", "start_s,stop_s\n0,1\n-3,1", "row 3: from -3.0"),
        ("a.csv", "start_s,stop_s\n0,1\n,1", "row 3 has no start"),
        ("a.csv", "start_s,stop_s\n0,soon", "row 2: 'soon' is no time"),
        ("a.csv", "start_s,stop_s\n0,1:75", "row 2: '1:75' is no time"),
        ("a.csv", "start_s,stop_s\n0,1:60:00", "row 2: '1:60:00' is no time"),
        ("a.csv", "start_s;stop_s\n0,5;1.5", "row 2 has a comma in '0,5', row 2 a point in '1.5'"),
        ("a.csv", "start_s;stop_s\n0;2\n1,500;2,250", "row 3: '1,500' may be 1.500 or 1500. Wri"),
        ("a.csv", "start_s;stop_s\n0,5;1.234,5", "row 2 a point|'1.234.5' is no time"),
        ("a.csv", "start_s,stop_s\n1,5,3,0", "row 2 has 4 cells, the header has 2"),
        ("a.csv", "start_s,stop_s\n", "no turn in it"),
        ("a.csv", "start_s,stop_s\nnan,3", "row 2 has no start"),
        ("a.csv", "start_s,stop_s\n1e400,3", "row 2: from inf"),
        ("a.csv", 'start_s,stop_s\n"1,3', "cannot be cut"),
        ("a.xlsx", "", "not read; allowed: .csv.*CSV UTF-8"),
        ("a.rttm", "SPEAKER a 1 3", "line 1 has 4 fields"),
        ("a.rttm", "; c\nSPEAKER a 1 3 -1 <NA> <NA> x", "line 2: it stops at 2.0 s, before"),
        ("a.rttm", "SPEAKER a 1 3 long <NA> <NA> x", "line 1: start '3' and duration 'long'"),
        ("a.TextGrid", "hello", "no TextGrid"),
        ("a.TextGrid", textgrid_text([(0, 5, "PAR")], True)[:-40], "ends before it is complete"),
        ("a.eaf", "<a>", "not whole XML"),
        ("a.eaf", "<a/>", "no ELAN document"),
        ("a.eaf", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares"),
        ("a.eaf", eaf_text([(0, 5, "A")], 'TIME_UNITS="PAL-frames"'), "time in PAL-frames"),
        ("a.eaf", eaf_text([(0, 5, "A")], media='<MEDIA_DESCRIPTOR TIME_ORIGIN="40"/>'), "shifted"),
        ("a.eaf", eaf_text([(0, 5, "A")]).replace('REF1="ts0"', 'REF1="ts9"'), "refers to 'ts9'"),
        ("a.eaf", eaf_text([(0, 5, "A")]).replace('"5"', '"5.5"'), "ts1 is at '5.5'"),
        ("a.eaf", eaf_text([(9, -5, "A")]), "tier 'A', annotation a0: it stops at 0.004 s"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    name: str, text: str, words: str, tmp_path: Path
) -> None:
    """File, row, what is allowed, what to do."""
    with pytest.raises(TurnsError, match=words):
        stretches(read(written(tmp_path, name, text)), TurnChoice("x"))


WRONG = {
    "a.csv": "speaker,start_s,stop_s\nDOC,3,1\nPAR,1,2\nDOC,soon,5\nDOC,,5\n",
    "a.rttm": "".join(
        f"SPEAKER a 1 {times} <NA> <NA> {name}\n"
        for name, times in [("DOC", "3 -1"), ("PAR", "1 1"), ("DOC", "3 long")]
    ),
    "a.TextGrid": textgrid_text([(1000, 1000, "PAR"), (5000, -1000, "DOC")], long=True),
    "a.eaf": eaf_text([(1000, 1000, "PAR"), (5000, -1000, "DOC")]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_others_does_not_matter(name: str, tmp_path: Path) -> None:
    """The doctor's rows are not asked for; whoever asks for them is told."""
    turns = read(written(tmp_path, name, WRONG[name]))
    assert stretches(turns, TurnChoice("x", ("PAR",))) == ((1.0, 2.0),)
    with pytest.raises(TurnsError, match="before it starts") as error:
        stretches(turns, TurnChoice("x", ("DOC",)))
    assert error.value.reason == "its file of turns cannot be used"


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    """A guessed encoding could give a speaker another name."""
    path = tmp_path / "a.csv"
    path.write_bytes("start_s,stop_s,speaker\n0,1,Müller".encode("latin-1"))
    with pytest.raises(TurnsError, match="UTF-8"):
        read(path)


def test_clocks_and_missing_durations_are_read(tmp_path: Path) -> None:
    """hh:mm:ss of a player; n/a of BIDS is an event without a duration."""
    text = "Start,End,Speaker\n01:02:03.5,01:02:04,PAR\n2:03.25,n/a,PAR\n"
    assert spans(written(tmp_path, "a.csv", text)) == [
        (3723.5, 3724.0, "PAR"),
        (123.25, 123.25, "PAR"),
    ]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_decimal_commas_are_read(mark: str, tmp_path: Path) -> None:
    """As a spreadsheet in German saves it; one time alone tells what the commas of all mean."""
    rows = [("start_s", "stop_s", "speaker"), ("0,5", "1,250", "a,b"), ("1:02,5", "63", "c")]
    path = written(tmp_path, "a.csv", "\n".join(mark.join(row) for row in rows))
    assert spans(path) == [(0.5, 1.25, "a,b"), (62.5, 63.0, "c")]
    quoted_cells = 'start_ms,stop_ms\n"500,5",1000\n'
    assert spans(written(tmp_path, "b.csv", quoted_cells)) == [(pytest.approx(0.5005), 1.0, "")]


def test_events_name_speaker_and_section_in_one_column(tmp_path: Path) -> None:
    """BIDS has trial_type; where there is a column for the speaker it is the section alone."""
    one = read(written(tmp_path, "a.tsv", "onset\tduration\ttrial_type\n1\t2\trest\n"))[0]
    assert (one.speaker, one.section) == ("rest", "rest")
    text = "onset\tduration\ttrial_type\tspeaker\n1\t2\trest\tPAR\n"
    other = read(written(tmp_path, "a.tsv", text))[0]
    assert (other.speaker, other.section) == ("PAR", "rest")


def test_silent_intervals_are_nobodys_turn(tmp_path: Path) -> None:
    """Praat labels what its detector of silences finds."""
    text = textgrid_text([(0, 5, "PAR")], long=True)
    for label in ("silent", "", "sp"):
        silent = text.replace(quoted('she said "hi"\n2 ! 3'), quoted(label))
        with pytest.raises(TurnsError, match="no turn"):
            read(written(tmp_path, "a.TextGrid", silent))


def aligned(key: str, start: str, stop: str) -> str:
    slots = f'TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="{stop}"'
    return f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{key}" {slots}/></ANNOTATION>'


def referring(key: str, parent: str, before: str = "") -> str:
    previous = f'PREVIOUS_ANNOTATION="{before}"' if before else ""
    place = f'ANNOTATION_ID="{key}" ANNOTATION_REF="{parent}" {previous}'
    return f"<ANNOTATION><REF_ANNOTATION {place}/></ANNOTATION>"


EAF_TIERS = f"""<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t2"/>
<TIME_SLOT TIME_SLOT_ID="t3"/><TIME_SLOT TIME_SLOT_ID="t4" TIME_VALUE="4000"/></TIME_ORDER>
<TIER TIER_ID="words" PARTICIPANT="Ann">
{aligned("a1", "t1", "t2")} {aligned("a2", "t2", "t3")} {aligned("a3", "t3", "t4")}
</TIER><TIER TIER_ID="parts" PARENT_REF="words" PARTICIPANT="Ann">
{referring("b2", "a1", "b1")} {referring("b1", "a1")} {referring("b3", "a3")}
</TIER></ANNOTATION_DOCUMENT>"""


def test_unaligned_slots_and_references_have_times(tmp_path: Path) -> None:
    """Slots without a time lie evenly between; references share their parent's time in order."""
    turns = read(written(tmp_path, "a.eaf", EAF_TIERS))
    at = {turn.place.rpartition(" ")[2]: (turn.start_s, turn.stop_s) for turn in turns}
    assert (at["a1"], at["a2"]) == ((1.0, 2.0), (2.0, 3.0))
    assert at["a3"] == at["b3"] == (3.0, 4.0)
    assert (at["b1"], at["b2"]) == ((1.0, 1.5), (1.5, 2.0))
    assert {turn.speaker: turn.person for turn in turns} == {"words": "Ann", "parts": ""}


def test_a_reference_to_nothing_is_refused(tmp_path: Path) -> None:
    """A ring of references too."""
    for parent in ("a9", "b2"):
        text = EAF_TIERS.replace('"b2" ANNOTATION_REF="a1"', f'"b2" ANNOTATION_REF="{parent}"')
        with pytest.raises(TurnsError, match=f"refers to '{parent}'"):
            read(written(tmp_path, "a.eaf", text))
