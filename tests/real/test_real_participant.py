"""encode --participant on films of two people, found by YuNet, as it is typed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from numpy.linalg import norm
from typer.testing import CliRunner

from emoclip_clinic import features
from emoclip_clinic.cli import app
from emoclip_clinic.features import RecordingFeatures
from tests.two_people import drawn, side_by_side
from tests.videos import write_video

Frame = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float32]

N, SWAP, RATE_HZ = 64, 28, 6.25
"""They change places within a window of 8 frames."""
SIZE_PX = (320, 180)
NAME = "sub-{}_ses-01"
HEAD = "recording,action,participant_person,start_s,stop_s,people"
PROTOCOL = """title = "8 frames at 6.25 Hz"
rate_hz = 6.25
window_frames = 8
stride_frames = 8
min_face_fraction = 0.5
bridge_frames = 3
face_margin = 0.2
"""
MAN, OTHER, LEAVES, DRAWN = (
    "WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov", "drawn",
)  # fmt: skip


def clip(shared: Path, name: str) -> list[Frame]:
    """Read N frames of a real recording; a short one goes forwards and backwards."""
    if name == DRAWN:
        large = [cv2.resize(frame, (180, 180)) for frame in drawn(3, N, 192)]
        return [np.pad(frame, ((0, 0), (70, 70), (0, 0)), mode="edge") for frame in large]
    with av.open(str(shared / "videos" / name)) as container:
        every = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    small = [cv2.resize(frame, SIZE_PX, interpolation=cv2.INTER_AREA) for frame in every]
    if name == LEAVES:
        # once, evenly: the face leaves and does not come back
        return [small[round(place)] for place in np.linspace(0, len(small) - 1, N)]
    return ((small[::4] + small[::-4]) * 4)[:N]


def make_study(folder: Path, films: dict[str, list[Frame]]) -> Path:
    """Make a study of recordings, a participant each."""
    for who, frames in films.items():
        path = folder / "interviews" / who / "interview.mp4"
        path.parent.mkdir(parents=True)
        write_video(path, frames, fps=RATE_HZ, options={"crf": "10"})
    (folder / "protocols" / "encoding").mkdir(parents=True)
    (folder / "protocols" / "encoding" / "short.toml").write_text(PROTOCOL)
    settings = '[encode]\nencoder = "emoclip-demo"\nprotocol = "short"\n'
    (folder / "study.toml").write_text(settings)
    return folder


def type_in(*words: object) -> None:
    answer = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert answer.exit_code in (0, 3), answer.stderr


def encoded(study: Path, *words: object) -> dict[str, RecordingFeatures]:
    """Type `encode`; give what was made of each recording, by participant."""
    type_in("encode", study / "interviews", "--study", study, *words)
    names = [path.name for path in (study / "interviews").iterdir()]
    folder = study / "features" / "emoclip-demo"
    return {who: features.read(folder / f"{NAME.format(who)}.safetensors") for who in names}


def vectors(made: RecordingFeatures) -> dict[int, Vector]:
    """Give the vectors by window."""
    used = made.segments.loc[made.segments["status"] == "used", "window"]
    return dict(zip(used, made.vectors, strict=True))


def cosine(one: Vector, other: Vector) -> float:
    return float(one @ other / norm(one) / norm(other))


def film(shared: Path, folder: Path, left: str, right: str) -> tuple[Path, Path]:
    """Film two people who change places; and, as a study beside it, each of them alone.

    Alone, they change places just so, and nobody is in the other's.
    """
    one, other = clip(shared, left), clip(shared, right)
    nobody = [np.full_like(frame, 96) for frame in one]
    both = make_study(folder / "both", {"P": side_by_side(one, other, [SWAP])})
    for side, frame in (("left", one[0]), ("right", other[0])):
        cv2.imwrite(str(both / f"{side}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    solos = {
        "left": side_by_side(one, nobody, [SWAP]),
        "right": side_by_side(nobody, other, [SWAP]),
    }
    return both, make_study(folder / "alone", solos)


@pytest.fixture
def weights(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Choose the weights of YuNet."""
    monkeypatch.setenv("EMOCLIP_CLINIC_WEIGHTS", str(shared / "weights"))
    return shared


@pytest.mark.parametrize(("left", "right"), [(LEAVES, MAN), (OTHER, DRAWN)])
def test_each_side_gives_its_persons_windows(
    weights: Path, tmp_path: Path, left: str, right: str
) -> None:
    """Also after they changed places: the windows of who sat there, and nobody else's."""
    both, alone = film(weights, tmp_path, left, right)
    truth = encoded(alone)
    for own, other, name in (("left", "right", left), ("right", "left", right)):
        made = encoded(both, "--participant", own)["P"]
        when = ["start_s", "stop_s", "face_fraction", "status"]
        assert made.segments[when].equals(truth[own].segments[when])
        absent = (made.segments["face_fraction"] == 0).to_numpy()
        assert absent.any() == (name == LEAVES)
        assert (made.segments["reason"][absent] == "only other people's faces").all()
        mine, solo, others = vectors(made), vectors(truth[own]), vectors(truth[other])
        # a second face moves the detector's boxes by some pixels
        assert np.median([cosine(mine[window], solo[window]) for window in mine]) > 0.95
        for window in set(mine) & set(others):
            to_own, to_other = (norm(mine[window] - one[window]) for one in (solo, others))
            assert to_own < to_other / 2


def test_a_photo_and_a_review_choose_the_same_person_as_the_side(
    weights: Path, tmp_path: Path
) -> None:
    """Three ways to say who it is, and the same bytes; what the review excludes is left out."""
    both, _ = film(weights, tmp_path, LEAVES, MAN)
    for side in ("left", "right"):
        known = encoded(both, "--participant", side)["P"]
        shutil.copy(both / f"{side}.png", both / "P.png")
        by_photo = encoded(both, "--participant", "{participant}.png")["P"]
        assert by_photo.vectors.tobytes() == known.vectors.tobytes()
        assert by_photo.segments.equals(known.segments)
        number, people, seen_s = reviewed(both, side)
        # in view from the beginning to the last window with a face
        assert seen_s == pytest.approx((known.segments["face_fraction"] * 8 / RATE_HZ).sum(), abs=1)
        rows = [f"{NAME.format('P')},choose,{number},,,{people}"]
        rows += [f"{NAME.format('P')},exclude,,0.2,0.9,"]
        (both / "review.csv").write_text("\n".join([HEAD, *rows]))
        by_hand = encoded(both, "--participant", "largest")["P"]
        (both / "review.csv").unlink()
        assert by_hand.segments["reason"][0] == "excluded in the review"
        assert by_hand.segments[1:].equals(known.segments[1:])
        assert by_hand.vectors.tobytes() == known.vectors[1:].tobytes()


def reviewed(study: Path, rule: str) -> tuple[int, str, float]:
    """Type `review`; read whom the rule chooses, among which people, and how long in view, s."""
    type_in("review", "--study", study, "--participant", rule)
    page = (study / "review" / "review.html").read_text()
    people = re.search(r'data-people="(\w+)"', page)
    chosen = re.search(r">Person (\d+), [^,]+, in view for (\d+):(\d+) of [\d:]+ <span", page)
    assert people
    assert chosen
    number, minutes, seconds = map(int, chosen.groups())
    return number, people[1], 60 * minutes + seconds
