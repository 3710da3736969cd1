"""Codes by a keyed hash: the same by one key, others by another, and never two names with one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic import pseudonyms
from emoclip_clinic.errors import StudyError
from emoclip_clinic.pseudonyms import Pseudonyms, key_path, read_or_make_key

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@given(st.text(min_size=1))
def test_a_key_gives_a_name_the_same_code_in_every_study(name: str) -> None:
    """Data of one person in two studies can be joined by who has the key, and by nobody else."""
    code = Pseudonyms(KEY).code("participant", name)
    assert code == Pseudonyms(KEY).code("participant", name)
    assert code != Pseudonyms(OTHER).code("participant", name)
    assert len(code) == 10
    assert code.startswith("P-")
    assert not set(code[2:]) & set("ILOU")


def test_a_rater_and_a_participant_of_one_name_have_two_codes() -> None:
    """Nobody learns that a rater is called as a participant is."""
    codes = Pseudonyms(KEY)
    assert codes.code("rater", "017")[2:] != codes.code("participant", "017")[2:]


def test_names_that_are_nearly_alike_have_nothing_in_common() -> None:
    """Ids stay apart where they differ in a zero, and ten thousand of them do not collide."""
    codes = Pseudonyms(KEY)
    assert len({codes.code("participant", f"{number}") for number in range(10_000)}) == 10_000
    assert codes.code("participant", "7") != codes.code("participant", "07")


def test_every_letter_of_a_code_carries_its_part() -> None:
    """Each place takes all 32 letters about equally often: forty bits are forty bits."""
    codes = Pseudonyms(KEY)
    made = [codes.code("participant", f"{number}") for number in range(6_400)]
    for place in range(2, 10):
        counts = [sum(code[place] == letter for code in made) for letter in pseudonyms.ALPHABET]
        # 200 each by chance, with a standard deviation of 14
        assert min(counts) > 130
        assert max(counts) < 270


def test_two_names_with_one_code_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people who became one would be a wrong number in every table."""
    monkeypatch.setattr(pseudonyms, "CODE_LETTERS", 1)
    codes = Pseudonyms(KEY)
    with pytest.raises(StudyError, match="one code"):
        # 33 names, and 32 letters
        _ = [codes.code("participant", f"{number}") for number in range(33)]


def test_an_accent_is_written_in_two_ways_and_is_one_letter() -> None:
    """A file name of one system and a rating sheet of another may differ so."""
    assert Pseudonyms(KEY).code("rater", "Bronte\u0308") == Pseudonyms(KEY).code(
        "rater", "Bront\u00eb"
    )


@pytest.mark.parametrize(
    "session",
    ["01", "2", "123", "baseline", "Baseline2", "follow-up", "followup_2", "pre", "post", "Post-2",
     "screening", "week12", "week-12", "Week 12", "month06", "visit2", "t0", "V3", "ses-01",
     "ses-baseline", "day3", "T-1", "fu1", "I", "IV"],
)  # fmt: skip
def test_plain_sessions_stay(session: str) -> None:
    """Which visit it was must be seen."""
    assert Pseudonyms(KEY).session(session) == session


@pytest.mark.parametrize(
    "session",
    ["20240131", "2024-01-31", "31.1.2024", "visit of Jane Roe", "May-17", "May", "JohnSmith",
     "2024", "siteA", "A", "JR", "JR-12", "Day", "Post", "Session", "Xi", "VI", "ses-Anna",
     "ses-31-01", "week-2024", "01 Anna", "baseline Anna", "Anna1", "\u017fes-1", "t\u0661", "01\n",
     "", "pre-post"],
)  # fmt: skip
def test_sessions_that_may_be_dates_or_names_become_codes(session: str) -> None:
    """A date with a place may single a person out."""
    assert Pseudonyms(KEY).session(session).startswith("S-")


