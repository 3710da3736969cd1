"""What a decoder and its user say to each other."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from emoclip_clinic.video.wire import Message, WireError, receive, send

FACTS = st.dictionaries(
    st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text()
)
ARRAYS = st.sampled_from(["uint8", "int64", "float64"]).flatmap(
    lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0))
)


def written(message: Message) -> bytes:
    """Give the bytes of a message."""
    pipe = io.BytesIO()
    send(pipe, message)
    return pipe.getvalue()


@given(st.text(), FACTS, st.none() | ARRAYS)
def test_what_is_sent_is_what_comes(
    kind: str, facts: dict[str, object], array: np.ndarray | None
) -> None:
    """Every bit of a number, also of one that is none; nothing is left in the pipe."""
    pipe = io.BytesIO(written(Message(kind, facts, array)) + b"next")
    message = receive(pipe)
    assert (message.kind, repr(message.facts)) == (kind, repr(facts))
    if array is None:
        assert message.array is None
    else:
        assert message.array is not None
        assert message.array.dtype == array.dtype
        assert message.array.shape == array.shape
        assert message.array.tobytes() == array.tobytes()
    assert pipe.read() == b"next"


@given(st.binary())
def test_what_is_no_message_is_an_error(noise: bytes) -> None:
    """Whatever comes."""
    with pytest.raises(WireError):
        receive(io.BytesIO(noise))


@given(st.data())
def test_a_message_that_ends_early_is_an_error(data: st.DataObject) -> None:
    """A process that dies while it speaks is noticed."""
    whole = written(Message("frame", {"a": 1}, np.arange(12.0).reshape(3, 4)))
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(WireError):
        receive(io.BytesIO(whole[:length]))


@pytest.mark.parametrize("layout", ['["object", [3]]', '["float32", [3]]', '["uint8", [-3]]', "5"])
def test_only_arrays_of_known_types_are_made(layout: str) -> None:
    """Nothing that could hold code."""
    head = f'["frame", {{}}, {layout}]'.encode()
    pipe = io.BytesIO(len(head).to_bytes(4, "little") + (24).to_bytes(8, "little") + head)
    with pytest.raises(WireError):
        receive(pipe)
