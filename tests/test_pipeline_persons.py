"""The report of one participant: who predicted, from what, and what is said of it."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import write_csv
from emoclip_clinic.pipeline import persons
from emoclip_clinic.pipeline.report_tables import gather
from emoclip_clinic.pipeline.sources import read_rated
from emoclip_clinic.regression import Inputs, load
from emoclip_clinic.report import ReportData, build, load_template
from tests.encoded_study import ENCODER, make_study

ASKED = "P003"
USE = "Research use only. Not a diagnosis."


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> ec.Study:
    """Fit a study of 26 participants, of whom four came twice; nobody measured the quality."""
    made = make_study(tmp_path_factory.mktemp("persons") / "study", 26)
    empty = pd.DataFrame(columns=["recording", "measure", "value", "unit", "flag", "note"])
    for path in (made.quality_csv, made.features_dir(ENCODER) / "quality.csv"):
        write_csv(path, empty)
    ec.pipeline.fit(made, "cains")
    return made


@pytest.fixture(scope="module")
def about(study: ec.Study) -> ReportData:
    rated = read_rated(study, "cains")
    ec.pipeline.agree(study, "cains")
    everyone = gather(study, rated, "", study.agreement_csv("cains"), ENCODER, {})
    return persons.of_person(study, rated, everyone, ASKED, ENCODER, named=False)


def text_of(path: Path) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in PdfReader(path).pages]


def test_predictions_are_out_of_fold(study: ec.Study, about: ReportData) -> None:
    """What is shown is predictions/cains.csv, cut to the scale's range, a row a visit."""
    assert about.person is not None
    known = pd.read_csv(study.predictions_csv("cains"), dtype=str)
    own = known[(known["participant"] == ASKED) & (known["model"] == "ridge")]
    shown = about.person.scores.set_index(["session", "target"])
    assert len(shown) == len(own)
    spans = about.targets.set_index("target")
    for row in own.to_dict("records"):
        span = spans.loc[row["target"]]
        cut = np.clip(float(row["predicted"]), span["minimum"], span["maximum"])
        assert shown.loc[(row["session"], row["target"]), "predicted"] == pytest.approx(cut)


def test_the_interval_is_made_of_the_errors_of_other_participants(
    study: ec.Study, about: ReportData
) -> None:
    """The 95% quantile of their absolute errors, everyone weighing the same, at infinity one more.

    Counted here by hand: 25 others, so the least error below which lie weights of at least 0.95.
    """
    assert about.person is not None
    known = pd.read_csv(study.predictions_csv("cains"), dtype={"target": str})
    others = known[(known["participant"] != ASKED) & (known["model"] == "ridge")]
    spans = about.targets.set_index("target")
    for target in ("map", "1", "12"):
        theirs = others[others["target"] == target]
        errors = (theirs["observed"] - theirs["predicted"]).abs()
        weights = 1 / (26 * theirs.groupby("participant")["participant"].transform("size"))
        reached = weights[errors.sort_values().index].cumsum()
        half = errors[reached.index[np.argmax(reached.to_numpy() >= 0.95 - 1e-9)]]
        row = about.person.scores.query("target == @target and session == '01'").iloc[0]
        own = known.query("participant == @ASKED and target == @target and session == 1")
        centre = float(own.loc[own["model"] == "ridge", "predicted"].iloc[0])
        low, high = spans.loc[target, ["minimum", "maximum"]].astype(float)
        assert row["low"] == pytest.approx(max(centre - half, low))
        assert row["high"] == pytest.approx(min(centre + half, high))


def test_windows_are_weighed_by_the_fold_that_left_the_participant_out(
    study: ec.Study, about: ReportData
) -> None:
    """splits.csv names the fold; its model's prediction is the sum of the contributions."""
    assert about.person is not None
    assert about.person.unseen
    model = load(study.model_dir("cains"))
    splits = pd.read_csv(study.model_dir("cains") / "splits.csv")
    first = splits[splits["repeat"] == splits["repeat"].min()].set_index("participant")["fold"]
    place = sorted(set(first)).index(first[ASKED])
    name = f"sub-{ASKED}_ses-01"
    table = features.read_folder(study.features_dir(ENCODER), [name])
    inputs = Inputs.of_windows(table.vectors, table.segments["recording"].to_numpy())
    windows = about.person.windows.query("recording == @name and status == 'used'")
    assert list(windows.columns) == persons.WINDOWS
    moved = windows.groupby("target")["contribution"].sum()
    facts = {each.target: each for each in model.targets}
    for regression in model.regressions:
        predicted = regression.folds[place].predict(inputs)[0]
        for target, value in zip(regression.targets, predicted, strict=True):
            assert moved[target] + facts[target].mean_predicted == pytest.approx(value, abs=1e-4)


