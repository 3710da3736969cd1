"""A synthetic cohort with a known truth: drawn interviews, invented ratings, and what made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from math import erf, sqrt
from pathlib import Path

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.demo.animation import FPS, Behaviour, animate
from emoclip_clinic.demo.faces import film
from emoclip_clinic.demo.people import Camera, Identity, random_camera, random_identity
from emoclip_clinic.demo.raters import LOADINGS, RATERS, known_truth, rate, severity
from emoclip_clinic.errors import TooFewError
from emoclip_clinic.files import atomic_path, write_csv, write_json
from emoclip_clinic.scales import Scale, load_scale

__all__ = ["make_cohort"]

SIZE_PX = 128
# equal bytes each time: x264 with several threads depends on their timing, and its macroblock tree
# reads memory that it never wrote (seen in 160 px frames: 10 of 12 encodings of one film differed)
BITEXACT = {"fflags": "+bitexact"}
X264 = {"preset": "veryfast", "crf": "23", "threads": "1", "x264-params": "mbtree=0"}
TRAIT = 0.8  # share of the variance that a person keeps from one visit to the next
MISSING = 0.003  # share of the ratings that are missing at random
# correlation of each channel of behaviour with expressivity, before it is bounded
CHANNELS = {"smile": 0.95, "brow": 0.9, "blinks": 0.85, "head": 0.95, "speech": 0.7}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Visit:
    """One person on one day, as the generator knows them."""

    participant: str
    session: str
    site: str
    identity: Identity
    camera: Camera
    behaviour: Behaviour
    expressivity: float
    illness: float
    own: NDArray[np.float64]
    """Each item's own part of severity, shape (items,)."""
    film_seed: tuple[int, ...]

    @property
    def recording(self) -> str:
        """Identifier of the recording, as the study will call it."""
        return f"sub-{self.participant}_ses-{self.session}"


def make_cohort(
    folder: Path,
    seed: int = 1,
    n_participants: int = 40,
    duration_s: float = 15.0,
    progress: Progress = lambda what, done, total: None,
) -> None:
    """Write a cohort's recordings and ratings, and beside them the truth that made them.

    A latent expressivity drives smile, brow, blinks and head movement, with individual variation,
    and PANSS items by the loadings of `emoclip_clinic.demo.raters`. A quarter of the people are
    seen twice. On purpose, one second visit was never rated and the recording of another is cut
    short. Equal seeds give equal bytes on one machine.

    Parameters
    ----------
    folder
        Gets `interviews/` (BIDS names, H.264), `participants.csv`, `ratings.csv` and `truth/`.
    seed
        Of everything that is drawn at random.
    n_participants
        At least 8, so that two people are seen twice.
    duration_s
        Length of a recording.
    progress
        Called with what is done, how many recordings are written, and of how many.

    Raises
    ------
    TooFewError
        Fewer than 8 participants.
    StudyError
        The folder cannot be written.
    """
    if n_participants < 8:
        raise TooFewError(
            f"{n_participants} participants were asked for; a synthetic cohort takes at least 8, "
            "so that two of them are seen twice."
        )
    scale = load_scale("panss")
    visits = _visits(n_participants, len(scale.items), seed)
    twice = [visit for visit in visits if visit.session == "02"]
    unrated, truncated = twice[0], twice[-1]
    _write_people(folder, visits, seed)
    write_csv(folder / "ratings.csv", _ratings(visits, scale, unrated, seed))
    write_csv(folder / "truth" / "latent.csv", _latent(visits))
    write_json(folder / "truth" / "truth.json", _truth(scale, seed, unrated, truncated))
    _film_all(folder, visits, truncated, duration_s, progress)


