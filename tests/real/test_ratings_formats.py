"""Every table of ratings that other people published: read rightly, or refused with the cure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from emoclip_clinic import ratings, ratings_files
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scale import Item, Prorating, Scale
from emoclip_clinic.scoring import score
from emoclip_clinic.settings import RatingsSettings
from tests.rating_scales import BPRS, HAMD17, HAMD28, PHQ9, make_scale

DS000030 = "bids/ds000030/phenotype/"
LONGER = {f"hamilton{code}": "" for code in ("18a", "18b", *range(19, 29))}
SENTINEL = (-9999.0,)


def one(label: str, low: float, high: float, code: str = "1") -> Scale:
    return make_scale("x", [Item(code, label, low, high)])


def of(scale_id: str, *maxima: int) -> Scale:
    return make_scale(scale_id, [Item(str(n), "", 0, top) for n, top in enumerate(maxima, start=1)])


def read(
    shared: Path, path: str, scale: Scale, rules: dict[str, Any]
) -> tuple[pd.DataFrame, list[str]]:
    settings, notes = RatingsSettings(**rules), list[str]()
    table = ratings.read_ratings(
        shared / "formats" / path,
        scale,
        notes.append,
        settings,
        lambda file: ratings_files.read(file, scale, settings, shared / "formats"),
    )
    return table, notes


@dataclass(frozen=True)
class Good:
    """A table that is read, and where its ratings stand."""

    path: str
    scale: Scale
    id: str
    columns: tuple[str, ...]
    rules: dict[str, Any] = field(default_factory=dict)


def redcap(folder: str, **rules: Any) -> dict[str, Any]:
    return {"dictionary": f"redcap/{folder}/dictionary.csv", **rules}


def numbered(pattern: str, n_items: int) -> tuple[str, ...]:
    return tuple(pattern.format(n) for n in range(1, n_items + 1))


PHQ_RULES = {
    "participant": "ObservationID",
    "columns": {f"Item{n}_num": str(n) for n in range(1, 10)},
}
SPSS = {"participant": "mychar", "date": "mydate"}
LABELLED = make_scale("x", [Item("1", "labeled", 1, 2), Item("2", "ordinal", 1, 3)])
MAPPED = {**SPSS, "columns": {"mylabl": "1", "myord": "2"}}
ACE = of("ace", *[1] * 10)
ACE_COLUMNS = (*numbered("b_ace_q{}", 5), "tesi_s_165", *numbered("b_ace_q{}", 9)[6:], "ceahd15")

GOOD = [
    Good(DS000030 + "bprs.tsv", BPRS, "participant_id", numbered("bprs{}", 24)),
    Good(
        "bids/pheno004/phenotype/ace.tsv", ACE, "participant_id", ACE_COLUMNS,
        {"columns": {"tesi_s_165": "6", "ceahd15": "10"}},
    ),
    Good(
        "bids/eeg_ds003645s_hed_demo/phenotype/KSSSleep.tsv", one("Karolinska sleepiness", 1, 10),
        "participant_id", ("kss_scale",), {"sessions": {"n/a": "01"}},
    ),
    Good(
        "scales/PHQ9_data.first1000.csv", PHQ9, "ObservationID", numbered("Item{}_num", 9),
        PHQ_RULES,
    ),
    Good(
        "redcap/longitudinal/data.csv", of("pmq", 3, 5, 1, 2), "study_id", numbered("pmq{}", 4),
        redcap("longitudinal"),
    ),
    Good(
        "redcap/repeating-instruments/data.csv", one("", 0, 300, "systolic"), "record_id",
        ("bp_systolic",), redcap("repeating-instruments", columns={"bp_systolic": "systolic"}),
    ),
    Good(
        "redcap/checkboxes-1/data.csv", one("", 0, 1), "record_id", ("check_one___1",),
        redcap("checkboxes-1", columns={"check_one___1": "1"}),
    ),
    *(
        Good(f"redcap/{folder}/data.csv", one(label, 0, 2), "record_id", columns, redcap(folder))
        for folder, label, columns in (
            ("clinical-trial-1", "gender", ("gender",)),
            ("simple", "Ethnicity", ("ethnicity",)),
            ("blank-for-gray-status", "Gender", ("sex",)),
        )
    ),
    *(
        Good(f"spss/pyreadstat/{name}", LABELLED, "mychar", ("mylabl", "myord"), SPSS)
        for name in ("sample.sav", "sample.zsav", "sample.por", "sample_missing.sav")
    ),
    Good("spss/pyreadstat/sample.csv", LABELLED, "mychar", ("mylabl", "myord"), MAPPED),
    Good(
        "spss/pyreadstat/test_width.sav", one("", 1, 2), "ResponseId", ("Finished",),
        {"participant": "ResponseId", "columns": {"Finished": "1"}},
    ),
    Good(
        "excel/messy_uc.xlsx", make_scale("mes", [Item("start", "start_mes", 0, 3)]), "pat_id",
        ("start_mes",), {"participant": "pat_id", "header_row": 7, "sheet": "Data"},
    ),
    Good(
        "excel/nonstandard-xml-ns-prefix.xlsx", one("b", 1, 9), "a", ("b",), {"participant": "a"}
    ),
    Good(
        "excel/no-styles-or-sharedStrings-parts.xlsx", one("Age", 18, 99), "Language", ("Age",),
        {"participant": "Language", "duplicates": "first"},
    ),
]  # fmt: skip


def raw(path: Path, good: Good) -> pd.DataFrame:
    """Read the items of a table by the libraries alone: index id, a column an item."""
    if path.suffix in (".csv", ".tsv"):
        separator = "\t" if path.suffix == ".tsv" else ","
        table = pd.read_csv(path, sep=separator, dtype={good.id: str}, na_values="n/a")
    elif path.suffix == ".xlsx":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles that openpyxl does not keep
            header = good.rules.get("header_row", 1) - 1
            sheet = good.rules.get("sheet", 0)
            table = pd.read_excel(path, sheet, header=header, dtype={good.id: str})
    elif path.suffix == ".por":
        table = pyreadstat.read_por(path)[0].rename(columns=str.lower)
    else:
        table = pyreadstat.read_sav(path)[0]
    table = table.dropna(subset=list(good.columns), how="all")
    if good.rules.get("duplicates") == "first":
        table = table.drop_duplicates(good.id)
    ids = table[good.id].astype(str).str.removeprefix("sub-")
    return table.set_index(ids)[list(good.columns)].astype(float)


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.path)
def test_what_can_be_read_is_read(shared: Path, good: Good) -> None:
    """Everyone has the ratings that stand in the file, visit by visit, and no others."""
    table, _ = read(shared, good.path, good.scale, good.rules)
    expected = raw(shared / "formats" / good.path, good).stack().dropna()
    found = table.groupby("participant")["value"].apply(sorted).to_dict()
    assert found == expected.groupby(level=0).apply(sorted).to_dict()


PLAIN = of("x", 9)
REFUSED = [
    (DS000030 + "hamilton.tsv", HAMD28, {}, "-9999 occurs 33 times: if it means 'not rated'"),
    (DS000030 + "hamilton.tsv", HAMD28, {"missing": SENTINEL}, "hamilton16a and hamilton16b at"),
    (DS000030 + "hamilton.tsv", HAMD17, {}, 'columns = {"hamilton18b" = ""'),
    ("bids/pheno004/phenotype/demographics.tsv", PLAIN, {}, "there is no rating of X yet"),
    ("bids/eeg_ds003645s_hed_demo/phenotype/KSSSleep.tsv", one("Karolinska sleepiness", 1, 10), {},
     'sessions = {"n/a" = "01"}'),
    ("bids/tiny_bids/participants.tsv", PLAIN, {}, "there is no rating of X yet"),
    ("bids/synthetic/sub-01_sessions.tsv", PLAIN, {}, 'participant = "HEADING"'),
    ("scales/PHQ9_data.first1000.csv", PHQ9, {}, 'participant = "HEADING"'),
    ("scales/PHQ9_data.first1000.csv", PHQ9, {"participant": "ObservationID"},
     "Most ratings are words (Not at all, Several days, More than half, Almost every day)"),
    ("redcap/longitudinal/data.csv", of("pmq", 3, 5, 1, 2), redcap("simple"), "another project"),
    ("redcap/longitudinal/data.csv", of("pmq", 3, 5, 1, 2), redcap("longitudinal", rater="email"),
     "marks it as an identifier"),
    ("redcap/decimal-comma-and-dot/data.csv", one("", 0, 3),
     redcap("decimal-comma-and-dot", columns={"height_comma": "1"}), "a decimal takes a point"),
    ("redcap/nonnumeric-record-id/data.csv", PLAIN, redcap("nonnumeric-record-id"),
     "there is no rating of X yet"),
    ("redcap/validation-types-1/data.csv", PLAIN, redcap("validation-types-1"),
     "there is no rating of X yet"),
    ("redcap/simple/data.csv", one("Gender", 0, 1), redcap("simple"),
     "yes or no"),
    ("spss/pyreadstat/sample_missing.csv", LABELLED, MAPPED, 'missing = ["#NULL!"]'),
    *((f"spss/{name}.sav", PLAIN, {}, 'participant = "HEADING"') for name in (
        "haven/labelled-num-na", "haven/labelled-str", "haven/labelled-num", "haven/umlauts",
        "haven/variable-label", "pyreadstat/missing_test", "pyreadstat/ordered_category",
    )),
    ("excel/deaths.xlsx", one("Age", 0, 99), {}, "write header_row = 5"),
    ("excel/deaths.xlsx", PLAIN, {"sheet": "arts", "header_row": 4}, "B4:E4 are merged"),
    ("excel/deaths.xlsx", one("Date of birth", 0, 99),
     {"sheet": "arts", "header_row": 5, "participant": "Name"}, "cell E6: X item 1 = 1947-01-08"),
    ("excel/type-me.xlsx", one("maybe a datetime?", 0, 9),
     {"sheet": "date_coercion", "participant": "explanation"}, "cell A3: X item 1 = 2016-05-23"),
    ("excel/type-me.xlsx", PLAIN, {}, "sheet = \"NAME\""),
    ("excel/unnamed-duplicated-columns.xlsx", PLAIN, {"participant": "var2"}, "2 columns var2"),
    ("excel/skipping.xlsx", PLAIN, {}, "write header_row = 3"),
    ("excel/style-only-cells.xlsx", PLAIN, {}, 'participant = "HEADING"'),
    ("excel/utf8-sheet-names.xlsx", PLAIN, {}, "there are µ, ∂"),
    ("excel/messy_uc.xlsx", PLAIN, {}, "write header_row = 7"),
    ("excel/messy_uc.xlsx", one("end_na", 0, 200), {"participant": "pat_id", "header_row": 7},
     "-99 occurs 1 time"),
    ("excel/messy_aki.xlsx", PLAIN, {}, "write header_row = 5"),
    ("excel/messy_aki.xlsx", one("DAY2GFR`", 0, 99), {"participant": "study_id", "header_row": 5},
     "cell I7: X item 1 = 19 but poor collecti..."),
    ("raters/pygamma/AlexPaulSuzan.csv", PLAIN, {}, 'participant = "HEADING"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "scale", "rules", "said"), REFUSED, ids=lambda value: str(value)[:40]
)
def test_what_cannot_be_read_names_the_cure(
    shared: Path, path: str, scale: Scale, rules: dict[str, Any], said: str
) -> None:
    """One message, which says what to do."""
    with pytest.raises(RatingsError) as caught:
        read(shared, path, scale, rules)
    assert said in str(caught.value)


def test_the_messy_files_keep_their_identifiers_to_themselves(shared: Path) -> None:
    """Names, addresses and birth dates of REDCap's invented patients are in no sheet."""
    settings = RatingsSettings(**redcap("clinical-trial-1"))
    folder = shared / "formats"
    path = folder / "redcap/clinical-trial-1/data.csv"
    sheet = ratings_files.read(path, one("gender", 0, 1), settings, folder)
    private = pd.read_csv(path, dtype=str)[["name_last", "name_first", "address", "phone", "dob"]]
    cells = {cell for _, row in sheet.rows for cell in row}
    assert not cells & set(private.to_numpy().ravel())
    assert set(private.columns).isdisjoint(sheet.header)


