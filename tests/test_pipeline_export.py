"""What is shared of a study holds no name, no path and no free text, and the same numbers."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic import features, pipeline
from emoclip_clinic.errors import StudyError
from emoclip_clinic.pipeline.sources import read_rated
from emoclip_clinic.resources import find
from emoclip_clinic.study import Study
from tests.encoded_study import make_study

PREFIX, RATERS = "Quillfeather", ("dr_marlowe", "Bront\u00eb")
PLACE = "/home/jroe/Interviews of Jane Roe"
REMARK, PHONE = "calls his sister Ottoline", "+49 30 1234567"
DATED = "2024-01-31"


def spoil(study: Study) -> None:
    """Put into a study what must not be shared: paths, dates, remarks, a phone number, formulas."""
    recordings = pd.read_csv(study.recordings_csv, dtype=str, keep_default_na=False)
    recordings["path"] = [f"{PLACE}/{name}.mp4" for name in recordings["recording"]]
    recordings["sha256"] = [
        hashlib.sha256(name.encode()).hexdigest() for name in recordings["path"]
    ]
    recordings.to_csv(study.recordings_csv, index=False)
    people = pd.read_csv(study.participants_csv).assign(phone=PHONE)
    people["site"] = people["site"].map({"A": '=HYPERLINK("http://a.example")', "B": "B"})
    people.loc[0, "age"] = 95
    people.to_csv(study.participants_csv, index=False)
    ratings = pd.read_csv(study.path / "ratings.csv", dtype=str)
    ratings = ratings.assign(date=DATED, remarks=REMARK)
    ratings.to_csv(study.path / "ratings.csv", index=False)
    places = {"folder": "Tapes of Jane", "photo": "jane_roe.jpg", "others": ["/data/jroe"]}
    study.record(study.stamp("ingest", [], places), [study.recordings_csv])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Fit and compare once; the study holds every kind of thing that must not be shared."""
    folder = tmp_path_factory.mktemp("share") / "study"
    study = make_study(
        folder, 16, n_twice=2, fit="repeats = 1\npermutations = 0", prefix=PREFIX, raters=RATERS
    )
    with (folder / "study.toml").open("a") as file:
        file.write("[agree]\nresamples = 100\n")
    spoil(study)
    study = Study(folder)
    pipeline.fit(study, "cains")
    pipeline.agree(study, "cains")
    return study


