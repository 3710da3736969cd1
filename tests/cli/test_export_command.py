"""`export` and `pseudonymise` at the command line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from tests.command_line import Type


def test_export_makes_a_bundle_and_says_what_to_know(cli: Type, study: Path) -> None:
    """An encoded study without a fit can be shared; the last line names what was written."""
    answer = cli("export", "bundle.zip", "--study", study, "--key", "keys/key")
    assert answer.code == 0, answer.err
    assert "Wrote bundle.zip" in answer.err
    assert "a new key was made: keys/key" in answer.err
    assert "LEAVES.md" in answer.err
    with zipfile.ZipFile("bundle.zip") as archive:
        names = archive.namelist()
        assert json.loads(archive.read("manifest.json"))["ids"] == "codes (HMAC-SHA256)"
    assert {"README.md", "LEAVES.md", "recordings.csv", "ratings/cains.csv"} <= set(names)
    assert sum(name.endswith(".safetensors") for name in names) == 12


def test_a_key_is_used_again_and_an_older_bundle_replaced_on_request(
    cli: Type, study: Path
) -> None:
    """The second bundle is the first one again; without --force it is an error of one line."""
    words = ("export", "bundle.zip", "--study", study, "--key", "key")
    assert cli(*words).code == 0
    before = Path("bundle.zip").read_bytes()
    refused = cli(*words)
    assert refused.code == 1
    assert "--force" in refused.err
    again = cli(*words, "--force", "--json")
    assert again.code == 0
    assert again.json["coded"] is True
    assert Path("bundle.zip").read_bytes() == before


def test_pseudonymise_makes_a_study_that_can_be_fitted(cli: Type, study: Path) -> None:
    """`fit` reads the copy; nobody's id is in what it writes."""
    answer = cli("pseudonymise", "copy", "--study", study, "--key", "key", "--crosswalk")
    assert answer.code == 0, answer.err
    assert Path("key_study.csv").read_text().startswith("kind,id,code\nparticipant,P01,P-")
    assert "key_study.csv HOLDS THE REAL IDS" in answer.err
    assert "LEAVES.md" not in answer.err
    fitted = cli("fit", "--scale", "cains", "--study", "copy")
    assert fitted.code in (0, 3), fitted.err
    first, *rows = Path("copy/predictions/cains.csv").read_text().splitlines()
    assert first.startswith("participant,")
    assert rows
    assert all(row.startswith("P-") for row in rows)
    assert cli("pseudonymise", "copy.zip", "--study", study, "--key", "key").code == 1


def test_a_study_without_recordings_has_nothing_to_share(cli: Type) -> None:
    """The error says what to do first."""
    assert cli("init", "new").code == 0
    answer = cli("export", "bundle.zip", "--study", "new", "--key", "key")
    assert answer.code == 1
    assert "encode" in answer.err
    assert not Path("bundle.zip").exists()


def test_a_title_that_tells_who_is_refused_or_replaced(cli: Type, study: Path) -> None:
    """The error names the option that puts it right."""
    settings = study / "study.toml"
    settings.write_text(settings.read_text().replace("A small study", "Pilot of p 01, 5.3.2024"))
    words = ("export", "bundle", "--study", study, "--key", "key")
    refused = cli(*words)
    assert refused.code == 1
    assert "the title holds 'p 01', '5.3.2024'" in refused.err
    assert not Path("bundle").exists()
    answer = cli(*words, "--title", "A pilot")
    assert answer.code == 0, answer.err
    assert "goes along: the title 'A pilot': check" in answer.err
    assert Path("bundle/README.md").read_text().startswith("# A pilot\n")


def test_a_copy_says_that_it_has_no_recordings(cli: Type, study: Path) -> None:
    """And what can be done with it; no page is left without anybody on it."""
    assert cli("pseudonymise", "copy", "--study", study, "--key", "key").code == 0
    for words in (("review", "--faces", "haar"), ("encode", "not shared"), ("run",)):
        answer = cli(*words, "--study", "copy")
        assert answer.code == 1, words
        assert "shared copy, without its recordings" in answer.err
        assert "'fit', 'agree' and 'report' work in it" in answer.err
    assert not Path("copy/review").exists()
