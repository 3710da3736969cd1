"""What the blocks say that show the tables of `fit` and `agree`."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from emoclip_clinic.errors import StudyError
from emoclip_clinic.report import ReportData, build, load_template
from emoclip_clinic.report.differences import limits_of
from emoclip_clinic.report.spec import parse_template
from emoclip_clinic.report.versus import DIFFERENCE, skill, versus
from tests.report_data import RATERS, report_data
from tests.report_tables import report_tables


@cache
def data(n_raters: int = 3) -> ReportData:
    return report_data(16, n_raters, scale="cains", n_targets=8)


def words(changed: ReportData, *blocks: Any) -> str:
    template = parse_template({"section": [{"blocks": list(blocks)}]}, "some.toml")
    reader = PdfReader(io.BytesIO(build(changed, template)))
    return " ".join(" ".join(page.extract_text().split()) for page in reader.pages)


def with_table(name: str, table: pd.DataFrame) -> ReportData:
    return replace(data(), tables={**data().tables, name: table})


def test_the_six_forms_have_the_names_of_both_papers() -> None:
    """McGraw and Wong's beside Shrout and Fleiss', each with the question it answers."""
    text = words(data(), "icc_forms")
    for ours, theirs in (
        ("ICC(1)", "ICC(1,1)"), ("ICC(k)", "ICC(1,k)"), ("ICC(A,1)", "ICC(2,1)"),
        ("ICC(A,k)", "ICC(2,k)"), ("ICC(C,1)", "ICC(3,1)"), ("ICC(C,k)", "ICC(3,k)"),
    ):  # fmt: skip
        assert f"{ours} {theirs}" in text


def test_reliability_gives_the_errors_in_points_and_the_reason_of_a_dash() -> None:
    """SEM and SDC stand beside the ICC; a target without any has a note."""
    text = words(data(), "reliability", "categories")
    for word in ("SEM", "SDC", "Raw agreement", "Fleiss' κ", "AC1", "AC2", "ᵃ undefined"):
        assert word in text


def test_what_a_study_has_not_is_said_once() -> None:
    """Three blocks of one table: one sentence; a table of `fit` in a cohort's part: another."""
    bare = replace(data(), tables={})
    text = words(bare, "icc_forms", "reliability", "categories", "comparison")
    assert text.count("no table of reliability among the raters") == 1
    assert "no table of comparisons between models: 'emoclip-clinic fit" in text
    assert "for the whole study only" in words(replace(bare, cohort="site=A"), "comparison")


def test_every_block_has_a_sentence_for_a_table_that_is_not_there() -> None:
    """The shipped template without one of the tables is a report all the same."""
    template = load_template()
    text = build(replace(data(), tables={}), template)
    reader = PdfReader(io.BytesIO(text))
    assert sum(page.extract_text().count("There is no table of") for page in reader.pages) > 8


def test_one_rater_is_told_why_there_is_no_ceiling() -> None:
    """The model is still compared with this rater."""
    text = words(data(1), "summary", "reliability", "equivalence", "agreement")
    assert "with one rater nothing is known of the agreement among raters" in text
    assert "no agreement among clinicians to compare" in text
    assert "Model with Rater A" in text


def test_what_is_defined_for_no_score_is_a_sentence_and_no_page_of_dashes() -> None:
    """With the reason that the table gives."""
    table = data().table("reliability").assign(value=np.nan, note="undefined: all apart")
    text = words(with_table("reliability", table), "icc_forms", "reliability", "categories")
    assert text.count("no estimate of reliability among the raters for any score") == 1
    assert "(undefined: all apart)" in text
    assert "Table" not in text


def test_pairs_that_share_no_visit_are_named() -> None:
    """By their letters; the table shows 0 visits and the reason."""
    text = words(data(), "rater_pairs", "rater_diagnostics")
    assert "nothing is known of their agreement: A and C." in text
    assert "A and C 0 –ᵃ" in text
    assert "ᵃ nothing rated in common" in text
    assert "canary" not in text.lower()


@pytest.mark.parametrize(
    ("ends", "margin", "verdict", "sentence"),
    [
        ((-0.10, -0.16, -0.05), np.nan, "lower", "less well than clinicians agree"),
        ((0.10, 0.05, 0.16), np.nan, "higher", "more closely than clinicians agree"),
        ((-0.02, -0.09, 0.05), np.nan, "open", "do not settle whether"),
        ((-0.02, -0.09, 0.05), 0.1, "noninferior", "no less well"),
        ((-0.10, -0.16, -0.05), 0.1, "unsettled", "it was not shown that"),
        ((-0.10, -0.16, -0.05), 0.2, "noninferior", "no less well"),
        ((-0.30, -0.40, -0.21), 0.2, "inferior", "by more than the margin of 0.20"),
        ((-0.02, -0.10, 0.05), 0.1, "unsettled", "it was not shown that"),
    ],
)
def test_the_verdict_follows_from_the_difference_and_the_margin(
    ends: tuple[float, float, float], margin: float, verdict: str, sentence: str
) -> None:
    """Non-inferior only where the whole interval lies above the margin, the end not included."""
    table = data().table("equivalence").copy()
    table["margin"] = margin
    table.loc[table["statistic"] == DIFFERENCE, ["value", "ci_low", "ci_high"]] = ends
    changed = with_table("equivalence", table)
    assert versus(changed, changed.primary[0]).verdict == verdict
    text = words(changed, "summary")
    assert sentence in text
    low, high = (f"{end:.2f}".replace("-", "−") for end in ends[1:])
    assert f"(95% CI {low} to {high})" in text


