"""Only the participant's turns are encoded: the stages on recordings that are bright in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.cluster import connect
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError, SettingsError, TurnsError
from emoclip_clinic.pipeline import turning
from emoclip_clinic.pipeline.left_off import left_off
from emoclip_clinic.pipeline.spoken import TurnFiles
from emoclip_clinic.segments import OUTSIDE, Segment, plan
from emoclip_clinic.study import Stamp
from emoclip_clinic.turns import Stretch, TurnChoice, merged
from tests.videos import write_video

PEOPLE = ("P1", "P2", "P3")
NAMES = tuple(f"sub-{person}_ses-01" for person in PEOPLE)
FPS, N_FRAMES = 10, 60
TURNS_S = {"P1": [(1.0, 2.0), (3.5, 5.0)], "P2": [(0.0, 1.2)], "P3": [(2.0, 6.0)]}
BRIGHT, DARK = 220, 25
PROTOCOL = "rate_hz = 10\nwindow_frames = 8\nstride_frames = 8\n"
SETTINGS = """
[study]
scales = ["cains"]
[encode]
encoder = "emoclip-demo"
faces = "none"
protocol = "short"
turns = "turns/{participant}.csv"
speaker = ["PAR"]
"""


def film(path: Path, bright_s: list[tuple[float, float]], lead_s: float = 0.0) -> None:
    """Film 6 s, bright in some of them, with sound from the start on where the picture is late."""
    times = np.arange(N_FRAMES) / FPS
    bright = [any(low <= t < high for low, high in bright_s) for t in times + lead_s]
    rng = np.random.default_rng(list(path.parent.name.encode()))
    frames = [
        np.clip((BRIGHT if light else DARK) + rng.normal(0, 3, (64, 64, 3)), 0, 255).astype("u1")
        for light in bright
    ]
    path.parent.mkdir(parents=True)
    late = {"pts": (times + lead_s).tolist(), "audio": True} if lead_s else {}
    # every frame by itself: compression carries no light from one into the next
    write_video(path, frames, FPS, options={"g": "1", "crf": "12"}, **late)


def note(study: Path, person: str, turns_s: list[tuple[float, float]]) -> Path:
    """Write a file of turns: the participant's, and the doctor's between them."""
    path = study / "turns" / f"{person}.csv"
    path.parent.mkdir(exist_ok=True)
    rows = [("PAR", start, stop) for start, stop in turns_s] + [("DOC", 0.2, 0.4)]
    pd.DataFrame(rows, columns=["speaker", "start_s", "stop_s"]).to_csv(path, index=False)
    return path


@pytest.fixture
def study(tmp_path: Path) -> ec.Study:
    """Film three people who are bright while they speak, and note their turns."""
    folder = tmp_path / "study"
    (folder / "protocols" / "encoding").mkdir(parents=True)
    (folder / "protocols" / "encoding" / "short.toml").write_text(PROTOCOL)
    (folder / "study.toml").write_text(SETTINGS)
    for person, turns_s in TURNS_S.items():
        film(folder / "interviews" / person / "interview.mp4", turns_s)
        note(folder, person, turns_s)
    return ec.Study(folder)


def encode(study: ec.Study, **given: object) -> ec.pipeline.StageResult:
    return ec.pipeline.encode(ec.Study(study.path), study.path / "interviews", **given)


def segments(study: ec.Study) -> pd.DataFrame:
    return pd.read_csv(study.features_dir("emoclip-demo") / "segments.csv", keep_default_na=False)


def brightness(study: ec.Study) -> dict[str, float]:
    table = pd.read_csv(study.features_dir("emoclip-demo") / "quality.csv")
    own = table[table["measure"] == "face_brightness"]
    return dict(zip(own["recording"], own["value"] * 255, strict=True))


def stored(study: ec.Study) -> dict[str, tuple[bytes, int]]:
    folder = study.features_dir("emoclip-demo")
    return {
        path.name[:6]: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.glob("*.safetensors"))
    }


def test_only_what_the_participant_says_is_encoded(study: ec.Study) -> None:
    """Every frame that was read is bright; windows lie in turns, and the rest is said."""
    result = encode(study)
    assert result.exclusions.empty
    assert list(brightness(study).values()) == pytest.approx([BRIGHT] * 3, abs=8)
    table = segments(study)
    used = table[table["status"] == "used"]
    for row in used.to_dict("records"):
        turns_s = TURNS_S[row["recording"][4:6]]
        assert any(low <= row["start_s"] and row["stop_s"] <= high + 1e-6 for low, high in turns_s)
    assert used.groupby("recording").size().to_dict() == dict(zip(NAMES, (3, 2, 5), strict=True))
    first = table[table["recording"] == NAMES[0]]
    outside = first.loc[first["reason"] == OUTSIDE, ["start_s", "stop_s"]]
    assert outside.to_numpy().ravel() == pytest.approx([0, 1, 2, 3.5, 5, 6])
    # of the turn from 1 to 2 s two frames are left over; what is nobody's turn is no window
    assert result.summary["n_windows_excluded"] == 1


def test_whole_turns_give_the_features_of_the_whole_recording(study: ec.Study) -> None:
    """One turn from the first frame to the last changes no number."""
    encode(study, turns="", speaker=(), sections=())
    folder = study.features_dir("emoclip-demo")
    whole = {name: features.read(folder / f"{name}.safetensors") for name in NAMES}
    for person in PEOPLE:
        note(study.path, person, [(0.0, N_FRAMES / FPS)])
    assert not encode(study).fresh
    for name, before in whole.items():
        after = features.read(folder / f"{name}.safetensors")
        assert after.vectors.tobytes() == before.vectors.tobytes()
        pd.testing.assert_frame_equal(after.segments, before.segments)
        pd.testing.assert_frame_equal(after.quality, before.quality)


def test_a_joined_pause_is_encoded_with_the_turns_around_it(study: ec.Study) -> None:
    """P1 pauses for 1.5 s: the windows of one turn from 1 to 5 s. Nobody else has a pause."""
    encode(study)
    before = stored(study)
    note(study.path, "P1", [(1.0, 5.0)])
    encode(study)
    whole = stored(study)["sub-P1"][0]
    note(study.path, "P1", TURNS_S["P1"])
    (study.path / "study.toml").write_text(SETTINGS + "join_pauses_s = 1.5\n")
    encode(study)
    after = stored(study)
    assert after["sub-P1"][0] == whole
    assert [after[name] for name in ("sub-P2", "sub-P3")] == [
        before[name] for name in ("sub-P2", "sub-P3")
    ]


def test_a_changed_table_encodes_its_recording_again_and_no_other(study: ec.Study) -> None:
    """Nothing changed: nothing is done. The doctor's turns are nobody's features."""
    encode(study)
    before = stored(study)
    assert encode(study).fresh
    note(study.path, "P2", [(0.0, 1.0)])
    assert not encode(study).fresh
    after = stored(study)
    assert [name for name in before if after[name] != before[name]] == ["sub-P2"]
    path = study.path / "turns" / "P1.csv"
    path.write_text(path.read_text().replace("DOC,0.2", "DOC,0.3"))
    assert not encode(study).fresh
    assert stored(study) == after
    assert encode(study).fresh


def test_a_recording_without_turns_is_a_row_with_its_reason(study: ec.Study) -> None:
    """Not encoded whole; and encoded when its file comes."""
    path = study.path / "turns" / "P1.csv"
    content = path.read_bytes()
    path.unlink()
    (study.path / "turns" / "P2.csv").write_text("speaker,start_s,stop_s\nPAR,3,1\n")
    (study.path / "turns" / "P3.csv").write_text("speaker,start_s,stop_s\nDOC,1,3\nPAR,3,6\n")
    result = encode(study)
    assert result.exclusions[["id", "reason"]].to_numpy().tolist() == [
        [NAMES[0], "no file of turns"],
        [NAMES[1], "its file of turns cannot be used"],
    ]
    assert any("P2.csv: row 2: it stops at 1.0 s" in note for note in result.notes)
    path.write_bytes(content)
    note(study.path, "P2", TURNS_S["P2"])
    (study.path / "turns" / "P3.csv").write_text("speaker,start_s,stop_s\nDOC,1,3\n")
    result = encode(study)
    assert result.exclusions[["id", "reason"]].to_numpy().tolist() == [
        [NAMES[2], "no turn of the participant in its file of turns"]
    ]
    assert any("'PAR'; those there are 'DOC'" in note for note in result.notes)


def test_another_unit_of_time_is_seen(study: ec.Study) -> None:
    """Milliseconds read as seconds lie after the end: a reason, and a note that asks."""
    note(study.path, "P1", [(1000, 2000)])
    note(study.path, "P2", [(0.0, 9.0)])
    result = encode(study)
    assert result.exclusions[["id", "reason"]].to_numpy().tolist() == [
        [NAMES[0], "the turns go on after the end of the recording"]
    ]
    text = " ".join(result.notes)
    assert "P1.csv: row 2 starts at 1000 s, the recording ends at 6 s" in text
    assert "P2.csv: the last turn stops at 9 s and is cut" in text
    last = segments(study).query("recording == @NAMES[1]")["stop_s"].max()
    assert last == pytest.approx(6.0)


def test_a_name_that_nobody_has_ends_before_anything_is_encoded(study: ec.Study) -> None:
    """A misspelt speaker is an error with the names there; one of several is a note."""
    with pytest.raises(TurnsError, match=r"not one of 3.*P1.csv: no speaker 'PAT'.*'DOC', 'PAR'"):
        encode(study, speaker=("PAT",))
    assert not stored(study)
    result = encode(study, speaker=("PAR", "PAT"))
    assert "speaker 'PAT' is in no file of turns" in result.notes


def test_one_table_may_serve_all_recordings(study: ec.Study) -> None:
    """By a column with the recording; without it nobody knows whose the turns are."""
    rows = [
        (person, name, "PAR", *turn)
        for person, name in zip(PEOPLE, NAMES, strict=True)
        for turn in TURNS_S[person]
    ]
    table = pd.DataFrame(rows, columns=["who", "recording", "speaker", "start_s", "stop_s"])
    encode(study)
    expected = segments(study)
    table.to_csv(study.path / "all.csv", index=False)
    encode(study, turns="all.csv")
    pd.testing.assert_frame_equal(segments(study), expected)
    table.assign(recording=[*table["recording"][:-1], ""]).to_csv(
        study.path / "all.csv", index=False
    )
    with pytest.raises(TurnsError, match="row 5 names no recording"):
        encode(study, turns="all.csv")
    table.drop(columns="recording").to_csv(study.path / "all.csv", index=False)
    with pytest.raises(TurnsError, match=r"serves several recordings.*column 'recording'"):
        encode(study, turns="all.csv")


def test_a_file_of_another_recording_is_not_taken(study: ec.Study) -> None:
    """RTTM names a sound file: any name will do, but not that of another recording."""
    line = "SPEAKER {} 1 1.0 2.0 <NA> <NA> PAR <NA> <NA>"
    for person, name in zip(PEOPLE, ("interview_mono_16k", NAMES[1], NAMES[0]), strict=True):
        (study.path / "turns" / f"{person}.rttm").write_text(line.format(name))
    result = encode(study, turns="turns/{participant}.rttm")
    assert result.exclusions["id"].tolist() == [NAMES[2]]
    assert "P3.rttm: it holds no turn of this recording." in result.notes


def test_one_rttm_may_serve_all_recordings_by_names_that_tell_them_apart(study: ec.Study) -> None:
    """By the recordings' ids; not by a file name that all of them have."""
    path = study.path / "all.rttm"
    line = "SPEAKER {} 1 1.0 2.0 <NA> <NA> PAR <NA> <NA>"
    path.write_text("\n".join(line.format(name) for name in NAMES[:2]))
    assert encode(study, turns="all.rttm").exclusions["id"].tolist() == [NAMES[2]]
    path.write_text(line.format("interview"))
    with pytest.raises(TurnsError, match=r"all\.rttm: it holds no turn of this"):
        encode(study, turns="all.rttm")