def _visits(n_participants: int, n_items: int, seed: int) -> list[Visit]:
    rng = np.random.default_rng([seed, 0])
    twice = set(rng.choice(n_participants, n_participants // 4, replace=False).tolist())
    digits = max(2, len(str(n_participants)))
    visits = []
    for person in range(n_participants):
        identity = random_identity(rng)
        site = "AB"[person % 2]
        # columns: expressivity, illness, one a channel, one an item
        traits = rng.standard_normal(2 + len(CHANNELS) + n_items)
        for visit in range(2 if person in twice else 1):
            states = rng.standard_normal(len(traits))
            values = sqrt(TRAIT) * traits + sqrt(1 - TRAIT) * states
            camera = random_camera(rng)
            visits.append(
                Visit(
                    participant=f"{person + 1:0{digits}d}",
                    session=f"{visit + 1:02d}",
                    site=site,
                    identity=identity,
                    # the second site has the cheaper camera
                    camera=replace(camera, noise_sd=camera.noise_sd + 1.5 * (site == "B")),
                    behaviour=_behaviour(values[0], values[2 : 2 + len(CHANNELS)]),
                    expressivity=float(values[0]),
                    illness=float(values[1]),
                    own=values[2 + len(CHANNELS) :],
                    film_seed=(seed, 1, person, visit),
                )
            )
    return visits


def _behaviour(expressivity: float, individual: NDArray[np.float64]) -> Behaviour:
    """Bounded strengths whose ranks follow expressivity as CHANNELS says."""
    strength = {}
    for (channel, weight), own in zip(CHANNELS.items(), individual, strict=True):
        normal = weight * expressivity + sqrt(1 - weight**2) * float(own)
        strength[channel] = 0.5 * (1 + erf(normal / sqrt(2)))
    blinks_per_min = 4 + 40 * strength.pop("blinks")
    return Behaviour(blinks_per_min=blinks_per_min, **strength)


def _write_people(folder: Path, visits: Sequence[Visit], seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    first = [visit for visit in visits if visit.session == "01"]
    people = pd.DataFrame(
        {
            "participant": [visit.participant for visit in first],
            "site": [visit.site for visit in first],
            "age": rng.integers(19, 62, len(first)),
            "sex": rng.choice(["F", "M"], len(first)),
        }
    )
    write_csv(folder / "participants.csv", people)


def _ratings(visits: Sequence[Visit], scale: Scale, unrated: Visit, seed: int) -> pd.DataFrame:
    """Tidy ratings: participant, session, rater, scale, item, value; a missing one has no row."""
    rng = np.random.default_rng([seed, 3])
    truth = severity(
        scale.codes,
        np.array([visit.expressivity for visit in visits]),
        np.array([visit.illness for visit in visits]),
        np.array([visit.own for visit in visits]),
    )
    values = rate(truth, _allowed(scale), rng)
    missing = rng.random(values.shape) < MISSING
    missing[[visit is unrated for visit in visits]] = True
    # the last rater was away for the last visit
    missing[-1, :, -1] = True
    rows = [
        (visit.participant, visit.session, rater.name, scale.id, code, values[v, i, r])
        for v, visit in enumerate(visits)
        for r, rater in enumerate(RATERS)
        for i, code in enumerate(scale.codes)
        if not missing[v, i, r]
    ]
    columns = ["participant", "session", "rater", "scale", "item", "value"]
    return pd.DataFrame(rows, columns=columns)


def _allowed(scale: Scale) -> tuple[int, int]:
    return int(scale.items[0].minimum), int(scale.items[0].maximum)


def _latent(visits: Sequence[Visit]) -> pd.DataFrame:
    rows = [
        {
            "participant": visit.participant,
            "session": visit.session,
            "expressivity": visit.expressivity,
            **asdict(visit.behaviour),
        }
        for visit in visits
    ]
    return pd.DataFrame(rows)


def _truth(scale: Scale, seed: int, unrated: Visit, truncated: Visit) -> Mapping[str, object]:
    targets = {score.id: score.items for score in scale.scores}
    known = known_truth(scale.codes, targets, _allowed(scale))
    return {
        "seed": seed,
        "scale": scale.id,
        "loadings": {item: LOADINGS.get(item, 0.0) for item in scale.codes},
        "raters": [asdict(rater) for rater in RATERS],
        "targets": {target: asdict(value) for target, value in known.items()},
        "exclusions": [
            {"unit": "recording", "id": truncated.recording, "reason": "truncated on purpose"},
            {"unit": "rating", "id": unrated.recording, "reason": "never rated, on purpose"},
        ],
    }


def _film_all(
    folder: Path,
    visits: Sequence[Visit],
    truncated: Visit,
    duration_s: float,
    progress: Progress,
) -> None:
    """Draw and compress in two threads: the work is in OpenCV and x264, which let Python go."""

    def one(visit: Visit) -> None:
        name = f"{visit.recording}_task-interview_video.mp4"
        ids = Path(f"sub-{visit.participant}", f"ses-{visit.session}", "video")
        _film(folder / "interviews" / ids / name, visit, duration_s, cut=visit is truncated)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, _ in enumerate(pool.map(one, visits), start=1):
            progress("drawing interviews", done, len(visits))


def _film(path: Path, visit: Visit, duration_s: float, cut: bool) -> None:
    rng = np.random.default_rng(visit.film_seed)
    motion = animate(visit.behaviour, duration_s, rng)
    with atomic_path(path) as temporary:
        with av.open(str(temporary), "w", format="mp4", options=BITEXACT) as container:
            stream = container.add_stream("libx264", rate=FPS, options=X264)
            stream.width = stream.height = SIZE_PX
            stream.pix_fmt = "yuv420p"
            for frame in film(visit.identity, visit.camera, motion, SIZE_PX, rng):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        if cut:
            content = temporary.read_bytes()
            temporary.write_bytes(content[: len(content) * 6 // 10])
