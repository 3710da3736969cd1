from __future__ import annotations

import pytest

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.participant_rule import Region, parse_rule


@pytest.mark.parametrize("word", ["largest", "longest", "left", "right"])
def test_words_are_rules(word: str) -> None:
    """A word is its own kind."""
    assert parse_rule(word).kind == word


@pytest.mark.parametrize("text", ["region 0.5,0,0.5,1", "region  0.5, 0, .5, 1.0"])
def test_a_region_is_read(text: str) -> None:
    """With spaces or without; the left edge belongs to it, the right edge does not."""
    rule = parse_rule(text)
    assert (rule.kind, rule.region) == ("region", Region(0.5, 0, 0.5, 1))
    assert rule.region is not None
    assert rule.region.holds(0.5, 0)
    assert not rule.region.holds(0.49, 0.5)


def test_a_photo_is_a_path_with_the_ids_in_it() -> None:
    """Each recording has its participant's photo."""
    rule = parse_rule("photos/{participant}_{session}.JPG")
    assert rule.kind == "photo"
    assert rule.photo("007", "02") == "photos/007_02.JPG"


@pytest.mark.parametrize(
    "text",
    ["", "lefft", "Left", "region", "region 1,2,3", "region a,b,c,d", "region 0,0,0,1",
     "region 0.6,0,0.5,1", "region nan,0,1,1", "region -0.1,0,1,1", "photo", "photos/P01.txt"],
)  # fmt: skip
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    """The message has what was given and an example."""
    with pytest.raises(
        SettingsError, match=r"allowed: largest|a region is four fractions"
    ) as found:
        parse_rule(text)
    assert repr(text) in str(found.value)