def test_bprs_composites_are_those_of_the_authors(shared: Path) -> None:
    """Means of the available items, as the dictionary of ds000030 says, in shuffled columns."""
    rule = Prorating(3, ("positive", "negative", "mania", "depanx"), "the data set's dictionary")
    scale = Scale(**{**vars(BPRS), "prorating": rule})
    table, notes = read(shared, DS000030 + "bprs.tsv", scale, {})
    complete = table.groupby("participant")["value"].agg(["count", "sum"]).query("count == 24")
    assert len(complete) == 139
    assert complete["sum"].mean() == pytest.approx(44.928058, abs=5e-7)
    made = score(table, scale).query("kind == 'subscale'")
    made = made.pivot(index="participant", columns="target", values="value")
    published = pd.read_csv(
        shared / "formats" / (DS000030 + "bprs.tsv"), sep="\t", index_col=0, na_values="n/a"
    )
    published.index = published.index.str.removeprefix("sub-")
    for name in rule.targets:
        expected = published.loc[made.index, f"bprs_{name}"].to_numpy()
        assert made[name].to_numpy() == pytest.approx(expected, abs=6e-8)
        assert f"bprs.tsv: bprs_{name} is as computed; ours is computed from the items" in notes
    assert "bprs.tsv: 130 of 272 rows have no rating of BPRS" in notes


