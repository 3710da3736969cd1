from __future__ import annotations

import io
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from emoclip_clinic.errors import SettingsError, StudyError
from emoclip_clinic.report import ReportData, build, load_template
from emoclip_clinic.report.data import COLUMNS
from emoclip_clinic.report.spec import parse_template
from tests.report_data import NOTICE, PARTICIPANT, RATERS, report_data

USE = "Research use only. Not a diagnosis."


@cache
def data(n_raters: int = 3) -> ReportData:
    return report_data(16, n_raters, scale="cains", n_targets=8)


@cache
def report() -> bytes:
    return build(data(), load_template())


def pages(pdf: bytes) -> list[str]:
    # lines are joined: where a line breaks is the layout's affair
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]


def words(changed: ReportData, *blocks: str) -> str:
    some = parse_template({"section": [{"blocks": list(blocks)}]}, "some.toml")
    return " ".join(pages(build(changed, some if blocks else load_template())))


def test_every_page_has_its_number_the_limits_of_use_and_the_notices() -> None:
    """A page that is passed on alone still says what it is."""
    found = pages(report())
    for number, page in enumerate(found, 1):
        assert f"Page {number} of {len(found)}" in page
        assert USE in page
        assert NOTICE in page


def test_ids_and_names_stay_out_of_pages_metadata_and_bytes() -> None:
    """Canaries in every table, in reasons and notes, are nowhere in the document."""
    canary = "canaryrecording"
    leaky = pd.DataFrame(
        [("encode", "recording", canary, f"no face in {canary} of {PARTICIPANT}000"),
         ("fit", "rating", PARTICIPANT + "001", f"{RATERS[0]} rated twice")],
        columns=list(COLUMNS["exclusions"]),
    )  # fmt: skip
    agreement = data().agreement.copy()
    agreement.loc[:, ["value", "ci_low", "ci_high"]] = np.nan
    agreement["note"] = f"undefined: {RATERS[1]} gave {PARTICIPANT}002 one value"
    changed = replace(data(), exclusions=leaky, agreement=agreement)
    for pdf in (report(), build(changed, load_template())):
        reader = PdfReader(io.BytesIO(pdf))
        text = " ".join(pages(pdf)) + str(reader.metadata) + str(reader.outline)
        assert "canary" not in text.lower()
        assert not re.search(r"/(home|tmp|root|Users|usr)/", text)
        assert b"canary" not in pdf.lower()


def test_raters_are_letters_in_the_order_of_their_names() -> None:
    """The first of the sorted names is Rater A, whatever the order of the rows."""
    raters = data().raters.iloc[::-1].reset_index(drop=True)
    assert replace(data(), raters=raters).rater_names == dict(
        zip(sorted(RATERS[:3]), "ABC", strict=True)
    )
    ids = [f"r{n:03d}" for n in range(30)]
    many = pd.DataFrame({"rater": ids, "n_visits": 1, "n_items_missing": 0})
    names = ReportData("t", "s", "S", raters=many).rater_names
    assert [names[f"r{n:03d}"] for n in (0, 25, 26, 29)] == ["A", "Z", "AA", "AD"]


def test_text_is_printed_as_it_is() -> None:
    """Markup, quotes, accents and dollar signs in titles and labels are text."""
    title = "Café <b>& \"N'1\"</b> </para> <img src='x'/> $x^2$ {braces} αβ Ł"
    targets = data().targets.copy()
    targets["label"] = targets["label"] + " <i>&amp; $a$ $b$"
    changed = replace(data(), title=title, institution=title, cohort=title, targets=targets,
                      notices=(title,))  # fmt: skip
    pdf = build(changed, load_template())
    text = " ".join(pages(pdf))
    assert text.count(title) > len(pages(pdf))
    assert "<i>&amp; $a$ $b$" in text
    metadata = PdfReader(io.BytesIO(pdf)).metadata
    assert metadata is not None
    assert metadata.author == title


def test_identical_data_give_identical_bytes() -> None:
    """No clock, no random id, no order of a set gets into the document."""
    assert build(data(), load_template()) == report()


def test_every_font_is_embedded() -> None:
    """A report looks the same on any machine: no font is left to the reader."""
    fonts: dict[str, Any] = {}
    for page in PdfReader(io.BytesIO(report())).pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            fonts[font.get_object()["/BaseFont"]] = font.get_object()
    assert fonts
    for name, font in fonts.items():
        assert "/FontFile2" in font["/FontDescriptor"], name


