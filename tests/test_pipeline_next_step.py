"""The next command: with the options that were given, and what cures where nothing was used."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from emoclip_clinic.files import given
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.next_step import cured
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.turns import TurnChoice

FIT = "emoclip-clinic fit --scale panss"


def result(n_used: int, *reasons: str) -> StageResult:
    lost = [Exclusion("encode", "recording", str(n), why) for n, why in enumerate(reasons)]
    return StageResult(
        "encode",
        "",
        written=(Path("features/emoclip/segments.csv"),),
        exclusions=exclusion_table(lost),
        summary={"n_windows_used": n_used},
        next_command=FIT,
    )


def test_options_are_typed_as_they_were_given() -> None:
    """A shell reads the same words again; what was not given is not typed."""
    typed = given(turns="my turns/{stem}.csv", faces=None, speaker=["A B", "C"], section=())
    assert shlex.split(typed) == [
        "--turns", "my turns/{stem}.csv", "--speaker", "A B", "--speaker", "C",
    ]  # fmt: skip
    assert given(turns=TurnChoice("a.csv")) == ""


@pytest.mark.parametrize("reason", ["review it again", "choose one in the review"])
def test_where_a_person_has_to_choose_the_review_is_next(reason: str) -> None:
    """There is nothing to fit without a window."""
    assert cured(result(1, reason), " --turns a.csv").next_command == FIT
    made = cured(result(0, "no face", reason), " --turns a.csv")
    assert made.next_command == "emoclip-clinic review --turns a.csv"


def test_where_nothing_else_cures_the_reasons_are_named() -> None:
    """The next command is nobody's to guess."""
    made = cured(result(0, "no face"), "")
    assert made.next_command == ""
    assert made.notes == ("no window is used: see the reasons in segments.csv",)