def test_times_are_those_of_a_player_where_the_picture_begins_late(study: ec.Study) -> None:
    """Sound from 0 s on, pictures from 1 s: the turn from 2 to 4 s is 1 s into the frames."""
    film(study.path / "interviews" / "P4" / "interview.mp4", [(2.0, 4.0)], lead_s=1.0)
    note(study.path, "P4", [(2.0, 4.0)])
    encode(study)
    assert brightness(study)["sub-P4_ses-01"] == pytest.approx(BRIGHT, abs=8)
    own = segments(study).query("recording == 'sub-P4_ses-01' and status == 'used'")
    assert own["start_s"].min() == pytest.approx(1.0, abs=0.02)
    assert own["stop_s"].max() == pytest.approx(3.0, abs=0.02)


def test_other_processes_give_the_same_bytes(study: ec.Study) -> None:
    """The turns go along with the recordings."""
    encode(study)
    before = {name: content for name, (content, _) in stored(study).items()}
    for path in study.features_dir("emoclip-demo").glob("*"):
        path.unlink()
    with connect("cores:2") as run:
        encode(study, run=run)
    assert {name: content for name, (content, _) in stored(study).items()} == before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"turns": "turns/{person}.csv"}, "{person} is unknown; allowed: {recording}"),
        ({"turns": "turns/{recording}.xlsx"}, "not read; allowed: .csv"),
    ],
)
def test_impossible_patterns_are_refused(
    study: ec.Study, given: dict[str, str], words: str
) -> None:
    """Before anything is ingested."""
    with pytest.raises(SettingsError) as error:
        encode(study, **given)
    assert words in str(error.value)
    assert not study.recordings_csv.exists()