@pytest.fixture
def study(fitted: Study, tmp_path: Path) -> Study:
    return Study(shutil.copytree(fitted.path, tmp_path / "study"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "key"


def unpacked(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def secrets_of(study: Study) -> Iterator[str]:
    recordings = pd.read_csv(study.recordings_csv, dtype=str)
    yield from (
        PREFIX,
        *RATERS,
        "Interviews of",
        "Tapes of",
        "jroe",
        "jane_roe",
        REMARK,
        "Ottoline",
        PHONE,
        DATED,
    )
    yield from recordings["sha256"]
    yield from recordings["recording"]
    yield str(study.path)
    yield platform.node()


def test_no_byte_of_a_bundle_tells_who_where_or_when(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """Ids, raters, paths, hashes, dates, remarks, the machine: in no file, no header, no name."""
    pipeline.export(study, tmp_path / "bundle.zip", key=key)
    content = (tmp_path / "bundle.zip").read_bytes()
    # nothing in the archive is compressed, so that its bytes are those of its files
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
    for secret in secrets_of(study):
        assert secret.encode() not in content, secret
        assert json.dumps(secret)[1:-1].encode() not in content, secret


def test_the_search_finds_ids_that_are_kept(study: Study, tmp_path: Path) -> None:
    """With --keep-ids ids are there, and what is no id is still left out."""
    pipeline.export(study, tmp_path / "bundle.zip", keep_ids=True)
    content = (tmp_path / "bundle.zip").read_bytes()
    for name in (PREFIX, *RATERS):
        assert name.encode() in content
    for secret in (PLACE, REMARK, PHONE, DATED, str(study.path)):
        assert secret.encode() not in content, secret


def test_equal_studies_give_equal_bytes(study: Study, tmp_path: Path, key: Path) -> None:
    """The bundle is a function of study and key; another key gives other codes."""
    for name in ("one.zip", "two.zip"):
        pipeline.export(study, tmp_path / name, key=key)
    pipeline.export(study, tmp_path / "three.zip", key=tmp_path / "other")
    one, two, three = (tmp_path / f"{name}.zip" for name in ("one", "two", "three"))
    assert one.read_bytes() == two.read_bytes()
    people = [
        {row["participant"] for row in rows(unpacked(path)["participants.csv"])}
        for path in (one, three)
    ]
    assert not people[0] & people[1]


def test_the_crosswalk_leads_back_to_the_same_numbers(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """Every prediction and every vector is there, and is the same person's."""
    pipeline.export(study, tmp_path / "bundle", key=key, crosswalk=True)
    crosswalk = pd.read_csv(key.with_name("key_study.csv"), dtype=str)
    assert key.with_name("key_study.csv").stat().st_mode & 0o777 == 0o600
    back = {kind: dict(zip(part["code"], part["id"], strict=True))
            for kind, part in crosswalk.groupby("kind")}  # fmt: skip
    keys = ["recording", "target", "model"]
    ours = pd.read_csv(study.predictions_csv("cains"), dtype=str).sort_values(keys)
    theirs = pd.read_csv(tmp_path / "bundle" / "predictions" / "cains.csv", dtype=str)
    theirs["recording"] = theirs["recording"].map(back["recording"])
    theirs["participant"] = theirs["participant"].map(back["participant"])
    pd.testing.assert_frame_equal(
        theirs.sort_values(keys).reset_index(drop=True), ours.reset_index(drop=True)
    )
    shared = sorted((tmp_path / "bundle" / "features" / "emoclip-demo").glob("*.safetensors"))
    assert len(shared) == 18
    for path in shared:
        original = (
            study.features_dir("emoclip-demo") / f"{back['recording'][path.stem]}.safetensors"
        )
        np.testing.assert_array_equal(features.read(path).vectors, features.read(original).vectors)


def test_rows_do_not_stand_in_the_order_of_the_names(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """Ids sort as people were seen, or as they are called: the order would tell."""
    pipeline.export(study, tmp_path / "bundle.zip", key=key)
    files = unpacked(tmp_path / "bundle.zip")
    for name in ("participants.csv", "recordings.csv", "models/cains/splits.csv",
                 "predictions/cains.csv", "ratings/cains.csv"):  # fmt: skip
        people = [row["participant"] for row in rows(files[name])]
        assert people == sorted(people), name


def test_a_copy_is_a_study_with_the_same_agreement(study: Study, tmp_path: Path, key: Path) -> None:
    """Statistics do not depend on what people are called: computed anew they are the same."""
    pipeline.pseudonymise(study, tmp_path / "copy", key=key)
    copy = Study(tmp_path / "copy")
    assert len(read_rated(copy, "cains").ratings) == len(read_rated(study, "cains").ratings)
    pipeline.agree(copy, "cains")
    tables = [pd.read_csv(one.agreement_csv("cains")) for one in (study, copy)]
    keys = ["target", "comparison", "statistic"]
    values = []
    for table in tables:
        among = table[table["comparison"].isin(["rater-rater", "model-consensus"])]
        among = among[among["rater_a"].isin(["all", "model"])]
        values.append(among.set_index(keys)["value"].sort_index())
    assert len(values[0]) > 50
    pd.testing.assert_series_equal(*values, rtol=1e-9)


def test_what_is_left_out_is_listed(study: Study, tmp_path: Path, key: Path) -> None:
    """On the screen by name, in the bundle without: a heading may name somebody."""
    result = pipeline.export(study, tmp_path / "bundle.zip", key=key)
    seen = " ".join(result.exclusions["id"])
    for heading in ("phone", "remarks", "date"):
        assert heading in seen
    files = unpacked(tmp_path / "bundle.zip")
    listed = rows(files["left_out.csv"])
    assert {"participants.csv", "ratings/cains.csv"} <= {row["file"] for row in listed}
    assert any("free text" in row["reason"] for row in listed)
    assert set(rows(files["participants.csv"])[0]) == {"participant", "site", "age", "sex"}
    assert set(rows(files["ratings/cains.csv"])[0]) == {
        "participant", "session", "rater", "scale", "item", "value",
    }  # fmt: skip
    assert [row["age"] for row in rows(files["participants.csv"])].count("") == 1


def test_what_was_fitted_beside_the_listed_scales_goes_along(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """study.toml need not list a scale that a command named; who is locked away stays so."""
    settings = (study.path / "study.toml").read_text()
    (study.path / "study.toml").write_text(settings.replace('"cains"', '"cdss"'))
    (study.path / "holdout.csv").write_text(f"participant\n{PREFIX}002\n")
    pipeline.export(Study(study.path), tmp_path / "bundle.zip", key=key)
    files = unpacked(tmp_path / "bundle.zip")
    assert rows(files["ratings/cains.csv"])
    assert "protocols/scales/cains.toml" in files
    (locked,) = rows(files["holdout.csv"])
    assert locked["participant"] in {row["participant"] for row in rows(files["recordings.csv"])}


def test_a_column_can_be_shared_on_request(study: Study, tmp_path: Path, key: Path) -> None:
    """What an author says is harmless goes along."""
    pipeline.export(study, tmp_path / "bundle.zip", key=key, keep=["phone"])
    assert PHONE in rows(unpacked(tmp_path / "bundle.zip")["participants.csv"])[0]["phone"]


def test_a_column_that_is_not_there_cannot_be_kept(study: Study, tmp_path: Path, key: Path) -> None:
    """A misspelt name would be left out without a word."""
    with pytest.raises(StudyError, match=r"--keep phon: .*Did you mean phone"):
        pipeline.export(study, tmp_path / "bundle.zip", key=key, keep=["phon"])


def test_a_table_that_was_changed_by_hand_is_left_out(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """Numbers that no command made are not passed on as its own; older predictions are said."""
    path = study.predictions_csv("cains")
    path.write_text(path.read_text().replace("ridge,", "ridge,1", 1))
    ratings = study.path / "ratings.csv"
    ratings.write_text("\n".join(ratings.read_text().splitlines()[:-1]) + "\n")
    result = pipeline.export(Study(study.path), tmp_path / "bundle.zip", key=key)
    files = unpacked(tmp_path / "bundle.zip")
    assert "predictions/cains.csv" not in files
    left_out = {row["file"]: row["reason"] for row in rows(files["left_out.csv"])}
    assert "changed" in left_out["predictions/cains.csv"]
    assert any("ratings have changed" in note for note in result.notes)


def test_no_cell_is_a_formula(study: Study, tmp_path: Path, key: Path) -> None:
    """A spreadsheet runs a cell that begins with =: it gets an apostrophe; numbers stay."""
    pipeline.export(study, tmp_path / "bundle.zip", key=key)
    n_negative = 0
    for name, content in unpacked(tmp_path / "bundle.zip").items():
        if name.endswith(".csv"):
            for row in rows(content):
                for cell in row.values():
                    if cell[:1] in {"=", "+", "-", "@"}:
                        float(cell)
                        n_negative += 1
    assert n_negative
    sites = {row["site"] for row in rows(unpacked(tmp_path / "bundle.zip")["participants.csv"])}
    assert sites == {"B", '\'=HYPERLINK("http://a.example")'}


def test_the_manifest_vouches_for_every_file(study: Study, tmp_path: Path, key: Path) -> None:
    """Each file but itself is listed with its hash and what it is, each column with its meaning."""
    pipeline.export(study, tmp_path / "bundle.zip", key=key)
    files = unpacked(tmp_path / "bundle.zip")
    manifest = json.loads(files.pop("manifest.json"))
    assert {one["path"] for one in manifest["files"]} == set(files)
    for one in manifest["files"]:
        assert hashlib.sha256(files[one["path"]]).hexdigest() == one["sha256"]
        assert one["what"], one["path"]
    known = {(row["file"], row["column"]) for row in rows(files["data_dictionary.csv"])}
    papers = {"data_dictionary.csv", "left_out.csv"}
    for name in set(files) - papers:
        if name.endswith(".csv"):
            header = next(csv.reader(io.StringIO(files[name].decode())))
            assert {(name, column) for column in header} <= known


def test_what_is_written_is_for_its_owner(study: Study, tmp_path: Path, key: Path) -> None:
    """Who shares it says so by hand."""
    pipeline.export(study, tmp_path / "bundle.zip", key=key)
    pipeline.export(study, tmp_path / "bundle", key=key)
    assert (tmp_path / "bundle.zip").stat().st_mode & 0o777 == 0o600
    for path in (tmp_path / "bundle").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_name_in_a_text_that_is_copied_stops_the_export(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """A protocol of one's own is copied as it is: a name in it is found, and nothing is left."""
    own = study.path / "protocols" / "scales" / "cains.toml"
    own.parent.mkdir(parents=True)
    shipped = find("protocols/scales", "cains").read_text(encoding="utf-8")
    own.write_text(f"# first used with {PREFIX}003\n{shipped}", encoding="utf-8")
    with pytest.raises(StudyError, match=f"cains.toml, line 1 holds '{PREFIX}003'"):
        pipeline.export(study, tmp_path / "bundle.zip", key=key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study"]
    own.unlink()
    pipeline.export(study, tmp_path / "bundle.zip", key=key)
    before = (tmp_path / "bundle.zip").read_bytes()
    own.write_text(f"# from {PLACE}\n{shipped}", encoding="utf-8")
    with pytest.raises(StudyError, match="/home/j"):
        pipeline.export(study, tmp_path / "bundle.zip", key=key, force=True)
    assert (tmp_path / "bundle.zip").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.zip", "keys", "study"]


def test_nothing_is_written_over_and_nothing_into_the_study(
    study: Study, tmp_path: Path, key: Path
) -> None:
    """A bundle is replaced with --force only, anything else never, the study least of all."""
    output = tmp_path / "bundle"
    pipeline.export(study, output, key=key)
    with pytest.raises(StudyError, match="exists"):
        pipeline.export(study, output, key=key)
    pipeline.export(study, output, key=key, force=True)
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.txt").write_text("mine")
    with pytest.raises(StudyError, match="no bundle"):
        pipeline.export(study, thesis, key=key, force=True)
    with pytest.raises(StudyError, match="in the study"):
        pipeline.export(study, study.path / "bundle.zip", key=key)
    for folder in (study.path, tmp_path):
        with pytest.raises(StudyError, match="study itself"):
            pipeline.export(study, folder, key=key, force=True)
    assert (thesis / "chapter.txt").read_text() == "mine"
    pipeline.export(study, study.path / "bundle.zip", key=key, force=True)


def test_the_key_stays_out_of_what_is_shared(study: Study, tmp_path: Path) -> None:
    """Neither in the study nor in the bundle."""
    for key in (study.path / "key", tmp_path / "bundle" / "key"):
        with pytest.raises(StudyError, match="lies in"):
            pipeline.export(study, tmp_path / "bundle", key=key)
    with pytest.raises(StudyError, match="no crosswalk"):
        pipeline.export(study, tmp_path / "bundle", keep_ids=True, crosswalk=True)
    assert not (tmp_path / "bundle").exists()


def titled(study: Study, title: str) -> Study:
    """Write a title into study.toml."""
    settings = study.path / "study.toml"
    line = f"[study]\ntitle = {json.dumps(title)}\n"
    settings.write_text(settings.read_text().replace("[study]\n", line))
    return Study(study.path)


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Pilot of quillfeather 003", "quillfeather 003"),
        ("Rated by Dr. Marlowe", "Dr. Marlowe"),
        ("With BRONTE", "BRONTE"),
        ("Cohort of 05.03.2024", "05.03.2024"),
        ("Talks, 5 March 2024", "5 March 2024"),
        ("Sub Quillfeather002 ses 01.mp4", "Sub Quillfeather002 ses 01.mp4"),
        ("The first talk, of Ottoline", "first talk, of Ottoline"),
    ],
)
def test_a_title_that_tells_who_or_when_is_refused(
    study: Study, tmp_path: Path, key: Path, title: str, told: str
) -> None:
    """However it is written: the place, what was found and the cure are said, and nothing made."""
    recordings = pd.read_csv(study.recordings_csv, dtype=str, keep_default_na=False)
    recordings.loc[0, "path"] = "interviews/First talk of Ottoline.mp4"
    recordings.to_csv(study.recordings_csv, index=False)
    pilot = titled(study, title)
    for share in (pipeline.export, pipeline.pseudonymise):
        with pytest.raises(StudyError, match=f"the title holds '{told}'.*--title TEXT"):
            share(pilot, tmp_path / "bundle", key=key)
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_title_of_its_own_goes_along_and_is_said(study: Study, tmp_path: Path, key: Path) -> None:
    """The bundle has it in place of the study's; the screen and LEAVES.md ask somebody to read."""
    pilot = titled(study, f"Pilot of {PREFIX}001")
    result = pipeline.export(pilot, tmp_path / "bundle.zip", key=key, title="A pilot of 2024")
    assert any("the title 'A pilot of 2024': check" in note for note in result.notes)
    files = {name: content.decode() for name, content in unpacked(tmp_path / "bundle.zip").items()
             if name.endswith((".md", ".toml"))}  # fmt: skip
    assert files["README.md"].startswith("# A pilot of 2024\n")
    assert 'title = "A pilot of 2024"' in files["study.toml"]
    assert "- the title 'A pilot of 2024'" in files["LEAVES.md"]
    assert f"Pilot of {PREFIX}001" in (study.path / "study.toml").read_text()


def test_ids_may_stay_in_a_title_and_dates_may_not(study: Study, tmp_path: Path) -> None:
    """With --keep-ids the ids are meant to be seen."""
    pilot = titled(study, f"Pilot of {PREFIX}001")
    pipeline.export(pilot, tmp_path / "bundle.zip", keep_ids=True)
    with pytest.raises(StudyError, match="the title holds '20240305'"):
        pipeline.export(pilot, tmp_path / "other.zip", keep_ids=True, title="Pilot 20240305")


def test_every_other_text_is_searched_too(study: Study, tmp_path: Path, key: Path) -> None:
    """The institution, sites, headings and protocols; dates may stand in a column asked for."""
    people = pd.read_csv(study.participants_csv)
    people = people.assign(seen="2024-03-05")
    people.to_csv(study.participants_csv, index=False)
    pipeline.export(study, tmp_path / "bundle.zip", key=key, keep=["seen"])
    share = tmp_path / "other.zip"
    people.assign(site="Ward of DR MARLOWE").to_csv(study.participants_csv, index=False)
    with pytest.raises(StudyError, match="column 'site' holds 'DR MARLOWE'"):
        pipeline.export(study, share, key=key)
    people.assign(**{"by bronte": 1}).to_csv(study.participants_csv, index=False)
    with pytest.raises(StudyError, match="column 'by bronte' holds 'bronte'"):
        pipeline.export(study, share, key=key, keep=["by bronte"])
    people.to_csv(study.participants_csv, index=False)
    settings = study.path / "study.toml"
    settings.write_text(settings.read_text().replace("[study]", '[study]\ninstitution = "Bronte"'))
    with pytest.raises(StudyError, match="the institution holds 'Bronte'"):
        pipeline.export(Study(study.path), share, key=key)
    assert not share.exists()


def test_the_crosswalk_is_named_with_a_warning(study: Study, tmp_path: Path, key: Path) -> None:
    """It holds the real ids; and a copy, which has no LEAVES.md, does not speak of one."""
    result = pipeline.pseudonymise(study, tmp_path / "copy", key=key, crosswalk=True)
    table = key.with_name("key_study.csv")
    assert table in result.written
    assert any(note.startswith(f"{table} HOLDS THE REAL IDS") for note in result.notes)
    assert not any("LEAVES.md" in note for note in result.notes)
    assert not (tmp_path / "copy" / "LEAVES.md").exists()
