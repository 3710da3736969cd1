"""What `encode` and `quality` write of windows, and whether a refit finds poor ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import emoclip_clinic as ec
from emoclip_clinic import features, files, resources
from emoclip_clinic.cli import app
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import SettingsError, StudyError
from emoclip_clinic.pipeline.quality_tables import left_out_parts, left_out_windows, windows_csv
from emoclip_clinic.pipeline.refitting import COLUMNS
from emoclip_clinic.quality import MEASURES, WINDOW_COLUMNS
from emoclip_clinic.segments import GAP, OUTSIDE, SEGMENT_COLUMNS, plan
from emoclip_clinic.thresholds import THRESHOLD_COLUMNS
from tests.encoded_study import ENCODER, make_study

POOR, GOOD = 10.0, 300.0


@pytest.fixture
def small(encoded_study: Path, tmp_path: Path) -> ec.Study:
    """Copy the small encoded study."""
    return ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> ec.Study:
    """Make a study in which half of each recording's windows are noise, and blurred.

    One participant's windows are all blurred.
    """
    study = make_study(tmp_path_factory.mktemp("noisy") / "study", 24, n_twice=0)
    folder, rng, tables = study.features_dir(ENCODER), np.random.default_rng(3), []
    for path in sorted(folder.glob("*.safetensors")):
        one = features.read(path)
        sharp = np.array([True, False, True, False]) & ("P001" not in one.recording)
        noise = rng.normal(0, 12, one.vectors.shape)
        vectors = np.where(sharp[:, None], one.vectors, noise).astype(np.float32)
        features.write(path, features.RecordingFeatures(
            one.recording, one.encoder, one.fingerprint, one.segments, vectors
        ))  # fmt: skip
        table = one.segments[["recording", "window", "status"]].assign(face_fraction=1.0)
        tables.append(table.assign(face_sharpness=np.where(sharp, GOOD, POOR)))
    whole = pd.concat(tables, ignore_index=True).reindex(columns=list(WINDOW_COLUMNS))
    files.write_csv(windows_csv(folder), whole)
    return study


def type_command(study: ec.Study, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--study", str(study.path)], catch_exceptions=False)
    return result.exit_code, result.output


def test_encode_writes_a_row_a_window_and_what_it_means(small: ec.Study) -> None:
    """Beside segments.csv, in its order; every column of every table has a meaning."""
    folder = small.features_dir(ENCODER)
    segments = pd.read_csv(folder / "segments.csv", dtype={"recording": str})
    windows = pd.read_csv(windows_csv(folder), dtype={"recording": str})
    assert list(windows.columns) == list(WINDOW_COLUMNS)
    keys = ["recording", "window", "status", "face_fraction"]
    pd.testing.assert_frame_equal(windows[keys], segments[keys], check_dtype=False)
    # the small study's frames are 64 x 64 faces, 10 a second
    assert (windows["face_size_px"] == 64).all()
    assert windows["longest_gap_s"].to_numpy() == pytest.approx(0.1)
    dictionary = pd.read_csv(folder / "quality_dictionary.csv")
    known = set(zip(dictionary["file"], dictionary["column"], strict=True))
    for name in ("quality", "quality_windows", "quality_thresholds"):
        for column in pd.read_csv(folder / f"{name}.csv").columns:
            assert (f"{name}.csv", column) in known
    for measure in pd.read_csv(folder / "quality.csv")["measure"]:
        assert ("quality.csv", f"value of {measure}") in known
    assert dictionary["meaning"].str.len().min() > 10


def test_the_darker_recordings_have_the_darker_faces(small: ec.Study) -> None:
    """The small study films P01 to P12 darker and darker."""
    table = pd.read_csv(windows_csv(small.features_dir(ENCODER)))
    light = table.sort_values("recording")["face_brightness"]
    assert light.is_monotonic_decreasing
    assert light.iloc[0] == pytest.approx((230 - 20) / 255, abs=0.03)


def test_a_limit_of_the_protocol_excludes_with_a_reason(small: ec.Study) -> None:
    """The recordings it leaves nothing of are excluded by the limit; the others stay the same."""
    before = {path.name: features.read(path).vectors.tobytes() for path in vectors_of(small)}
    path = small.path / "protocols" / "encoding" / "light.toml"
    path.parent.mkdir(parents=True)
    path.write_text("rate_hz = 6.25\n[quality]\nmin_face_brightness = 0.5\n")
    result = ec.pipeline.encode(small, small.path / "interviews", protocol="light")
    folder = small.features_dir(ENCODER)
    windows, segments = pd.read_csv(windows_csv(folder)), pd.read_csv(folder / "segments.csv")
    dark = windows["face_brightness"] < 0.5
    assert 3 < dark.sum() < 9
    assert (segments["status"].eq("excluded") == dark).all()
    reason = "brightness of the face; allowed: 0.5 or more"
    assert set(result.exclusions["reason"]) == {reason}
    assert set(result.exclusions["id"]) == set(windows.loc[dark, "recording"])
    value = f"{windows.loc[dark, 'face_brightness'].iloc[0]:.6g}"
    assert segments.loc[dark, "reason"].iloc[0] == (
        f"brightness of the face: {value}; allowed: 0.5 or more"
    )
    assert left_out_windows(segments).to_numpy().tolist() == [[reason, dark.sum(), dark.sum()]]
    for made in vectors_of(small):
        assert features.read(made).vectors.tobytes() in (before[made.name], b"")


def vectors_of(study: ec.Study) -> list[Path]:
    return sorted(study.features_dir(ENCODER).glob("*.safetensors"))


def test_a_limit_that_warns_encodes_nothing_again(small: ec.Study) -> None:
    """Both tables of quality follow it; features, their keys and their times stay as they are."""
    interviews, folder = small.path / "interviews", small.features_dir(ENCODER)
    ec.pipeline.encode(small, interviews)
    path = small.path / "protocols" / "encoding" / "emoclip.toml"
    path.parent.mkdir(parents=True)
    text = resources.find("protocols/encoding", "emoclip").read_text()
    text = text.replace("min_face_size_px = 48", "min_face_size_px = 65")
    path.write_text(text.replace("min_short_side = 240", "min_short_side = 10"))
    before = [(one.read_bytes(), one.stat().st_mtime_ns) for one in vectors_of(small)]
    small_picture = noted(small.quality_csv, "short_side")
    assert "a small picture" in small_picture
    assert noted(folder / "quality.csv", "face_size_px") == ""
    study = ec.Study(small.path)
    result = ec.pipeline.encode(study, interviews)
    assert not result.fresh
    assert [(one.read_bytes(), one.stat().st_mtime_ns) for one in vectors_of(study)] == before
    assert noted(small.quality_csv, "short_side") == ""
    assert noted(folder / "quality.csv", "face_size_px") == "small face"
    assert ec.pipeline.encode(ec.Study(small.path), interviews).fresh
    # `ingest` alone goes by the same protocol, and finds nothing to do
    assert ec.pipeline.ingest(ec.Study(small.path), interviews).fresh
    path.unlink()
    ec.pipeline.ingest(ec.Study(small.path), interviews)
    assert noted(small.quality_csv, "short_side") == small_picture


def noted(path: Path, measure: str) -> str:
    """Give the one note that all recordings have on a measure."""
    table = pd.read_csv(path, keep_default_na=False)
    (note,) = set(table.loc[table["measure"] == measure, "note"])
    return str(note)


def test_limits_of_the_pose_are_refused_before_anything_is_decoded(small: ec.Study) -> None:
    """The small study's faces are whole frames, which have no landmarks."""
    path = small.path / "protocols" / "encoding" / "upright.toml"
    path.parent.mkdir(parents=True)
    path.write_text("rate_hz = 6.25\n[quality]\nmax_roll_deg = 20\n")
    with pytest.raises(SettingsError, match="max_roll_deg, which faces = 'none' does not measure"):
        ec.pipeline.encode(small, small.path / "interviews", protocol="upright")


