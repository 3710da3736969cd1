"""encode and review on a study in which two drawn people change places."""

from __future__ import annotations

import base64
import html
import re
import shutil
import stat
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import emoclip_clinic as ec
from emoclip_clinic import features, pipeline
from emoclip_clinic.errors import ClinicError, SettingsError, StudyError
from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.pipeline.choosing import UNRECOGNISED, Choices, photo_measures
from emoclip_clinic.recordings import read_recordings
from emoclip_clinic.reviews import Review
from tests.two_people import drawn, side_by_side
from tests.videos import write_video

Frame = npt.NDArray[np.uint8]

N, SWAP, SIDE_PX = 48, 30, 192
SETTINGS = '[encode]\nencoder = "emoclip-demo"\nfaces = "haar"\n'
NAME = "sub-P01_ses-01"


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Film two people who change places (P01), and one of them alone (P02)."""
    folder = tmp_path_factory.mktemp("people") / "study"
    one, other = drawn(0, N, SIDE_PX), drawn(1, N, SIDE_PX)
    for name, frames in (("P01", side_by_side(one, other, [SWAP])), ("P02", one)):
        path = folder / "interviews" / name / "interview.mp4"
        path.parent.mkdir(parents=True)
        write_video(path, frames, fps=6.25, options={"crf": "12"})
    for name, frame in (("left", one[0]), ("right", other[0]), ("nobody", one[0] // 8)):
        picture(folder / f"{name}.png", frame)
    (folder / "study.toml").write_text(SETTINGS)
    return folder


@pytest.fixture
def study(filmed: Path, tmp_path: Path) -> ec.Study:
    """Copy the study."""
    return ec.Study(shutil.copytree(filmed, tmp_path / "study"))


def picture(path: Path, frame: Frame) -> None:
    """Write a frame as a picture."""
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))


def encoded(study: ec.Study, rule: str | None = None) -> features.RecordingFeatures:
    """Encode the study; give what was made of P01."""
    pipeline.encode(study, study.path / "interviews", participant=rule, device="cpu")
    return features.read(study.features_dir("emoclip-demo") / f"{NAME}.safetensors")


def write_review(study: ec.Study, *rows: str) -> None:
    head = "recording,action,participant_person,start_s,stop_s,people"
    study.review_csv.write_text("\n".join([head, *rows]) + "\n")


def person_by_rule(study: ec.Study, rule: str) -> int:
    """Read the number of the person that a rule chooses from the review's page."""
    pipeline.review(study, participant=rule)
    page = (study.review_dir / "review.html").read_text()
    section = page.split(f'data-recording="{NAME}"')[1].split("</section>")[0]
    before = section.split('class="rule">chosen by the rule')[0]
    return int(before.rpartition("> <span>Person ")[2].split(",")[0])


def test_each_side_has_its_own_windows_for_good(study: ec.Study) -> None:
    """Left and right at the start are followed: each is most like their own solo recording."""
    left, right = encoded(study, "left").vectors, encoded(study, "right").vectors
    solo = features.read(study.features_dir("emoclip-demo") / "sub-P02_ses-01.safetensors").vectors
    assert left.shape == right.shape == solo.shape
    to_left, to_right = (np.linalg.norm(one - solo, axis=1) for one in (left, right))
    assert (to_left < to_right).all()


