"""How well the participant's face is seen in each sampled frame, and so in each window."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.quality import MEASURES, WINDOW_COLUMNS, longest_display_s
from emoclip_clinic.segments import Plan, Segment
from emoclip_clinic.video.faces import Box, FaceFinder
from emoclip_clinic.video.look import Look, look
from emoclip_clinic.video.pose import Pose, pose

__all__ = ["Looks"]

Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]

POSE_EVERY = 8
"""The pose is looked at in every so many sampled frames, since it takes another detection."""


class Looks:
    """Measures of each sampled frame, a row a position of the plan; NaN where not known.

    Parameters
    ----------
    n_samples
        Number of frames in the plan.
    times_s
        Presentation times of all frames of the recording, ascending; empty: not known.
    """

    def __init__(self, n_samples: int, times_s: npt.ArrayLike = ()) -> None:
        self._times_s = np.asarray(times_s, dtype=np.float64)
        self._looks = np.full((n_samples, len(Look._fields)), np.nan)
        self._poses = np.full((n_samples, len(Pose._fields)), np.nan)
        self._frozen = np.full(n_samples, np.nan)
        self._before: Frame | None = None

    def note(self, position: int, frame: Frame, box: Box | None, finder: FaceFinder) -> None:
        """Note a frame and, where there is one, the participant's face in it."""
        if box is not None:
            self._looks[position] = look(frame, box)
            if position % POSE_EVERY == 0:
                self._poses[position] = pose(finder, frame, box)
        self._note_change(position, frame)

    def _note_change(self, position: int, frame: Frame) -> None:
        before = self._before
        if before is None or before.shape != frame.shape:
            # a copy: who reads the frames may use their memory again
            self._before = frame.copy()
            return
        self._frozen[position] = cv2.norm(before, frame, cv2.NORM_INF) == 0
        if not self._frozen[position]:
            np.copyto(before, frame)

    def of_window(self, segment: Segment, face_fraction: float) -> dict[str, float]:
        """Give every measure of a window, by name.

        Parameters
        ----------
        segment
            The window; what was reflected to fill it up does not count.
        face_fraction
            Of its frames.
        """
        if not segment.positions:
            # nothing of it was read
            return {measure.name: np.nan for measure in MEASURES}
        own = np.unique(segment.positions[: segment.n_frames])
        size, sharpness, brightness, clipped = _mean(self._looks[own])
        # of the samples after its first: the one before is then its own too
        shown = np.array(segment.positions[: segment.n_frames])
        again = np.diff(shown) == 0
        frozen = _share(np.where(again, 1.0, self._frozen[shown[1:]]))
        gap_s = np.nan
        if len(self._times_s):
            gap_s = longest_display_s(self._times_s, segment.start_s, segment.stop_s)
        values = (
            *(face_fraction, size, *_mean(self._poses[own])),
            *(sharpness, brightness, clipped, frozen, gap_s),
        )
        return {measure.name: value for measure, value in zip(MEASURES, values, strict=True)}

    def of_windows(self, plan: Plan, segments: pd.DataFrame) -> pd.DataFrame:
        """Give the measures of each row of a table of segments: WINDOW_COLUMNS."""
        fractions = zip(plan.segments, segments["face_fraction"], strict=True)
        measured = [self.of_window(segment, fraction) for segment, fraction in fractions]
        known = segments[["recording", "window", "status"]]
        return known.join(pd.DataFrame(measured, index=known.index))[list(WINDOW_COLUMNS)]

    def rows(self) -> Iterator[tuple[str, float, str]]:
        """Give measure, value and unit of the whole recording."""
        size, sharpness, brightness, clipped = _mean(self._looks)
        roll, yaw = _mean(self._poses)
        frozen = _share(self._frozen)
        yield "face_size_px", size, "px"
        yield "roll_deg", roll, "degrees"
        yield "yaw", yaw, "eye distances"
        yield "face_sharpness", sharpness, "grey levels²"
        yield "face_brightness", brightness, "0-1"
        yield "face_clipped", clipped, "fraction"
        yield "frozen_fraction", frozen, "fraction"


def _mean(looks: Array) -> list[float]:
    """Mean of each measure over the frames where it is known; of the pose, to either side."""
    known = [np.abs(column[~np.isnan(column)]) for column in looks.T]
    return [float(values.mean()) if len(values) else np.nan for values in known]


def _share(flags: Array) -> float:
    known = flags[~np.isnan(flags)]
    return float(known.mean()) if len(known) else np.nan
