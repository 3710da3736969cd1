"""Real files of turns: the counts and times that their README gives, found by other means."""

from __future__ import annotations

from pathlib import Path

import pytest

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import Turn, TurnChoice, stretches
from emoclip_clinic.turns_files import read


def tier(turns: list[Turn], name: str) -> list[Turn]:
    return [turn for turn in turns if turn.speaker == name]


def span(turn: Turn) -> tuple[float, float, str]:
    return turn.start_s, turn.stop_s, turn.section


def total_s(turns: list[Turn]) -> float:
    return sum(turn.stop_s - turn.start_s for turn in turns)


@pytest.mark.parametrize(
    ("name", "n", "n_speakers", "seconds"),
    [
        ("sample.rttm", 10, 2, 24.35),
        ("ref.rttm", 13, 2, 31.046),
        ("sys.rttm", 11, 2, 28.363),
        ("test_video_audio_5_seconds_audio_annotation.rttm", 2, 1, 2.1),
    ],
)
def test_rttm(shared: Path, name: str, n: int, n_speakers: int, seconds: float) -> None:
    """Turns, speakers and their total; one of the files has nine fields a line."""
    turns = read(shared / "formats" / "rttm" / name)
    assert len(turns) == n
    assert len({turn.speaker for turn in turns}) == n_speakers
    assert total_s(turns) == pytest.approx(seconds)


def test_regions_of_scoring_are_no_turns(shared: Path, tmp_path: Path) -> None:
    """A UEM file has another suffix, and no line of it is a speaker's."""
    uem = shared / "formats" / "rttm" / "test_load.uem"
    with pytest.raises(TurnsError, match="not read; allowed"):
        read(uem)
    other = tmp_path / "a.rttm"
    other.write_bytes(uem.read_bytes())
    with pytest.raises(TurnsError, match="no turn in it"):
        read(other)


def test_elan_example(shared: Path) -> None:
    """Tiers of words, of what refers to them, and of gestures; one slot has no time."""
    turns = read(shared / "formats" / "elan" / "example.eaf")
    assert len({turn.speaker for turn in turns}) == 11
    words, classes = tier(turns, "W-Words"), tier(turns, "W-POS")
    assert len(words) == len(classes) == 97
    assert sorted(span(turn)[:2] for turn in words) == sorted(span(turn)[:2] for turn in classes)
    phases = tier(turns, "W-RGph")
    assert len(phases) == 59
    assert span(phases[0]) == (0.0, 0.44, "preparation")
    assert len(tier(turns, "K-Spch")) == 7
    assert span(tier(turns, "K-Spch")[0])[:2] == (0.28, 1.25)
    # ts62, the slot without a time, lies between 11470 and 11940 ms
    between = next(turn for turn in words if turn.place.endswith("a57"))
    assert span(between)[:2] == (11.47, pytest.approx((11.47 + 11.94) / 2))


def test_words_of_a_time_subdivision_cover_what_was_said(shared: Path) -> None:
    """ELAN allows no gaps between the words of an utterance: the stretches are the same."""
    turns = read(shared / "formats" / "elan" / "example.eaf")
    by_word = stretches(turns, TurnChoice("x", ("W-Words",)))
    assert by_word == stretches(turns, TurnChoice("x", ("W-Spch",)))


def test_elan_participants(shared: Path) -> None:
    """A tier is found by its name and by its participant."""
    turns = read(shared / "formats" / "elan" / "test.eaf")
    own = tier(turns, "Person1 (Utterance)")
    assert len(own) == 8
    assert span(own[0])[:2] == (1.04, 2.33)
    by_person = stretches(turns, TurnChoice("x", ("P001",)))
    assert by_person == stretches(turns, TurnChoice("x", ("Person1 (Utterance)",)))
    fables = read(shared / "formats" / "elan" / "fables_01_03_aesop_64kb.eaf")
    assert len(tier(fables, "Story")) == 16
    assert len(tier(fables, "StoryChunkType")) == 22


def test_praat_long_and_short(shared: Path) -> None:
    """One content in two syntaxes; silent intervals are left out of 104 phones."""
    folder = shared / "formats" / "praat"
    long, short = (read(folder / f"{kind}_format.TextGrid") for kind in ("long", "short"))
    assert [span(turn) for turn in long] == [span(turn) for turn in short]
    phones = tier(long, "phone")
    assert span(phones[0]) == (1361.8925, 1362.0125, "R")
    text = (folder / "long_format.TextGrid").read_text()
    own = text.split('name = "word"')[0]
    assert len(phones) == 104 - sum(own.count(f'text = "{word}"') for word in ("sil", "sp", ""))


def test_praat_labels_with_breaks_and_quotes(shared: Path) -> None:
    """ELAN's dialect and Praat's give the same; three tiers of one name are one speaker."""
    folder = shared / "formats" / "praat"
    one = read(folder / "bobby_words_with_newlines_longfile.TextGrid")
    other = read(folder / "bobby_words_with_newlines_longfile_elan.TextGrid")
    assert [(span(a), a.speaker) for a in one] == [(span(b), b.speaker) for b in other]
    assert span(one[0]) == (0.06469123242311078, 0.41156462585, '"""BOBBY"""\nNoun')
    mary = read(folder / "all_tiers_have_the_same_name.TextGrid")
    assert {turn.speaker for turn in mary} == {"Mary"}


def test_bids_events(shared: Path) -> None:
    """Events with durations are turns; n/a and 0 last no time; a byte order mark is no heading."""
    folder = shared / "formats" / "bids"
    bart = read(folder / "ds000030" / "sub-10159_task-bart_events.tsv")
    assert [len(tier(bart, name)) for name in ("BALOON", "CONTROL")] == [75, 72]
    assert bart[0].start_s == 2.03216603999999
    assert total_s(bart[:1]) == pytest.approx(1.20839207400013)
    name = "sub-002_ses-1_task-FacePerception_run-1_events.tsv"
    faces = read(folder / "eeg_ds003645s_hed_demo" / name)
    assert len(faces) == 199
    assert (faces[0].start_s, total_s(faces[:1])) == (24.20981818, 0)
    assert len([turn for turn in faces if turn.section == "show_circle"]) == 52
    tiny = read(folder / "tiny_bids" / "sub-01_ses-eeg_task-rest_events.tsv")
    assert [turn.section for turn in tiny] == ["start_experiment", "show_stimulus"]


def test_an_export_without_headings_says_what_is_needed(shared: Path) -> None:
    """ELAN writes headings on request."""
    with pytest.raises(TurnsError, match="needed are start_s"):
        read(shared / "formats" / "elan" / "test_transcript.human.tab")