def test_the_rule_stands_in_the_study_or_on_the_command_line(study: ec.Study) -> None:
    """Another rule is encoded anew, the same is not; a wrong one is refused before any work."""
    before = encoded(study, "right").vectors
    (study.path / "study.toml").write_text(SETTINGS + 'participant = "right"\n')
    again = ec.Study(study.path)
    assert pipeline.encode(again, study.path / "interviews").fresh
    assert encoded(again, "left").vectors.tobytes() != before.tobytes()
    (study.path / "study.toml").write_text(SETTINGS + 'participant = "rihgt"\n')
    with pytest.raises(SettingsError, match=r"encode: participant = 'rihgt'; allowed: largest"):
        encoded(ec.Study(study.path))
    (study.path / "study.toml").write_text(SETTINGS.replace("haar", "none"))
    with pytest.raises(SettingsError, match="needs faces to choose from"):
        encoded(ec.Study(study.path), "left")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_photo_finds_its_person(study: ec.Study, side: str) -> None:
    """Of two, with the image tower: the windows are those of who is known to sit there."""
    for name in ("P01", "P02"):
        shutil.copy(study.path / f"{side}.png", study.path / f"{name}.png")
    made, other = encoded(study, "{participant}.png"), "sub-P02_ses-01"
    warned = warned_photos(study)
    assert len(made.vectors) > 0
    assert made.vectors.tobytes() == encoded(study, side).vectors.tobytes()
    # P02's recording shows who sits on the left, alone, and is encoded all the same: that is said
    assert warned == {NAME: UNRECOGNISED, other: UNRECOGNISED}


def warned_photos(study: ec.Study) -> dict[str, str]:
    """Read what quality.csv warns of, where a photo decided; `encode` counts it."""
    result = pipeline.encode(study, study.path / "interviews", participant="{participant}.png")
    assert result.fresh
    table = pd.read_csv(study.features_dir("emoclip-demo") / "quality.csv", keep_default_na=False)
    rows = table[(table["measure"] == "photo_recogniser") & (table["flag"] == "warn")]
    (said,) = (note for note in result.notes if UNRECOGNISED in note)
    assert f"({len(rows)} recording" in said
    return dict(zip(rows["recording"], rows["note"], strict=True))


def test_a_face_recogniser_says_who_is_absent() -> None:
    """With SFace nothing warns; a recording without a photo, or with a review, has no row."""
    photos = {name: (Path("a.png"), "") for name in ("a", "b")}
    choices = Choices(parse_rule("a.png"), "sface", photos, {"b": Review(people=(1,))})
    (row,) = photo_measures(choices, ["a", "b", "c"]).to_dict("records")
    assert (row["recording"], row["value"], row["note"]) == ("a", 1.0, "")


def test_a_photo_that_cannot_be_used_is_a_reason_or_an_error(study: ec.Study) -> None:
    """None at all is an error; none of one participant, or one without a face, costs a row."""
    with pytest.raises(SettingsError, match="there is no such photo for any recording"):
        encoded(study, "photos/{participant}.png")
    shutil.copy(study.path / "nobody.png", study.path / "P01.png")
    made = encoded(study, "{participant}.png")
    assert made.segments["reason"].tolist() == [
        "no face is found in the photo of the participant: give another"
    ]
    other = features.read(study.features_dir("emoclip-demo") / "sub-P02_ses-01.safetensors")
    assert other.segments["reason"].tolist() == ["there is no photo of the participant"]


def test_a_review_goes_before_the_rule(study: ec.Study) -> None:
    """Who was ticked is encoded, what was excluded is not; nothing else is encoded again."""
    right = encoded(study, "right").vectors
    chosen = person_by_rule(study, "right")
    encoded(study, "left")
    other = study.features_dir("emoclip-demo") / "sub-P02_ses-01.safetensors"
    before = other.stat().st_mtime_ns
    write_review(study, f"{NAME},choose,{chosen},,,", f"{NAME},exclude,,0.5,1,")
    made = encoded(study, "left")
    assert made.segments["reason"].tolist() == ["excluded in the review", ""]
    np.testing.assert_allclose(made.vectors, right[1:], atol=1e-5)
    assert other.stat().st_mtime_ns == before
    study.review_csv.unlink()
    assert (encoded(study, "left").segments["status"] == "used").all()