def test_hamilton_totals_differ_where_the_file_counts_item_16_twice(shared: Path) -> None:
    """The file sums 16a and 16b, and counts n/a and -9999 as 0; we do neither, and say so."""
    rules = {"missing": SENTINEL, "columns": {**LONGER, "hamilton16b": ""}}
    table, notes = read(shared, DS000030 + "hamilton.tsv", HAMD17, rules)
    ours = score(table, HAMD17).query("kind == 'total'").set_index("participant")["value"]
    published = pd.read_csv(
        shared / "formats" / (DS000030 + "hamilton.tsv"), sep="\t", index_col=0, na_values="n/a"
    )
    published.index = published.index.str.removeprefix("sub-")
    published = published[published["hamd_17"].notna()]
    assert published["hamd_17"].sum() == 1401
    items = [f"hamilton{n}" for n in range(1, 18) if n != 16]
    whole = published[items].notna().all(axis=1)
    assert sorted(ours.index) == sorted(published.index[whole])
    second_way = published["hamilton16b"].replace(-9999, 0).fillna(0)
    expected = (published["hamd_17"] - second_way)[whole]
    assert ours.to_dict() == expected.to_dict()
    differing = int((second_way[whole] != 0).sum())
    assert differing > 0
    assert (
        f"hamilton.tsv: hamd_17 differs in {differing} of {whole.sum()} rows; in "
        f"{(~whole).sum()} rows items are missing and no total is made; ours is computed from the "
        "items"
    ) in notes