def test_without_a_fold_that_left_them_out_the_final_model_is_named(
    study: ec.Study, about: ReportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report says in words that this model was trained on the participant."""
    rated = read_rated(study, "cains")
    monkeypatch.setattr(persons, "SAME", 0.0)
    other = persons.of_person(study, rated, about, ASKED, ENCODER, named=False)
    assert other.person is not None
    assert not other.person.unseen
    pdf = io.BytesIO(build(other, load_template("participant")))
    text = " ".join(PdfReader(pdf).pages[-1].extract_text().split())
    assert "final model, which was trained on this participant too" in text


def test_the_report_names_the_participant_only_when_asked(study: ec.Study) -> None:
    """The file is called by the id; the heading has it with `named`; raters are letters."""
    written = ec.pipeline.report(study, "cains", participant=ASKED).written
    assert [path.name for path in written] == [f"{ASKED}.pdf", f"{ASKED}_predictions.csv"]
    assert written[0].parent == study.report_pdf("cains").with_suffix("")
    pages = text_of(written[0])
    for number, page in enumerate(pages, 1):
        assert USE in page
        assert f"Page {number} of {len(pages)}" in page
        assert ASKED not in page
        assert " ann " not in page
    whole = " ".join(pages)
    assert "Rater A" in whole
    assert "trained without this participant" in whole
    named = ec.pipeline.report(study, "cains", participant=ASKED, named=True)
    assert not named.fresh
    assert ASKED in text_of(named.written[0])[0]
    assert ec.pipeline.report(study, "cains", participant=ASKED, named=True).fresh


def test_every_number_of_the_table_stands_in_a_csv(study: ec.Study, about: ReportData) -> None:
    """At full precision beside the PDF."""
    written = ec.pipeline.report(study, "cains", participant=ASKED).written
    table = pd.read_csv(written[1], dtype={"session": str, "target": str})
    assert about.person is not None
    pd.testing.assert_frame_equal(table, about.person.scores, check_dtype=False)


def test_who_was_not_predicted_has_no_report(study: ec.Study) -> None:
    """The message suggests ids that are like it; a cohort beside a participant is one too many."""
    with pytest.raises(StudyError, match=r"'P0003' has no prediction on cains\. Did you mean"):
        ec.pipeline.report(study, "cains", participant="P0003")
    with pytest.raises(StudyError, match="one of the two"):
        ec.pipeline.report(study, "cains", participant=ASKED, cohort="site=A")


def test_few_others_give_no_interval(about: ReportData, study: ec.Study) -> None:
    """With 9 other participants the whole range of the scale is shown, and it is said."""
    people = {f"P{number:03d}" for number in range(1, 11)}
    chosen = about.predictions["participant"].isin(people)
    few = replace(about, predictions=about.predictions[chosen])
    rated = read_rated(study, "cains")
    small = persons.of_person(study, rated, few, ASKED, ENCODER, named=False)
    assert small.person is not None
    assert small.person.limited
    spans = small.targets.set_index("target").loc[small.person.scores["target"]]
    assert (small.person.scores["low"].to_numpy() == spans["minimum"].to_numpy()).all()
    assert (small.person.scores["high"].to_numpy() == spans["maximum"].to_numpy()).all()
    text = PdfReader(io.BytesIO(build(small, load_template("participant")))).pages[0]
    assert "no 95% interval can be given" in " ".join(text.extract_text().split())


def test_ratings_that_are_newer_than_the_fit_make_the_report_say_so(
    study: ec.Study, tmp_path: Path
) -> None:
    """On its first page, with the file that has changed; a fit later it is gone."""
    newer = ec.Study(shutil.copytree(study.path, tmp_path / "newer"))
    assert "out of date" not in text_of(ec.pipeline.report(newer, "cains").written[0])[0]
    table = pd.read_csv(newer.path / "ratings.csv", dtype=str)
    more = table[table["rater"] == "ann"].assign(rater="cleo")
    pd.concat([table, more]).to_csv(newer.path / "ratings.csv", index=False)
    result = ec.pipeline.report(ec.Study(newer.path), "cains")
    assert not result.fresh
    first = text_of(result.written[0])[0]
    assert "predictions are out of date" in first
    assert "this has changed: ratings.csv." in first
    assert "out of date" in text_of(
        ec.pipeline.report(ec.Study(newer.path), "cains", participant=ASKED).written[0]
    )[0]  # fmt: skip
    ec.pipeline.fit(ec.Study(newer.path), "cains")
    again = ec.pipeline.report(ec.Study(newer.path), "cains")
    assert "out of date" not in text_of(again.written[0])[0]


def test_a_markup_in_an_id_is_text(about: ReportData) -> None:
    """Tags, an ampersand, a right-to-left name and an emoji stand on the page as they are."""
    assert about.person is not None
    name = "<b>&amp; שלום 😀 " + "x" * 80
    named = replace(about, person=replace(about.person, name=name))
    page = PdfReader(io.BytesIO(build(named, load_template("participant")))).pages[0]
    assert "<b>&amp;" in page.extract_text()