def test_a_review_of_other_people_is_not_obeyed(study: ec.Study) -> None:
    """Where people were found otherwise, numbers may mean others: the recording waits."""
    write_review(study, f"{NAME},choose,1,,,000000000000")
    assert "review it again" in encoded(study).segments["reason"].tolist()[0]
    write_review(study, f"{NAME},choose,9,,,")
    assert "chooses person 9" in encoded(study).segments["reason"].tolist()[0]
    write_review(study, "sub-P03_ses-01,choose,1,,,")
    with pytest.raises(StudyError, match=r"review\.csv, row 2: there is no recording"):
        encoded(study)


def test_the_page_is_private_and_goes_when_it_is_told(study: ec.Study) -> None:
    """Faces exist in one folder, for its owner alone, until they are removed."""
    pipeline.ingest(study, study.path / "interviews")
    (page,) = pipeline.review(study).written
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert [path.name for path in page.parent.iterdir()] == ["review.html"]
    pipeline.clean_review(study)
    assert not page.parent.exists()
    assert "no page" in pipeline.clean_review(study).message


def test_each_strip_of_pictures_shows_one_person(study: ec.Study) -> None:
    """Before and after they change places, each picture has the colours of its person's film.

    The page says where each of them sits, first and then.
    """
    pipeline.ingest(study, study.path / "interviews")
    (page,) = pipeline.review(study).written
    section = page.read_text().split(f'data-recording="{NAME}"')[1].split("</section>")[0]
    films = [drawn(seed, N, SIDE_PX)[0] for seed in (0, 1)]
    shown = []
    for strip in section.split('<div class="strip">')[1:]:
        nearest = set()
        for text in re.findall(r"data:image/jpeg;base64,([^\"]+)", strip):
            jpeg = np.frombuffer(base64.b64decode(text), np.uint8)
            mean = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[40:72, 40:72, ::-1].mean(axis=(0, 1))
            away = [np.linalg.norm(film[80:120, 80:112].mean(axis=(0, 1)) - mean) for film in films]
            nearest.add(int(np.argmin(away)))
        shown.append(nearest)
    assert sorted(shown, key=min) == [{0}, {1}]
    places = re.findall(r"Person \d, on the (\w+) and on the (\w+) of the picture", section)
    first = {0: ("left", "right"), 1: ("right", "left")}
    assert places == [first[min(one)] for one in shown]
    # twice as wide as high
    assert set(re.findall(r'class="where" viewBox="0 0 ([\d.]+) 100"', section)) == {"200.0"}


def test_a_pause_between_turns_ends_what_is_in_view(study: ec.Study) -> None:
    """With turns, a face is shown to be in view in them; how long is their length."""
    turns = [(0.0, 2.56), (4.48, 7.2)]
    rows = ["start_s,stop_s", *(f"{start},{stop}" for start, stop in turns)]
    (study.path / "turns.csv").write_text("\n".join(rows))
    shutil.rmtree(study.path / "interviews" / "P02")
    pipeline.ingest(study, study.path / "interviews")
    (page,) = pipeline.review(study, turns="turns.csv").written
    people = page.read_text().split('<div class="person">')[1:]
    assert len(people) == 2
    for one in people:
        spans = re.findall(r'class="seen" x="([\d.]+)" width="([\d.]+)"', one)
        shown = [(float(x), float(x) + float(width)) for x, width in spans]
        # a frame is 0.16 s long; the axis is the recording, 7.68 s
        assert np.array(shown) * 7.68 / 1000 == pytest.approx(np.array(turns), abs=0.17)
        assert "in view for 0:05" in one


def test_a_close_call_is_named_where_it_is_decided_and_where_it_is_reviewed(
    study: ec.Study,
) -> None:
    """Both are in view all the time: "longest" is anybody's guess, "left" is not."""
    for rule, close in (("longest", True), ("left", False)):
        words = {"participant": rule, "device": "cpu"}
        made, again = (pipeline.encode(study, study.path / "interviews", **words) for _ in "12")
        assert again.fresh
        for result in (made, again):
            notes = [note for note in result.notes if "narrowly over somebody else" in note]
            assert [NAME in note for note in notes] == [True] * close
        (page,) = pipeline.review(study, participant=rule).written
        text = html.unescape(page.read_text())
        said = re.findall(r"The rule '(\w+)' chose person (\d) narrowly over person (\d):", text)
        assert said == [("longest", "1", "2")] * close
        # a warning of the quality.csv beside the features
        assert re.findall(r"several faces, when encoded: (\d+)% \(other faces\)", text) == ["100"]