GIVEN = [
    "Anna", "Maria", "Ana", "Mary", "May", "June", "April", "Summer", "Dawn", "Eve", "Ben", "Tom",
    "Tim", "Max", "Jan", "Ian", "Liv", "Vic", "Ivy", "Mimi", "Di", "Vi", "Lee", "Li", "Xi", "Wei",
    "Ming", "Yu", "Tülây", "Zoë", "José", "Seán", "Mohammed", "Fatima", "Olu", "Sven", "Ines",
    "Francesca", "Konstantinos", "美咲", "王伟", "Иван",
]  # fmt: skip
SURNAMES = [
    "Smith", "Jones", "Schmidt", "Müller", "Nguyen", "Garcia", "Kim", "Park", "Young", "Day",
    "Weeks", "Monday", "Winter", "Post", "Session", "Test", "March", "Wang", "Ng", "O'Neill",
    "Berg-Roe", "Ivanova", "Rossi", "Silva", "Yilmaz", "Sato", "Wave", "Phase", "Time", "Prewitt",
]  # fmt: skip
CASES = (str, str.lower, str.upper, str.title)


@given(
    st.lists(st.sampled_from(GIVEN + SURNAMES), min_size=1, max_size=3),
    st.sampled_from(CASES),
    st.sampled_from(["", " ", "_", "-", ".", ", "]),
    st.sampled_from(["", "1", "_02", " 17", "-2024", "ses-", "visit "]),
)
def test_no_name_is_a_plain_session(
    names: list[str], case: Callable[[str], str], between: str, beside: str
) -> None:
    """Given names and surnames, alone and joined, in any case, with a number or a word beside."""
    name = case(between.join(names))
    written = (
        [name] if beside and name.lower() in NUMBERED else [name, name + beside, beside + name]
    )
    for session in written:
        # in small letters "post" is the visit after a treatment
        assert session == "post" or Pseudonyms(KEY).session(session).startswith("S-"), session


NUMBERED = {"day", "post", "session", "test", "wave", "phase", "time"}
"""Names that, with a number, are visits."""
DATES = (
    "%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d%m%Y", "%y%m%d",
    "%d%m%y", "%d.%m.%y", "%m-%d-%y", "%d.%m.", "%d.%m", "%d-%m", "%m-%d", "%d%m", "%Y-%m", "%Y",
    "%m%Y", "%b-%d", "%d%b%Y", "%d %B %Y", "%B %d, %Y", "%b%Y", "%B", "%b", "%a", "%A", "%Y-W%W",
    "%Y_%j", "%y%j", "%H%M", "%Y-%m-%dT%H:%M:%S",
)  # fmt: skip
"""As people and cameras write them."""


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(DATES),
    st.sampled_from(["", "ses-", "visit", "week-"]),
    st.sampled_from([str, str.lower, str.upper]),
)
def test_no_date_is_a_plain_session(
    day: datetime, form: str, before: str, case: Callable[[str], str]
) -> None:
    """In any common writing, whole or in part, with a word before."""
    session = before + case(day.strftime(form))
    assert Pseudonyms(KEY).session(session).startswith("S-"), session


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """The first time makes it, with mode 0600; the second reads the same."""
    path = tmp_path / "keys" / "key"
    key, made = read_or_make_key(path)
    assert made
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_or_make_key(path) == (key, False)
    assert read_or_make_key(tmp_path / "another")[0] != key


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """It would be no secret."""
    path = tmp_path / "key"
    read_or_make_key(path)
    path.chmod(0o640)
    with pytest.raises(StudyError, match="chmod 600"):
        read_or_make_key(path)


@pytest.mark.parametrize("content", ["", "secret", "00" * 31, "zz" * 32, "00" * 33])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    """A weak or a damaged key would give codes that can be guessed, or others than before."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(StudyError, match="64 hexadecimal digits"):
        read_or_make_key(path)
    assert path.read_text() == content


def test_a_key_does_not_lie_with_what_it_protects(tmp_path: Path) -> None:
    """Neither itself nor by a link."""
    study = tmp_path / "study"
    study.mkdir()
    (tmp_path / "link").symlink_to(study)
    for path in (study / "key", study / "deep" / "key", tmp_path / "link" / "key"):
        with pytest.raises(StudyError, match="lies in"):
            read_or_make_key(path, (study,))
    assert not list(study.iterdir())


def test_the_key_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option comes before the environment, that before the home folder."""
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv(pseudonyms.KEY_VARIABLE, raising=False)
    assert key_path(None) == Path("/somewhere/.emoclip-clinic/pseudonyms.key")
    monkeypatch.setenv(pseudonyms.KEY_VARIABLE, "/else/key")
    assert key_path(None) == Path("/else/key")
    assert key_path(Path("given")) == Path("given")
