"""The demonstration, whole: what was put into the synthetic cohort is found again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pypdf
import pytest

import emoclip_clinic as ec
from emoclip_clinic.errors import StudyError
from emoclip_clinic.pipeline.demonstrating import summary

POSITIVE = [f"P{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Type the command in an empty folder, with an empty home beside it; give both, and its words.

    Its seed is 1.
    """
    folder = tmp_path_factory.mktemp("typed")
    for name in ("home", "work"):
        (folder / name).mkdir()
    own = {"HOME": str(folder / "home")}
    kept = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    run = subprocess.run(
        [sys.executable, "-m", "emoclip_clinic", "demo"],
        cwd=folder / "work",
        env=kept | own,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, run.stderr


@pytest.mark.slow
def test_the_demonstration_needs_one_command_in_an_empty_folder(typed: tuple[Path, str]) -> None:
    """Offline and with an empty home it ends with the report's path, and litters nowhere."""
    folder, said = typed
    report = Path("demo-study", "reports", "panss.pdf")
    assert f"The report: {report}" in said
    assert (folder / "work" / report).read_bytes().startswith(b"%PDF")
    assert [path.name for path in (folder / "work").iterdir()] == ["demo-study"]
    assert not [path for path in (folder / "home").rglob("*") if path.is_file()]


@pytest.fixture(scope="module", params=[1, 2, 3])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ec.Study:
    """Run the whole demonstration with a seed of its own."""
    if request.param == 1:
        folder, _ = request.getfixturevalue("typed")
        study = ec.Study(folder / "work" / "demo-study")
        assert study.settings.study.seed == 1
        return study
    folder = tmp_path_factory.mktemp("demo") / "study"
    for _ in ec.pipeline.demo(folder, seed=request.param):
        pass
    return ec.Study(folder)


@pytest.mark.slow
def test_what_the_face_drives_is_found_and_nothing_else_is(demo: ec.Study) -> None:
    """N1 has skill; no positive item has any once corrected for how many there are."""
    skill = pd.read_csv(demo.model_dir("panss") / "performance.csv")
    pearson = skill[(skill["model"] == "ridge") & (skill["metric"] == "pearson")]
    pearson = pearson.set_index("target")
    assert pearson.loc["N1", "value"] >= 0.6
    assert pearson.loc["N1", "ci_low"] > 0
    assert pearson.loc["N1", "ci_low_corrected"] > 0
    positive = pearson.loc[POSITIVE]
    assert not (positive["ci_low_corrected"] > 0).any()
    r2 = skill[(skill["model"] == "ridge") & (skill["metric"] == "r2")].set_index("target")
    assert r2.loc["N1", "value"] > 0


@pytest.mark.slow
def test_the_raters_agreement_is_the_known_one(demo: ec.Study) -> None:
    """The intervals of the raters' ICC(A,1) cover the truth: N1's, the total's, most of all."""
    truth = json.loads((demo.path / "truth" / "truth.json").read_text())["targets"]
    table = pd.read_csv(demo.agreement_csv("panss"))
    icc = table[(table["rater_a"] == "all") & (table["statistic"] == "ICC(A,1)")]
    # the truth of a difference of two scores is not worked out
    icc = icc[icc["target"].isin(truth)].set_index("target")
    known = pd.Series({name: truth[name]["icc_a1"] for name in icc.index})
    covered = (icc["ci_low"] <= known) & (known <= icc["ci_high"])
    assert covered["N1"]
    assert covered["total"]
    assert covered.mean() > 0.8


@pytest.mark.slow
def test_what_was_left_out_on_purpose_is_what_was_left_out(demo: ec.Study) -> None:
    """The truncated recording and the visit that nobody rated, and nothing else."""
    intended = json.loads((demo.path / "truth" / "truth.json").read_text())["exclusions"]
    recordings = pd.read_csv(demo.recordings_csv)
    fitted = pd.read_csv(demo.model_dir("panss") / "exclusions.csv")
    found = set(recordings.loc[recordings["status"] == "excluded", "recording"])
    found |= set(fitted["id"])
    assert found == {row["id"] for row in intended}


@pytest.mark.slow
def test_every_page_says_that_it_is_a_demonstration(demo: ec.Study) -> None:
    """The encoder's notice and the limits of use stand on all pages."""
    pages = pypdf.PdfReader(demo.path / "reports" / "panss.pdf").pages
    assert len(pages) > 5
    for page in pages:
        text = " ".join(page.extract_text().split())
        assert "demonstration only" in text
        assert "Not a diagnosis" in text


@pytest.mark.slow
def test_a_second_demonstration_finds_all_up_to_date(demo: ec.Study) -> None:
    """Nothing is drawn, encoded or fitted again; the summary has the truth beside the found."""
    assert all(result.fresh for result in ec.pipeline.demo(demo.path))
    assert all(result.fresh for result in ec.pipeline.run(demo))
    rows = {row[0]: row for row in summary(demo.path)}
    assert "N1: Pearson of the model" in rows


def test_the_demonstration_goes_only_where_nothing_else_is(tmp_path: Path) -> None:
    """A folder that holds anything else is left alone."""
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(StudyError, match="not empty and no demonstration"):
        next(ec.pipeline.demo(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]