def test_title_author_outline_and_contents_are_set() -> None:
    """A reader's side bar and the contents lead to the sections, on the pages they name."""
    reader = PdfReader(io.BytesIO(report()))
    assert reader.metadata is not None
    assert data().title in str(reader.metadata.title)
    assert reader.metadata.author == data().institution
    assert "not a diagnosis" in str(reader.metadata.subject)
    titled = [section.title for section in load_template().sections if section.title]
    assert [str(entry.title).split(maxsplit=1)[1] for entry in reader.outline] == titled
    found = pages(report())
    for entry in reader.outline:
        number = reader.get_destination_page_number(entry)
        assert str(entry.title).replace("  ", " ") in found[number].replace("  ", " ")
    links = [a for page in reader.pages[:1] for a in page.get("/Annots", [])]
    assert len(links) >= len(titled)


def test_the_summary_fits_on_one_page() -> None:
    """What a clinician is to read is the second page, and no more."""
    found = pages(report())
    assert "Does the model agree with clinicians" in found[1]
    assert "How to read this" in found[1]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ((0.5, 0.4, 0.6), "less well than clinicians agree"),
        ((0.95, 0.92, 0.97), "more closely than clinicians agree"),
        ((0.75, 0.6, 0.85), "do not settle whether"),
        ((np.nan, np.nan, np.nan), "could not be estimated"),
    ],
)
def test_the_verdict_says_no_more_than_the_intervals(
    model: tuple[float, float, float], sentence: str
) -> None:
    """The summary's sentence follows from the two intervals, and prints them."""
    table = data().agreement.copy()
    ends = ["value", "ci_low", "ci_high"]
    icc = table["statistic"] == "ICC(A,1)"
    table.loc[icc & (table["comparison"] == "rater-rater"), ends] = (0.8, 0.7, 0.9)
    table.loc[icc & (table["comparison"] == "model-rater"), ends] = model
    summary = words(replace(data(), agreement=table, tables={}), "summary")
    assert sentence in summary
    assert "0.80 (95% CI 0.70 to 0.90)" in summary


def test_one_rater_has_no_ceiling_and_is_still_compared() -> None:
    """The report says that there is no agreement among clinicians to compare the model with."""
    text = words(data(1), "summary", "raters", "agreement", "pairs")
    assert "no agreement among clinicians to compare" in text
    assert "Rater A" in text
    assert "Rater B" not in text


def test_many_raters_are_summed_up_by_mean_and_range() -> None:
    """With more than four raters the table of agreement still fits the page."""
    text = words(report_data(16, 6, scale="cains", n_targets=2), "agreement")
    assert "the mean over clinicians above the range" in text


def test_empty_tables_are_said_to_be_empty() -> None:
    """Nothing but a title: every section says what is missing."""
    text = words(ReportData("Bare", "panss", "A scale"))
    for sentence in ("Nothing was left out", "No recording was usable", "Performance was not"):
        assert sentence in text


def test_a_cohort_of_three_and_a_single_target_have_a_report() -> None:
    """Few people and one item: undefined values are dashes with a reason, and nothing breaks."""
    small = report_data(3, 2, scale="cains", n_targets=2)
    one = small.targets.iloc[:1]
    text = words(replace(small, targets=one, exclusions=small.exclusions.iloc[:0]))
    assert "Nothing was left out" in text
    assert not re.search(r"\b(nan|none|inf)\b", text.lower().replace("is none", ""))


def test_undefined_agreement_shows_its_reason() -> None:
    """A dash carries a letter, and the letter's note below the table has the reason."""
    table = data().agreement.copy()
    table.loc[:, ["value", "ci_low", "ci_high"]] = np.nan
    table["note"] = "undefined: all ratings are equal"
    text = words(replace(data(), agreement=table), "agreement")
    assert "–ᵃ" in text
    assert "ᵃ undefined: all ratings are equal" in text


def test_long_labels_stay_inside_the_frame() -> None:
    """Labels of 60 characters, with and without spaces, and long notices: nothing is cut off."""
    targets = data().targets.copy()
    targets["label"] = ["x" * 60 if n % 2 else "long label " * 6 for n in range(len(targets))]
    changed = replace(data(), targets=targets, title="Word " * 40, institution="W" * 200,
                      notices=(NOTICE, NOTICE), cohort="site = " + "A" * 150)  # fmt: skip
    letter = parse_template({**tomllib.loads(COHORT), "page": "letter"}, "letter.toml")
    reader = PdfReader(io.BytesIO(build(changed, letter)))
    for page in reader.pages:
        assert tuple(map(float, page.mediabox[2:])) == (612, 792)
        for x in _text_starts(page):
            assert 50 < x < 612 - 50


def _text_starts(page: Any) -> list[float]:
    found: list[float] = []

    def visit(text: str, cm: Any, tm: Any, font: Any, size: Any) -> None:
        if text.strip():
            found.append(float(tm[4] * cm[0] + tm[5] * cm[2] + cm[4]))

    page.extract_text(visitor_text=visit)
    return found


