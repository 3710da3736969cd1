"""The stages together, on a small study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pypdf
import pytest

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.encoder import DEMO_WEIGHTS
from emoclip_clinic.errors import ClinicError, StudyError
from emoclip_clinic.files import sha256_file
from tests.small_study import PEOPLE, make_ratings, make_recordings


def files_of(study: ec.Study) -> dict[str, str]:
    """Hash every file of a study but the cache, which holds times."""
    return {
        study.relative(path): sha256_file(path)
        for path in sorted(study.path.rglob("*"))
        if path.is_file() and "cache" not in path.parts
    }


def run(study: ec.Study) -> dict[str, bool]:
    """Run every stage; give the fresh ones' names."""
    return {result.stage: result.fresh for result in ec.pipeline.run(study)}


@pytest.fixture(scope="module")
def whole(encoded_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run every stage on the small study, once for this module."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    shutil.copytree(encoded_study, folder)
    sites = pd.DataFrame({"participant": PEOPLE, "site": ["A", "B"] * 6, "age": range(20, 32)})
    sites.to_csv(folder / "participants.csv", index=False)
    run(ec.Study(folder))
    return folder


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> ec.Study:
    """Copy the study on which every stage has run."""
    return ec.Study(shutil.copytree(whole, tmp_path / "done"))


def test_every_arrow_is_a_file(done: ec.Study) -> None:
    """What the documentation promises lies in the folder."""
    for name in (
        "recordings.csv", "quality.csv", "features/emoclip-demo/segments.csv",
        "models/cains/performance.csv", "models/cains/splits.csv", "models/cains/exclusions.csv",
        "models/cains/model.skops", "predictions/cains.csv", "agreement/cains.csv",
        "reports/cains.pdf", "provenance/ingest.json", "provenance/fit-cains.json",
    ):  # fmt: skip
        assert (done.path / name).is_file(), name


def test_a_second_run_does_nothing(done: ec.Study) -> None:
    """Everything is up to date and no byte changes, in a copy of the folder too."""
    before = files_of(done)
    assert run(done) == dict.fromkeys(("encode", "fit", "report"), True)
    assert files_of(done) == before


def test_the_same_study_made_twice_is_the_same_bytes(
    done: ec.Study, encoded_study: Path, tmp_path: Path
) -> None:
    """Tables, model and PDF depend on nothing but the inputs."""
    again = ec.Study(shutil.copytree(encoded_study, tmp_path / "again"))
    shutil.copy(done.participants_csv, again.participants_csv)
    run(again)
    assert files_of(again) == files_of(done)


def test_a_changed_rating_repeats_what_depends_on_it_only(done: ec.Study) -> None:
    """The recordings are not encoded again."""
    table = make_ratings()
    table.loc[0, "3"] = 4 - table.loc[0, "3"]
    table.to_csv(done.path / "ratings.csv", index=False)
    assert run(done) == {"encode": True, "fit": False, "report": False}


def test_a_changed_setting_repeats_what_depends_on_it_only(done: ec.Study) -> None:
    """The report's title changes the report alone."""
    path = done.path / "study.toml"
    path.write_text(path.read_text().replace("A small study", "Another title"))
    assert run(ec.Study(done.path)) == {"encode": True, "fit": True, "report": False}


def test_a_new_recording_is_encoded_and_the_others_are_not(done: ec.Study) -> None:
    """The old features keep their bytes."""
    before = files_of(done)
    make_recordings(done.path / "interviews", ["Q01"])
    assert run(done)["encode"] is False
    after = files_of(done)
    tables = [name for name in after if name.startswith("features/") and name.endswith(".csv")]
    assert len([name for name in after if name.startswith("features/")]) - len(tables) == 13
    for name, digest in before.items():
        if name.endswith(".safetensors"):
            assert after[name] == digest


def test_a_deleted_table_is_made_again(done: ec.Study) -> None:
    """What a hand has removed or edited is not taken for what the stage wrote."""
    before = files_of(done)
    done.recordings_csv.unlink()
    (done.path / "predictions" / "cains.csv").write_text("participant\n")
    run(done)
    assert files_of(done) == before


def test_a_recording_that_was_removed_stays_as_a_row_with_that_reason(done: ec.Study) -> None:
    """A lost recording is said, not forgotten; renamed, it is itself under a new name."""
    shutil.rmtree(done.path / "interviews" / PEOPLE[3])
    old = done.path / "interviews" / PEOPLE[4] / "interview.mp4"
    old.rename(old.with_name("renamed.mp4"))
    result = ec.pipeline.ingest(done, done.path / "interviews")
    assert result.exclusions[["id", "reason"]].to_numpy().tolist() == [
        ["sub-P04_ses-01", "the file is no longer there"]
    ]


def test_a_second_folder_takes_nothing_from_the_first(done: ec.Study, tmp_path: Path) -> None:
    """Names that are there in both are told apart, and every run after that is stable."""
    second = tmp_path / "second"
    make_recordings(second, ["P01", "Q01"], seed=7)
    ec.pipeline.encode(done, second)
    table = pd.read_csv(done.recordings_csv).set_index("recording")
    assert len(table) == 14
    assert table.loc["sub-P01_ses-01", "path"] == "interviews/P01/interview.mp4"
    assert table.loc["sub-P01_ses-01_2", "path"] == str(second / "P01" / "interview.mp4")
    quality = pd.read_csv(done.quality_csv)
    assert set(quality["recording"]) == set(table.index)
    before = files_of(done)
    assert run(done)["encode"], "back at the first folder, nothing is to be encoded"
    ec.pipeline.encode(done, second)
    after = files_of(done)
    for name in ("recordings.csv", "quality.csv", "features/emoclip-demo/segments.csv"):
        assert after[name] == before[name]
    assert set(run(ec.Study(done.path)).values()) == {True}


def test_recordings_may_move(done: ec.Study, tmp_path: Path) -> None:
    """Found by content in another place they keep their ids, and nothing is encoded again."""
    encoded = files_of(done)["features/emoclip-demo/segments.csv"]
    shutil.move(done.path / "interviews", tmp_path / "elsewhere")
    result = ec.pipeline.encode(done, tmp_path / "elsewhere")
    assert result.exclusions.empty
    table = pd.read_csv(done.recordings_csv)
    assert list(table["recording"]) == [f"sub-{person}_ses-01" for person in PEOPLE]
    assert all(Path(path).is_file() for path in table["path"])
    assert files_of(done)["features/emoclip-demo/segments.csv"] == encoded


def test_a_recording_that_cannot_be_read_now_is_read_later(done: ec.Study) -> None:
    """A link to a drive that is not there is a row with its reason, until the drive is there."""
    before = files_of(done)
    place = done.path / "interviews" / "P05" / "interview.mp4"
    drive = done.path.parent / "drive.mp4"
    shutil.move(place, drive)
    place.symlink_to("unplugged.mp4")
    result = ec.pipeline.encode(done, done.path / "interviews")
    reason = "the file cannot be opened: No such file or directory"
    assert result.exclusions["reason"].tolist() == [reason]
    place.unlink()
    shutil.move(drive, place)
    run(done)
    assert files_of(done) == before


def test_a_recording_that_changes_while_it_is_encoded_is_encoded_again(
    encoded_study: Path, tmp_path: Path
) -> None:
    """Vectors of a file that is not the one whose hash is listed are never kept."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    shutil.rmtree(study.path / "features")
    place = study.path / "interviews" / "P05" / "interview.mp4"
    content = place.read_bytes()

    def replace(what: str, done: int, total: int) -> None:
        if what == "recordings" and done == 2:
            place.write_bytes((place.parents[1] / "P06" / "interview.mp4").read_bytes())

    result = ec.pipeline.encode(study, study.path / "interviews", progress=replace)
    assert result.exclusions[["id", "reason"]].to_numpy().tolist() == [
        ["sub-P05_ses-01", "the file changed or went away while it was encoded"]
    ]
    place.write_bytes(content)
    again = ec.pipeline.encode(ec.Study(study.path), study.path / "interviews")
    assert not again.fresh
    assert again.exclusions.empty
    assert files_of(study) == files_of(ec.Study(encoded_study))


def test_damaged_features_are_encoded_again(done: ec.Study) -> None:
    """A changed bit is not recorded as the truth; nor is a lost cache missed."""
    before = files_of(done)
    path = done.features_dir("emoclip-demo") / "sub-P03_ses-01.safetensors"
    content = bytearray(path.read_bytes())
    content[-2] ^= 4
    path.write_bytes(content)
    shutil.rmtree(done.path / "cache")
    run(ec.Study(done.path))
    assert files_of(done) == before


def test_what_a_new_study_was_made_with_is_in_its_settings(
    done: ec.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` does what `encode` did: the same pattern, the same checkpoint, from any folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    shutil.copy(DEMO_WEIGHTS, tmp_path / "new" / "emoclip.safetensors")
    study = ec.pipeline.open_or_create(
        tmp_path / "new",
        recordings=done.path / "interviews",
        encoder="new/emoclip.safetensors",
        faces="none",
        pattern="P{participant}/{*}",
    )
    assert study.settings.encode.encoder == "emoclip.safetensors"
    assert study.settings.encode.pattern == "P{participant}/{*}"
    monkeypatch.chdir("/")
    ec.pipeline.encode(study, done.path / "interviews")
    # not among the features of the registry's encoder of that name
    assert (study.features_dir("emoclip-file") / "sub-01_ses-01.safetensors").is_file()


def test_folds_are_of_participants_and_listed(done: ec.Study) -> None:
    """Everyone is tested once a repeat."""
    splits = pd.read_csv(done.model_dir("cains") / "splits.csv")
    assert (splits.groupby(["participant", "repeat"]).size() == 1).all()
    assert set(splits["participant"]) == set(PEOPLE)


def test_a_signal_in_the_picture_is_found(done: ec.Study) -> None:
    """The recordings' brightness is the severity: the out-of-fold CCC is high."""
    skill = pd.read_csv(done.model_dir("cains") / "performance.csv")
    found = skill[(skill["target"] == "exp") & (skill["model"] == "ridge")].set_index("metric")
    assert found.loc["ccc", "value"] > 0.6
    assert found.loc["r2", "ci_low"] > 0


def test_performance_and_agreement_are_one_number_where_they_mean_the_same(done: ec.Study) -> None:
    """CCC, MAE and Pearson of the model with the consensus are those of its performance."""
    text = {"target": str}
    skill = pd.read_csv(done.model_dir("cains") / "performance.csv", dtype=text)
    skill = skill[skill["model"] == "ridge"].set_index(["target", "metric"])["value"]
    agreement = pd.read_csv(done.agreement_csv("cains"), dtype=text)
    agreement = agreement[agreement["comparison"] == "model-consensus"]
    for row in agreement[agreement["statistic"].isin(["CCC", "MAE", "Pearson"])].itertuples():
        assert row.value == pytest.approx(skill[row.target, row.statistic.lower()], abs=1e-9)


def test_the_report_names_nobody(done: ec.Study) -> None:
    """No participant, rater, path or file name is in the PDF or its metadata."""
    pdf = pypdf.PdfReader(done.path / "reports" / "cains.pdf")
    text = "".join(page.extract_text() for page in pdf.pages) + str(pdf.metadata)
    for word in (*PEOPLE, "ann", "bob", "interview.mp4", str(done.path), "/tmp"):
        assert f" {word} " not in f" {text} ", word
        assert len(word) < 4 or word not in text, word
    for page in pdf.pages:
        assert "not a diagnosis" in page.extract_text().lower()


def test_a_part_of_the_cohort_has_its_own_report(done: ec.Study) -> None:
    """`--cohort site=A` holds the people of that site and leaves the whole report alone.

    Its performance, from the out-of-fold predictions of these people, stands in a table beside it.
    """
    whole_report = sha256_file(done.path / "reports" / "cains.pdf")
    result = ec.pipeline.report(done, "cains", cohort="site=A")
    table = pd.read_csv(done.agreement_csv("cains_site-A"))
    assert table["n_participants"].max() == 6
    assert result.written[0] != done.path / "reports" / "cains.pdf"
    skill = pd.read_csv(result.written[1])
    mae = skill[(skill["model"] == "ridge") & (skill["metric"] == "mae")].set_index("target")
    assert set(mae["n_participants"]) == {6}
    rows = pd.read_csv(done.predictions_csv("cains"), dtype={"participant": str})
    people = pd.read_csv(done.participants_csv, dtype=str)
    of_site = rows["participant"].isin(people.loc[people["site"] == "A", "participant"])
    own = rows[of_site & (rows["model"] == "ridge")]
    error = (own["observed"] - own["predicted"]).abs().groupby(own["target"]).mean()
    pd.testing.assert_series_equal(mae["value"].sort_index(), error, check_names=False)
    assert sha256_file(done.path / "reports" / "cains.pdf") == whole_report
    with pytest.raises(StudyError, match=r"nobody has site C\. Values: A, B"):
        ec.pipeline.report(done, "cains", cohort="site=C")
    with pytest.raises(StudyError, match="COLUMN=VALUE"):
        ec.pipeline.report(done, "cains", cohort="A")


def test_raters_are_compared_before_anything_is_fitted(encoded_study: Path, tmp_path: Path) -> None:
    """`agree` needs ratings only, and says that the model is missing."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "s"))
    result = ec.pipeline.agree(study, "cains")
    assert any("no predictions yet" in note for note in result.notes)
    table = pd.read_csv(study.agreement_csv("cains"))
    assert "model-rater" not in set(table["comparison"])


def test_predict_scores_new_recordings_alike(done: ec.Study, tmp_path: Path) -> None:
    """New people get a score within the scale; those of the training are marked."""
    model = done.model_dir("cains")
    make_recordings(tmp_path / "new", ["N01", "N02"])
    shutil.copytree(done.path / "interviews" / PEOPLE[0], tmp_path / "new" / PEOPLE[0])
    study = ec.Study.create(tmp_path / "predictions")
    protocol = study.path / "protocols" / "encoding" / "emoclip.toml"
    protocol.parent.mkdir(parents=True, exist_ok=True)
    protocol.write_text("rate_hz = 1\n[warn]\nmin_face_size_px = 65\n")
    output = tmp_path / "scores.csv"
    drivers = tmp_path / "drivers.csv"
    result = ec.pipeline.predict(study, tmp_path / "new", model, output, drivers=drivers)
    assert result.written == (output, drivers)
    table = pd.read_csv(output, dtype={"target": str}, keep_default_na=False)
    assert set(table["participant"]) == {"N01", "N02", PEOPLE[0]}
    items = table[table["target"].str.isdigit()]
    assert items["predicted"].astype(float).between(0, 4).all()
    seen = table["note"].str.contains("training participant")
    assert set(table.loc[seen, "participant"]) == {PEOPLE[0]}
    moved = pd.read_csv(drivers, dtype={"target": str})
    assert set(moved["method"]) == {"exact"}
    assert set(moved["recording"]) == set(table["recording"])
    assert set(moved["target"]) == set(table["target"])
    # how recordings are sampled is the model's matter, what warns is this study's
    folder = study.features_dir("emoclip-demo")
    quality = pd.read_csv(folder / "quality.csv", index_col="measure")
    assert set(quality.loc["face_size_px", "note"]) == {"small face"}
    assert list(quality["recording"]) == sorted(quality["recording"])
    assert (pd.read_csv(folder / "segments.csv")["n_frames"] > 2).all()


def test_predict_in_the_study_itself_scores_that_folder_only(
    done: ec.Study, tmp_path: Path
) -> None:
    """What the study has of other folders is not new, and is not scored."""
    make_recordings(tmp_path / "new", ["N01"])
    output = tmp_path / "scores.csv"
    ec.pipeline.predict(done, tmp_path / "new", done.model_dir("cains"), output)
    assert set(pd.read_csv(output)["participant"]) == {"N01"}


def test_fewer_bits_give_the_same_directions(done: ec.Study) -> None:
    """Every vector is made again, is not equal, and has a cosine of 0.9995 or more to before."""
    names = list(pd.read_csv(done.recordings_csv).query("status == 'usable'")["recording"])
    folder, interviews = done.features_dir("emoclip-demo"), done.path / "interviews"
    before = features.read_folder(folder, names)
    made = ec.pipeline.encode(done, interviews, precision="bf16")
    assert not made.fresh
    after = features.read_folder(folder, names)
    pd.testing.assert_frame_equal(before.segments, after.segments)
    norms = np.linalg.norm(before.vectors, axis=1) * np.linalg.norm(after.vectors, axis=1)
    assert ((before.vectors * after.vectors).sum(axis=1) / norms).min() >= 0.9995
    assert not np.array_equal(before.vectors, after.vectors)
    assert ec.pipeline.encode(done, interviews, precision="bf16").fresh
    provenance = json.loads((done.path / "provenance/encode-emoclip-demo.json").read_text())
    assert provenance["settings"]["precision"] == "bf16"


def test_predict_encodes_as_the_model_was(done: ec.Study, tmp_path: Path) -> None:
    """In its precision; where another rule names the participant here, that is said."""
    model = tmp_path / "models" / "cains"
    shutil.copytree(done.model_dir("cains"), model)
    how = json.loads((model / "encoding.json").read_text())
    how |= {"precision": "bf16", "participant": "left"}
    (model / "encoding.json").write_text(json.dumps(how))
    make_recordings(tmp_path / "new", ["N01"])
    study = ec.Study.create(tmp_path / "predictions")
    result = ec.pipeline.predict(study, tmp_path / "new", model, tmp_path / "scores.csv")
    provenance = json.loads((study.path / "provenance/encode-emoclip-demo.json").read_text())
    assert provenance["settings"]["precision"] == "bf16"
    assert any("'largest' here, and by 'left' in the model's" in note for note in result.notes)


def test_predict_needs_a_model(done: ec.Study, tmp_path: Path) -> None:
    """A folder without one is said, before anything is decoded."""
    with pytest.raises(ClinicError, match="holds no fitted model"):
        ec.pipeline.predict(done, done.path / "interviews", tmp_path, tmp_path / "x.csv")


def test_features_of_another_encoder_are_pointed_out(done: ec.Study) -> None:
    """`fit` with an encoder that was not used names the one that was."""
    with pytest.raises(StudyError, match="They were with emoclip-demo: add --encoder"):
        ec.pipeline.fit(done, "cains", encoder="clip-mean")


def test_importing_the_package_imports_nothing_heavy() -> None:
    """Torch least of all."""
    import subprocess
    import sys

    code = "import sys, emoclip_clinic; print(*(set(sys.modules) & {'torch', 'pandas', 'cv2'}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


def test_agreement_is_in_tables_and_all_of_it_in_one_json(done: ec.Study) -> None:
    """Every number of every table, at full precision."""
    folder = done.agreement_dir("cains")
    everything = json.loads((folder / "agreement.json").read_text())["tables"]
    names = {"agreement", "reliability", "pairs", "raters", "limits", "equivalence", "groups"}
    assert set(everything) == names
    for name, columns in everything.items():
        path = done.agreement_csv("cains") if name == "agreement" else folder / f"{name}.csv"
        table = pd.read_csv(path)
        assert set(columns) == set(table)
        assert columns["value"] == [None if np.isnan(value) else value for value in table["value"]]


def test_ratings_that_changed_after_the_fit_are_pointed_out(done: ec.Study) -> None:
    """Agreement is of the new ratings, and the predictions of the old ones: a note says so."""
    assert not any("changed since" in note for note in ec.pipeline.agree(done, "cains").notes)
    table = pd.read_csv(done.path / "ratings.csv", dtype=str).iloc[:-1]
    table.to_csv(done.path / "ratings.csv", index=False)
    notes = ec.pipeline.agree(ec.Study(done.path), "cains").notes
    assert any("ratings have changed since the predictions were made" in note for note in notes)


def test_the_named_rater_is_the_consensus_of_agreement_too(done: ec.Study) -> None:
    """The model with the consensus is then the model with that rater."""
    settings = (done.path / "study.toml").read_text()
    rater = pd.read_csv(done.path / "ratings.csv")["rater"].unique()[0]
    rule = f'[ratings]\nconsensus = "rater:{rater}"\n'
    (done.path / "study.toml").write_text(settings + rule)
    study = ec.Study(done.path)
    ec.pipeline.agree(study, "cains")
    table = pd.read_csv(study.agreement_csv("cains"))
    keys = ["target", "statistic"]
    consensus = table[table.comparison == "model-consensus"].set_index(keys).value
    own = table[(table.comparison == "model-rater") & (table.rater_b == rater)]
    pd.testing.assert_series_equal(consensus, own.set_index(keys).value)
    others = table[table.comparison == "rater-consensus"]
    assert rater not in set(others.rater_a)
