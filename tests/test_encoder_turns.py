"""The vectors of turns."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.segments import OUTSIDE, plan
from tests.test_encoder_encode import PROTOCOL, TOLERANCE, encoded, made_plan, pictures

FPS = 25


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[bool], list[tuple[int, int]]]:
    """Draw in which frames a face is, and which frames are the participant's turns."""
    faces = draw(st.lists(st.booleans(), min_size=40, max_size=60))
    edges = draw(st.lists(st.integers(0, len(faces) - 1), min_size=2, max_size=6, unique=True))
    edges = sorted(edges)[: len(edges) // 2 * 2]
    return faces, list(zip(edges[::2], edges[1::2], strict=True))


@settings(max_examples=25)
@given(conversation=conversations())
def test_a_turn_gives_the_vectors_of_a_recording_of_it_alone(
    conversation: tuple[list[bool], list[tuple[int, int]]],
) -> None:
    """A face before or after the turn, across the pause, has no part in any window."""
    faces, turns = conversation
    frames = pictures(faces)
    stretches = [(start / FPS, stop / FPS) for start, stop in turns]
    times = np.arange(len(frames)) / FPS
    together = encoded(frames, plan(times, PROTOCOL, stretches))
    alone = [
        encoded(frames[start:stop], made_plan(stop - start))
        for start, stop in turns
        if 2 * (stop - start) >= PROTOCOL.window_frames
    ]
    read = together.segments[together.segments["n_frames"] > 0]
    own = read[read["reason"] != "turn shorter than half a window"]
    expected = [row for one in alone for row in one.segments["reason"]]
    assert own["reason"].tolist() == expected
    vectors = np.concatenate([one.vectors for one in alone]) if alone else np.zeros((0, 16))
    np.testing.assert_allclose(together.vectors, vectors, atol=TOLERANCE)
    outside = together.segments[together.segments["reason"] == OUTSIDE]
    assert outside["face_fraction"].isna().all()