def test_a_review_without_the_turns_is_cured_by_one_with_them(study: ec.Study) -> None:
    """Nothing else changed: the reason names the turns, and the next command has them."""
    (study.path / "turns.csv").write_text("start_s,stop_s\n0,6\n")
    shutil.rmtree(study.path / "interviews" / "P02")
    folder, given = study.path / "interviews", {"turns": "turns.csv"}
    pipeline.ingest(study, folder)
    for options, n_used in (({}, 0), (given, 1)):
        reviewed = pipeline.review(study, **options)
        assert reviewed.next_command.endswith(" --turns turns.csv") == bool(options)
        page = reviewed.written[0].read_text()
        (found,) = re.findall(r'data-people="(\w+)"', page)
        assert ("no longer counts" in page) == bool(options)
        write_review(study, f"{NAME},choose,1,,,{found}")
        made = pipeline.encode(study, folder, device="cpu", **given)
        assert made.summary["n_windows_used"] == n_used
        following = made.next_command.partition(" --")
        assert following[0] == f"emoclip-clinic {'fit' if n_used else 'review'}"
        if not n_used:
            assert following[2] == "turns turns.csv"
            assert "turns" in made.exclusions["reason"].iloc[0]


def test_a_review_needs_recordings_and_faces(study: ec.Study) -> None:
    """The message says what to run first."""
    with pytest.raises(StudyError, match="ingest FOLDER"):
        pipeline.review(study)
    with pytest.raises(ClinicError, match="nobody to choose from"):
        pipeline.review(study, faces="none")


def test_a_recording_that_cannot_be_read_is_a_row(study: ec.Study) -> None:
    """The page shows the others."""
    pipeline.ingest(study, study.path / "interviews")
    table = read_recordings(study.recordings_csv)
    (study.path / table.loc[0, "path"]).unlink()
    result = pipeline.review(study)
    assert result.exclusions["id"].tolist() == [NAME]
    assert isinstance(result.exclusions, pd.DataFrame)
    assert result.written[0].read_text().count('class="recording"') == 1


def test_several_people_and_nobody_who_said_which(study: ec.Study) -> None:
    """The largest face is taken by default: that is said, with the cure, until somebody chose."""
    folder = study.path / "interviews"

    def notes(**words: str) -> str:
        return "\n".join(pipeline.encode(study, folder, device="cpu", **words).notes)

    assert "several people are in view in 1 recording, and the largest face is taken" in notes()
    assert "several_faces 1" in notes()
    assert "several people" not in notes(participant="largest")
    write_review(study, f"{NAME},choose,1,,,")
    assert "several people" not in notes()


def test_what_to_run_after_a_review_has_its_options(study: ec.Study) -> None:
    """On the screen and on the page; also the encoder, where study.toml names another."""
    pipeline.encode(study, study.path / "interviews", device="cpu")
    (study.path / "study.toml").write_text('[encode]\nfaces = "haar"\n')
    again = ec.Study(study.path)
    result = pipeline.review(again, faces="haar", participant="region 0,0,0.5,1")
    command = (
        f"emoclip-clinic encode {again.path / 'interviews'} --encoder emoclip-demo --faces haar "
        "--participant 'region 0,0,0.5,1'"
    )
    assert result.next_command == command
    page = html.unescape(result.written[0].read_text())
    assert f"<code>{command} --study {again.path}</code>" in page
    (study.path / "study.toml").write_text(SETTINGS)
    assert pipeline.review(ec.Study(study.path)).next_command.endswith("interviews")