def test_a_speaker_without_files_is_refused(study: ec.Study) -> None:
    """Nobody's wish is passed over."""
    path = study.path / "study.toml"
    path.write_text(SETTINGS.replace('turns = "turns/{participant}.csv"', ""))
    with pytest.raises(SettingsError, match="no files of turns are named"):
        encode(study)


def test_every_placeholder_is_filled(study: ec.Study) -> None:
    """Recording, participant, session, task and the file's own name."""
    old = study.path / "interviews"
    new = old / "sub-9_ses-2_task-panss_video.mp4"
    film(old / "x" / "x.mp4", [(1.0, 3.0)])
    (old / "x" / "x.mp4").rename(new)
    (old / "x").rmdir()
    for pattern, name in {
        "t/{recording}.csv": "t/sub-9_ses-2.csv",
        "t/{participant}/{session}.csv": "t/9/2.csv",
        "interviews/{stem}.csv": "interviews/sub-9_ses-2_task-panss_video.csv",
        "t/{task}_{participant}_events.tsv": "t/panss_9_events.tsv",
    }.items():
        path = study.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("onset\tduration\ttrial_type\n1.0\t2.0\tPAR\n")
        encode(study, turns=pattern)
        used = segments(study).query("status == 'used'")
        assert set(used["recording"]) == {"sub-9_ses-2"}
        assert used["start_s"].min() == pytest.approx(1.0)