def test_the_overview_counts_and_names(noisy: ec.Study) -> None:
    """What would remain, the worst recording, and what is not known at all."""
    result = ec.pipeline.quality(noisy)
    assert result.summary["n_used"] == 24 * 4
    (at_25,) = [row for row in result.summary["limits"]
                if (row["measure"], row["threshold"]) == ("face_sharpness", 25)]  # fmt: skip
    assert [at_25[name] for name in THRESHOLD_COLUMNS[3:]] == [23 * 2, 23, 23, 0]
    words = "\n".join(result.words)
    assert "worst by sharpness of the face: sub-P001_ses-01" in words
    assert "not known in any window: face_size_px, roll_deg, yaw" in words


def test_poor_windows_are_found_by_the_refit(noisy: ec.Study) -> None:
    """Without the noise the scores are predicted better, on the same recordings and people.

    All windows give what `fit` gives; everyone whose windows are all beyond the limit is out.
    """
    result = ec.pipeline.sensitivity(noisy, "cains", "face_sharpness", thresholds=(25, 1000))
    table = pd.read_csv(result.written[0], dtype={"target": str})
    assert list(table.columns) == list(COLUMNS)
    ec.pipeline.fit(noisy, "cains")
    fitted = pd.read_csv(noisy.model_dir("cains") / "performance.csv")
    by_limit = {t: rows.set_index("metric") for t, rows in table.groupby("threshold", dropna=False)}
    whole, sharp, none = (by_limit[key] for key in sorted(by_limit, key=lambda t: (t == t, t)))
    for metric in ("pearson", "ccc", "mae"):
        (same,) = fitted[
            (fitted["target"] == whole.loc[metric, "target"])
            & (fitted["metric"] == metric)
            & (fitted["model"] == "ridge")
        ].to_dict("records")
        for column in ("value", "ci_low", "ci_high"):
            assert whole.loc[metric, column] == pytest.approx(same[column])
        assert whole.loc[metric, "value_all_windows"] == pytest.approx(same["value"])
    assert set(sharp["n_participants"]) == {23}
    assert sharp.loc["ccc", "value"] > sharp.loc["ccc", "value_all_windows"] + 0.2
    assert sharp.loc["mae", "value"] < sharp.loc["mae", "value_all_windows"]
    assert none["value"].isna().all()
    assert set(none["note"]) == {"no window is left"}
    (lost,) = result.exclusions.to_dict("records")
    assert lost["reason"] == "at 1000: no window is left"