def test_the_summary_counts_the_scores_without_skill() -> None:
    """By the permutation test where there is one, by the corrected interval, or untested."""
    targets = data().targets["target"]
    p = np.where(np.arange(len(targets)) < 3, 0.01, 0.4)
    tested = pd.DataFrame(
        {"target": targets, "metric": "pearson", "p_max_t": p, "n_permutations": 99}
    )
    found = skill(replace(data(), permutation=tested))
    assert found is not None
    assert (found.n, found.found, found.test) == (8, 3, "permutation")
    text = words(replace(data(), permutation=tested), "summary")
    assert "Of 8 scores, 3 are predicted better than by chance" in text
    assert "For the other 5 no skill was found" in text
    none = tested.assign(p_max_t=0.05)
    assert "none is predicted better" in words(replace(data(), permutation=none), "summary")
    corrected = data().performance.assign(ci_low_corrected=0.1)
    found = skill(replace(data(), performance=corrected))
    assert found is not None
    assert (found.found, found.test) == (8, "interval")
    assert "was not tested" in words(data(), "summary")


@pytest.mark.parametrize("n_raters", [1, 3, 6])
@pytest.mark.parametrize("page", ["a4", "letter"])
def test_the_summary_fits_on_exactly_one_page(n_raters: int, page: str) -> None:
    """Whatever the labels, the raters and the notices."""
    long = report_data(9, n_raters, scale="cains", n_targets=4)
    targets = long.targets.assign(label=["long label " * 6, "x" * 60] * 2)
    changed = replace(long, targets=targets, notices=("A notice. " * 30,), tables={})
    section = {"title": "Summary", "blocks": ["summary"]}
    template = parse_template({"page": page, "section": [section]}, "some.toml")
    reader = PdfReader(io.BytesIO(build(changed, template)))
    assert len(reader.pages) == 1
    assert "Page 1 of 1" in reader.pages[0].extract_text()


def test_stale_predictions_are_said_on_the_first_page() -> None:
    """With what has changed, and what to do."""
    pdf = build(replace(data(), stale="ratings.csv"), load_template())
    first = " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())
    assert "predictions are out of date" in first
    assert "this has changed: ratings.csv" in first
    assert "emoclip-clinic fit --scale cains" in first
    fresh = PdfReader(io.BytesIO(build(data(), load_template())))
    assert "out of date" not in fresh.pages[0].extract_text()


def test_small_groups_are_hidden_and_raters_are_letters() -> None:
    """What `fit` did not show has a dash and its reason here; a group by rater names nobody."""
    text = words(data(), "subgroups")
    assert "not shown: fewer than 10 participants" in text
    assert "Raters: Rater A, Rater B" in text
    assert not any(name in text for name in RATERS)


def test_limits_are_those_that_fit_the_cohort() -> None:
    """Exact where there are such, for repeated measures where participants came again."""
    target = data().primary[0]
    assert limits_of(data(), target).form == "exact"
    assert limits_of(data(), target).line == (1.0, -0.3)
    table = data().table("limits")
    again = table[table["form"] == "exact"].assign(form="repeated measures", value=0.5)
    changed = with_table("limits", pd.concat([table, again]))
    found = limits_of(changed, target)
    assert (found.form, found.upper.value) == ("repeated measures", 0.5)
    plain = limits_of(replace(data(), tables={}), target)
    assert plain.form == ""
    assert plain.line is None


def test_the_tables_numbers_are_printed() -> None:
    """Coverage, participants needed, comparison, change and groups, as the tables have them."""
    text = words(data(), "coverage", "precision", "comparison", "sensitivity", "equivalence",
                 "agreement_by_group", "agreement_of_change", "learning_curve", "item_profile",
                 "calibration", "calibration_panels", "limits_table")  # fmt: skip
    for sentence in (
        "94 (90 to 97)", "the next study needs 150 participants", "ridge@mean",
        "The reported model, change between visits", "Site: A",
        "Agreement of the change between visits",
        "Exact intervals (Carkeet 2015)", "Profile of the items", "slope",
    ):  # fmt: skip
        assert sentence in text, sentence


def test_a_table_that_lacks_a_column_is_an_error() -> None:
    """The message names table and column."""
    table = data().table("coverage").drop(columns="level")
    with pytest.raises(StudyError, match="'coverage' lacks level"):
        with_table("coverage", table)


def test_a_measure_counts_the_recordings_of_which_it_is_known() -> None:
    """A dash stands beside a count of 0, and of three recordings two have a yaw."""
    rows = [(f"r{n}", "roll_deg", np.nan, "degrees", "ok", "") for n in range(3)]
    rows += [(f"r{n}", "yaw", [0.25, np.nan, 0.75][n], "eyes", "ok", "") for n in range(3)]
    columns = ["recording", "measure", "value", "unit", "flag", "note"]
    table = pd.DataFrame(rows, columns=columns)
    text = words(replace(data(), quality=table), "quality")
    assert re.search(r"\(degrees\)\s+0\s+–", text)
    assert re.search(r"\(eyes\)\s+2\s+0\.5", text)


def test_markup_in_notes_and_groups_is_text() -> None:
    """Tags, ampersands, right-to-left letters and emojis reach the page as they are."""
    table = data().table("groups").assign(level="<b>&amp; שלום 😀")
    text = words(with_table("groups", table), "agreement_by_group")
    assert "<b>&amp;" in text


def test_made_up_tables_have_the_columns_of_real_ones() -> None:
    """The helper of these tests makes every table that a block can show."""
    from emoclip_clinic.report.questions import QUESTIONS

    assert set(report_tables(data().targets, RATERS, 20)) == set(QUESTIONS)