def test_check_says_what_every_file_holds(study: ec.Study) -> None:
    """Stretches and seconds, and what is wrong, before anything is encoded."""
    ec.pipeline.ingest(study, study.path / "interviews")
    note(study.path, "P2", [(0.5, 1.0), (0.8, 1.5), (3.0, 4.0)])
    (study.path / "turns" / "P3.csv").unlink()
    result = ec.pipeline.check_turns(study)
    assert result.table is not None
    assert result.table.to_numpy().tolist() == [
        [NAMES[0], "2", "2.5", "0.42"],
        [NAMES[1], "2", "2.0", "0.33"],
        [NAMES[2], "0", "0.0", "0.00"],
    ]
    assert result.exclusions["reason"].tolist() == ["no file of turns"]


RATE_HZ, WINDOW = 10, 8


def planned(protocol: EncodingProtocol, parts: tuple[Stretch, ...]) -> tuple[str, list[Segment]]:
    """Give the planner's reason to leave a recording of 6 s out, or the windows that it uses."""
    try:
        made = plan(np.arange(N_FRAMES) / FPS, protocol, parts)
    except RecordingError as error:
        return str(error), []
    return "", [one for one in made.segments if not one.reason]


@given(
    turns_s=st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 30)).map(lambda t: (t[0], t[0] + t[1])),
        min_size=1,
        max_size=4,
    )
)
def test_check_and_encode_leave_out_the_same_recordings(
    turns_s: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For turns before, over and after the end: what check lists is what the planner does."""
    folder = tmp_path_factory.mktemp("study")
    study = ec.Study.create(folder)
    made = [(low / 10, high / 10) for low, high in turns_s]
    note(folder, "a", made)
    row = {"recording": "a", "participant": "a", "session": "1", "path": "a.mp4", "duration_s": 6.0}
    files = TurnFiles(study, TurnChoice("turns/{recording}.csv", ("PAR",)), [row])
    found = files.check()["a"]
    protocol = EncodingProtocol(rate_hz=RATE_HZ, window_frames=WINDOW, stride_frames=WINDOW)
    told = turning._reason(found, files.span("a"), FPS, protocol)
    parts = merged(made)
    if not parts:
        assert told == "no turn of the participant in its file of turns"
        return
    missed, used = planned(protocol, parts)
    assert found.reason == missed
    assert found.stretches == (() if missed else parts)
    assert told == missed if missed else bool(told) == (not used)
    inside = sum(max(0, min(high, 6) - low) for low, high in parts)
    shown = turning._row("a", found.stretches, files.span("a"))
    assert float(shown["share"]) == pytest.approx(0 if found.reason else inside / 6, abs=0.006)


def test_check_says_of_a_recording_what_encode_does(study: ec.Study) -> None:
    """Late, early and short turns; a picture that begins late; and one recording that is fine."""
    for person in ("P4", "P5"):
        film(study.path / "interviews" / person / "interview.mp4", [], lead_s=1.0)
    note(study.path, "P1", [(0.0, 2.0), (50.0, 60.0)])
    note(study.path, "P2", [(1.0, 1.2), (3.0, 3.3)])
    note(study.path, "P3", [(4.0, 9.0)])
    # the frames last from 1 to 7 s as players count
    note(study.path, "P4", [(6.1, 6.9), (7.5, 7.9)])
    note(study.path, "P5", [(0.0, 0.9)])
    ec.pipeline.ingest(study, study.path / "interviews")
    told = ec.pipeline.check_turns(ec.Study(study.path))
    done = encode(study)
    columns = ["id", "reason"]
    assert told.exclusions[columns].to_numpy().tolist() == [
        ["sub-P1_ses-01", "the turns go on after the end of the recording"],
        ["sub-P2_ses-01", "turn shorter than half a window"],
        ["sub-P5_ses-01", "the turns end before the first picture of the recording"],
    ]
    pd.testing.assert_frame_equal(told.exclusions[columns], done.exclusions[columns])
    assert set(told.notes) <= set(done.notes)
    assert told.message == "2 of 5 recordings have turns to encode."
    assert told.table is not None
    assert told.table["share"].tolist() == ["0.00", "0.08", "0.33", "0.13", "0.00"]
    assert brightness(study)["sub-P4_ses-01"] == pytest.approx(DARK, abs=8)


def test_nobody_named_is_said_once_for_a_file_that_all_share(study: ec.Study) -> None:
    """The reason says what is missing; the note says who is there, and how many it concerns."""
    ec.pipeline.ingest(study, study.path / "interviews")
    rows = [(name, who, 1, 3) for name in NAMES for who in ("DOC", "PAR")]
    table = pd.DataFrame(rows, columns=["recording", "speaker", "start_s", "stop_s"])
    table.to_csv(study.path / "all.csv", index=False)
    result = ec.pipeline.check_turns(study, turns="all.csv", speaker=())
    reason = "several speakers in its file of turns, and none was named"
    assert result.exclusions["reason"].tolist() == [reason] * 3
    (said,) = result.notes
    assert said.startswith("3 recordings: all.csv: it has several speakers, 'DOC', 'PAR'")
    table.drop(table.index[1]).to_csv(study.path / "all.csv", index=False)
    result = ec.pipeline.check_turns(study, turns="all.csv")
    assert result.notes == (f"{NAMES[0]}: all.csv: no speaker 'PAR'; those there are 'DOC'.",)


def test_what_the_last_run_took_is_not_lost_in_silence(study: ec.Study) -> None:
    """Options hold for one run: the next without them says so, and how to make them stay."""
    path = study.path / "study.toml"
    turns = 'turns = "turns/{participant}.csv"\nspeaker = ["PAR"]\n'
    path.write_text(SETTINGS.replace(turns, ""))
    given = {"turns": "turns/{participant}.csv", "speaker": ("PAR",)}
    assert not any("the last run" in note for note in encode(study, **given).notes)
    assert not any("the last run" in note for note in encode(study, **given).notes)
    said = next(note for note in encode(study).notes if "the last run" in note)
    assert said.startswith("encoded whole recordings; the last run took turns = ")
    # what it says to write is what gives the turns again
    start = said.index("turns = ")
    words = said[start : said.index(". Options")].replace(", speaker", "\nspeaker")
    path.write_text(SETTINGS.replace(turns, words + "\n"))
    assert not any("the last run" in note for note in encode(study).notes)
    assert max(segments(study).query("status == 'used'").groupby("recording").size()) == 5
    # whoever says that whole recordings are meant is not asked
    result = encode(study, turns="", speaker=(), sections=())
    assert not any("the last run" in note for note in result.notes)


def test_another_rule_than_the_last_runs_is_said() -> None:
    """Where it was an option then, and is none now."""
    now = Stamp("encode", {}, {"participant": "largest"})
    last = {"settings": {"participant": "left"}}
    absent = {"turns": (None, None, None), "participant": (None,)}
    (said,) = left_off(last, now, absent)
    assert 'encoded with participant = "largest"; the last run took participant = "left"' in said
    assert left_off(last, now, absent | {"participant": ("largest",)}) == []
    assert left_off(None, now, absent) == []
    assert left_off({"settings": {"participant": "largest"}}, now, absent) == []
