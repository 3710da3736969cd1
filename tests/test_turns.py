from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import (
    SEVERAL,
    Stretch,
    Turn,
    TurnChoice,
    clock_s,
    make_turn,
    merged,
    shared,
    stretches,
)

moments = st.integers(0, 60)
parts = st.lists(st.tuples(moments, moments).map(sorted).map(tuple), max_size=8)
TALK = [
    make_turn(30, 40, "row 5", speaker="Patient", section="symptoms"),
    make_turn(0, 10, "row 2", speaker="Doctor", section="rapport"),
    make_turn(8, 20, "row 3", speaker="Patient", section="rapport"),
    make_turn(20, 30, "row 4", speaker="Doctor", section="symptoms"),
    make_turn(35, 36, "row 6", speaker="Doctor", section="symptoms"),
    make_turn(15, 18, "row 7", speaker="Patient", section="rapport"),
]


def seconds(some: tuple[Stretch, ...] | list[Stretch]) -> set[int]:
    """Give the whole seconds that lie in some stretch: the truth, counted one by one."""
    return {second for start, stop in some for second in range(int(start), int(stop))}


@given(one=parts, other=parts)
def test_stretches_are_sets_of_moments(one: list[Stretch], other: list[Stretch]) -> None:
    """Merging is the union, sharing the intersection; what remains is in order and apart."""
    left, right = merged(one), merged(other)
    both = shared(left, right)
    assert seconds(left) == seconds(one)
    assert seconds(both) == seconds(one) & seconds(other)
    for some in (left, right, both):
        assert all(start < stop for start, stop in some)
        assert all(before[1] < after[0] for before, after in pairwise(some))


@given(some=parts, pause=st.integers(0, 20))
def test_joined_pauses_are_the_short_ones_and_no_others(some: list[Stretch], pause: int) -> None:
    """What is added lies between two turns, and every pause that remains is longer."""
    plain, joined = merged(some), merged(some, pause)
    short = [(one[1], two[0]) for one, two in pairwise(plain) if two[0] - one[1] <= pause]
    assert seconds(joined) == seconds(plain) | seconds(short)
    assert all(after[0] - before[1] > pause for before, after in pairwise(joined))


def test_pauses_are_joined_in_the_participants_turns_and_not_between_sections() -> None:
    """The doctor's pause of 10 s is not the patient's; a section ends where it ends."""
    choice = TurnChoice("x.csv", ("Patient",), join_pauses_s=10)
    assert stretches(TALK, choice) == ((8, 40),)
    assert stretches(TALK, replace(choice, sections=("symptoms",))) == ((20, 40),)
    assert stretches(TALK, replace(choice, join_pauses_s=9.9)) == ((8, 20), (30, 40))
    parts_apart = [
        make_turn(0, 10, "1", section="a"),
        make_turn(12, 20, "2", section="a"),
        make_turn(0, 9, "3", speaker="PAR"),
        make_turn(11, 20, "4", speaker="PAR"),
    ]
    own = TurnChoice("x.csv", ("PAR",), ("a",), join_pauses_s=5)
    assert stretches(parts_apart, own) == ((0, 10), (12, 20))


@pytest.mark.parametrize(
    ("speaker", "sections", "expected"),
    [
        (("Patient",), (), [(8, 20), (30, 40)]),
        (("patient", "PAR"), (), [(8, 20), (30, 40)]),
        (("Patient", "Doctor"), (), [(0, 40)]),
        ((), ("rapport",), [(0, 20)]),
        (("Patient",), ("symptoms",), [(30, 40)]),
        (("Patient",), ("symptoms", "rapport"), [(8, 20), (30, 40)]),
    ],
)
def test_speaker_and_sections_choose(
    speaker: tuple[str, ...], sections: tuple[str, ...], expected: list[Stretch]
) -> None:
    """Unordered, overlapping and touching turns become stretches; capitals make no difference."""
    assert list(stretches(TALK, TurnChoice("x.csv", speaker, sections))) == expected