def test_sub_50006_has_the_total_of_its_items(shared: Path) -> None:
    """The facts of the README: 23 points on 17 items, with 16b not rated."""
    rules = {"missing": SENTINEL, "columns": {**LONGER, "hamilton16b": ""}}
    table, _ = read(shared, DS000030 + "hamilton.tsv", HAMD17, rules)
    assert table[table["participant"] == "50006"]["value"].sum() == 23


def test_33_sentinels_are_missing_by_the_rule(shared: Path) -> None:
    """In the columns 16b, 18b and 26; the rule makes them missing and not 0."""
    columns = {"hamilton16a": "", "hamilton18a": ""}
    table, notes = read(
        shared, DS000030 + "hamilton.tsv", HAMD28, {"missing": SENTINEL, "columns": columns}
    )
    assert "hamilton.tsv: -9999 means 'not rated' in 33 cells" in notes
    assert table["value"].min() == 0
    assert "50006" not in set(table.query("item == '16'")["participant"])


def test_the_phq9_file_that_was_pasted_three_times(shared: Path) -> None:
    """Rows 1-72 recur under new ids at 73 and 151 (the header is row 1); totals are the sums."""
    _, notes = read(shared, "scales/PHQ9_data.first1000.csv", PHQ9, PHQ_RULES)
    pasted = [text for text in notes if "pasted twice" in text]
    assert "rows 74-145 have the ratings of rows 2-73" in pasted[0]
    assert "rows 152-" in pasted[1]
    assert any("SumScore is as computed" in text for text in notes)