COHORT = """
[[section]]
title = "All"
blocks = ["title", "summary", "participants", "agreement", "forest", "pairs", "performance",
          "scatter", "bland_altman", "methods"]
"""


def test_several_recordings_of_a_visit_are_one_point_of_a_bland_altman_plot() -> None:
    """The lines are of visits, so the points are too; the scatter plot shows recordings."""
    predictions = data().predictions.assign(recording="first")
    again = predictions.assign(recording="second", predicted=predictions["predicted"] + 1)
    twice = replace(data(), predictions=pd.concat([predictions, again]))
    n = len(predictions.drop_duplicates(["participant", "session"]))
    assert f"n = {n}, bias" in words(twice, "bland_altman")
    assert f"n = {2 * n}, CCC" in words(twice, "scatter")


def test_a_part_of_the_cohort_says_that_the_models_saw_all_of_it() -> None:
    """Numbers of a site are of models that were trained on every site."""
    assert "whole study" not in words(data(), "methods")
    text = words(replace(data(), cohort="site=A"), "methods")
    assert "trained on participants of the whole study" in text
    assert "with site=A" in text


def test_the_correlation_of_the_model_is_explained_wherever_it_is_used() -> None:
    """The table, the methods and the glossary say that it is of the prediction less the mean."""
    assert "beyond the mean of its training data" in words(data(), "performance")
    assert "beyond the mean of its training data" in words(data(), "glossary")
    assert "the prediction less the mean of the training data" in words(data(), "methods")


def test_a_target_that_the_scale_lacks_is_an_error() -> None:
    """A template that asks for N1 on a scale without it names the targets there are."""
    block = {"block": "scatter", "targets": ["N99"]}
    template = parse_template({"section": [{"blocks": [block]}]}, "mine.toml")
    with pytest.raises(SettingsError, match=r"N99.*Allowed"):
        build(data(), template)


def test_a_table_without_a_column_is_an_error() -> None:
    """The message names the table, the column and what to do."""
    with pytest.raises(StudyError, match=r"'quality' lacks flag"):
        ReportData("t", "s", "S", quality=data().quality.drop(columns="flag"))


def test_methods_state_the_numbers_of_the_run_and_none_that_is_unknown() -> None:
    """Folds, repeats and rates are those given; what is not known is not spoken of."""
    text = " ".join(pages(report()))
    assert "10 outer folds, repeated 5 times" in text
    assert "at 6.25 Hz" in text
    assert "windows of 32 frames (5.12 s)" in text
    lopo = replace(data().methods, cv="lopo", frame_rate_hz=None)
    text = words(replace(data(), methods=lopo), "methods")
    assert "leaving out one participant at a time" in text
    assert "outer folds" not in text
    assert "Hz" not in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("largest", "whose face covered most of the picture"),
        ("longest", "who was in view in most frames"),
        ("left", "furthest to the left in the first half"),
        ("right", "furthest to the right in the first half"),
        ("region", "in a given part of the picture"),
        ("photo", "by the encoder's image tower"),
        ("photo_sface", "by the face recogniser SFace"),
    ],
)
def test_methods_say_how_the_participant_was_told(rule: str, sentence: str) -> None:
    """Each rule in its sentence; the review only where there was one; nothing for face crops."""
    told = replace(data().methods, participant=rule)
    text = words(replace(data(), methods=told), "methods")
    assert sentence in text
    assert "review" not in text
    assert "the review counted" in words(
        replace(data(), methods=replace(told, reviewed=True)), "methods"
    )
    crops = words(replace(data(), methods=replace(told, face_finder="")), "methods")
    assert sentence not in crops


def test_methods_say_what_was_not_usual() -> None:
    """Another precision, and turns that were joined; of what is usual there is no word."""
    usual = words(data(), "methods")
    unusual = replace(data().methods, precision="bf16", turns=True, joined_pauses_s=0.75)
    text = words(replace(data(), methods=unusual), "methods")
    for sentence in ("computed in bf16 in place of fp32", "pause of up to 0.75 s"):
        assert sentence in text
        assert sentence not in usual
    assert "fp32" not in usual


def test_a_strict_reader_finds_nothing_wrong(tmp_path: Path) -> None:
    """Syntax and streams are sound, and nothing could act: no script, no file, no link."""
    pdf = tmp_path / "report.pdf"
    pdf.write_bytes(build(report_data(), load_template()))
    text = pdf.read_bytes()
    for word in (b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/URI", b"/AcroForm", b"/Encrypt"):
        assert word not in text
    if shutil.which("qpdf") is None:
        pytest.skip("needs qpdf, which is absent here")
    done = subprocess.run(["qpdf", "--check", str(pdf)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