@given(order=st.permutations(TALK))
def test_the_order_of_the_rows_makes_no_difference(order: list[Turn]) -> None:
    """The same stretches come from a table that is sorted by anything."""
    choice = TurnChoice("x.csv", ("Patient",), ("rapport",))
    assert stretches(order, choice) == stretches(TALK, choice)


def test_sections_may_stand_on_their_own_tier() -> None:
    """Turns and parts of the protocol in different rows: what is in both counts."""
    turns = [
        make_turn(0, 12, "1", speaker="PAR", section="well, at home"),
        make_turn(15, 30, "2", speaker="PAR", section="I see"),
        make_turn(10, 20, "3", speaker="Parts", section="Mood"),
    ]
    found = stretches(turns, TurnChoice("x.eaf", ("PAR",), ("mood",)))
    assert found == ((10, 12), (15, 20))


def test_one_speaker_needs_no_name_and_several_do() -> None:
    """A table of the participant alone is taken as it is; nobody guesses who of two it is."""
    own = [turn for turn in TALK if turn.speaker == "Patient"]
    assert stretches(own, TurnChoice("x.csv")) == ((8, 20), (30, 40))
    with pytest.raises(
        TurnsError, match=r"several speakers, 'Doctor', 'Patient'.*--speaker"
    ) as error:
        stretches(TALK, TurnChoice("x.csv"))
    assert error.value.reason == SEVERAL


def test_an_unknown_speaker_is_answered_with_those_there() -> None:
    """So that the right name can be copied."""
    with pytest.raises(TurnsError, match="'PAR'; those there are 'Doctor', 'Patient'"):
        stretches(TALK, TurnChoice("x.csv", ("PAR",)))


def test_an_unknown_section_shows_none_of_what_was_said() -> None:
    """On a tier the names are the transcript: only what is like the question is shown."""
    turns = [make_turn(0, 5, "1", speaker="PAR", section="my secret"), *TALK]
    with pytest.raises(TurnsError, match="Did you mean symptoms") as error:
        stretches(turns, TurnChoice("x.csv", (), ("symptom",)))
    assert "secret" not in str(error.value)


def test_events_without_a_duration_are_no_turns() -> None:
    """A press of a button beside the turns is passed over; alone it is an error with its place."""
    turns = [make_turn(3, 3, "row 2", speaker="PAR"), make_turn(4, 9, "row 3", speaker="PAR")]
    assert stretches(turns, TurnChoice("x", ("PAR",))) == ((4, 9),)
    with pytest.raises(TurnsError, match=r"has a duration \(row 2\)"):
        stretches(turns[:1], TurnChoice("x", ("PAR",)))


@pytest.mark.parametrize(
    ("start_s", "stop_s", "words"),
    [(-1, 3, "from 0 on"), (5, 3, "before it starts"), (0, np.nan, "numbers"), (np.inf, 3, "num")],
)
def test_impossible_times_are_refused_with_their_place(
    start_s: float, stop_s: float, words: str
) -> None:
    """The row is named, when somebody asks for it."""
    turn = make_turn(start_s, stop_s, "row 7")
    with pytest.raises(TurnsError, match=f"row 7: .*{words}"):
        stretches([turn], TurnChoice("x"))


@given(hours=st.integers(0, 30), minutes=st.integers(0, 59), hundredths=st.integers(0, 5999))
def test_times_of_a_player_are_read(hours: int, minutes: int, hundredths: int) -> None:
    """m:ss and h:mm:ss, with decimals or not."""
    truth = 3600 * hours + 60 * minutes + hundredths / 100
    seconds = f"{hundredths // 100:02d}.{hundredths % 100:02d}"
    assert clock_s(f"{hours}:{minutes:02d}:{seconds}") == pytest.approx(truth)
    assert clock_s(f"{60 * hours + minutes}:{seconds}") == pytest.approx(truth)


@pytest.mark.parametrize("text", ["", "5", "1:75", "1:60:00", "1:2:3:4", ":30", "-1:20", "1:20s"])
def test_what_is_no_time_of_a_player_is_none(text: str) -> None:
    """Nothing is guessed."""
    assert clock_s(text) is None