def test_a_second_refit_does_nothing(noisy: ec.Study) -> None:
    """Equal inputs, equal bytes; other limits are fitted."""
    first = ec.pipeline.sensitivity(noisy, "cains", "face_fraction", thresholds=(0.5,))
    content = first.written[0].read_bytes()
    again = ec.pipeline.sensitivity(noisy, "cains", "face_fraction", thresholds=(0.5,))
    assert again.message == "up to date."
    assert again.written[0].read_bytes() == content
    other = ec.pipeline.sensitivity(noisy, "cains", "face_fraction", thresholds=(0.6,))
    assert other.message != "up to date."


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: ec.pipeline.sensitivity(s, "cains", "sharpness"), "Did you mean face_sharp"),
        (
            lambda s: ec.pipeline.sensitivity(s, "cains", "face_fraction", thresholds=(2,)),
            "--at 2; allowed: 0 to 1",
        ),
        (
            lambda s: ec.pipeline.sensitivity(s, "cains", "face_brightness", thresholds=(0.2,)),
            "both ends of face_brightness can be bad",
        ),
        (
            lambda s: ec.pipeline.sensitivity(s, "cains", "face_fraction", targets=("totl",)),
            "target = 'totl'.*Allowed: ",
        ),
    ],
)
def test_wrong_questions_are_said(
    noisy: ec.Study, ask: Callable[[ec.Study], object], message: str
) -> None:
    """With what is allowed."""
    with pytest.raises(SettingsError, match=message):
        ask(noisy)


def test_a_study_that_was_encoded_before_windows_were_measured_says_so(tmp_path: Path) -> None:
    """And what to do."""
    study = make_study(tmp_path / "study", 8)
    with pytest.raises(StudyError, match=r"quality_windows\.csv is not there.*encode FOLDER"):
        ec.pipeline.quality(study)


def test_the_command_shows_both(noisy: ec.Study) -> None:
    """Alone the overview, with a scale and a measure the fits; one of the two is an error."""
    code, text = type_command(noisy, "quality")
    assert code == 0
    assert "min 25" in text
    code, text = type_command(
        noisy, "quality", "--scale", "cains", "--measure", "face_sharpness", "--at", "25"
    )
    assert code == 0
    assert "models/cains/quality_face_sharpness.csv" in text
    code, text = type_command(noisy, "quality", "--scale", "cains")
    assert code == 1
    assert "--scale and --measure go together" in text


def test_every_measure_has_a_meaning_and_a_name() -> None:
    """In the dictionary, and in the report's English words."""
    from emoclip_clinic.report.texts import read_texts
    from emoclip_clinic.resources import find, read_toml

    meanings = read_toml(find("templates/exports", "quality"))["columns"]
    names = read_texts("en").table("measures")
    for measure in MEASURES:
        assert measure.name in meanings
        assert measure.name in names


def test_what_has_no_frames_is_no_window(tmp_path: Path) -> None:
    """A gap, what is nobody's turn and a whole recording are left out, and are no windows."""
    protocol = EncodingProtocol(rate_hz=5, window_frames=5, stride_frames=5)
    times_s = np.concatenate([np.arange(20), np.arange(60, 90)]) / 10
    planned = plan(times_s, protocol, [(0.0, 1.0), (1.5, 9.0)])
    rows = [
        ("a", number, one.start_s, one.stop_s, one.n_frames, 1.0, False,
         "excluded" if one.reason else "used", one.reason)
        for number, one in enumerate(planned.segments)
    ]  # fmt: skip
    rows += [
        ("a", 9, 9.0, 10.0, 5, 0.4, False, "excluded", "yaw: 0.4; allowed: 0.3 or less"),
        ("a", 10, 10.0, 11.0, 5, 0.5, False, "excluded", "yaw: 0.5; allowed: 0.3 or less"),
        ("b", 0, 0.0, 30.0, 0, np.nan, False, "excluded", "no frame decodes"),
    ]
    segments = pd.DataFrame(rows, columns=list(SEGMENT_COLUMNS))
    # 0 to 1, 6 to 7, 7 to 8 and 8 to 9 s; from 1.5 to 2 s there is half a window or more
    assert segments["status"].eq("used").sum() == 5
    assert left_out_windows(segments).to_numpy().tolist() == [["yaw; allowed: 0.3 or less", 2, 1]]
    assert sorted(left_out_parts(segments, {"b"})) == [
        f"1 part of a: {GAP}",
        f"1 part of a: {OUTSIDE}",
        "2 windows of a: yaw; allowed: 0.3 or less",
    ]
