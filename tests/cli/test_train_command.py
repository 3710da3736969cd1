"""`train` as it is typed, on clips of one colour each."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import safetensors.torch
import torch

from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.checkpoints import load_checkpoint, save_checkpoint
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.training.zeroshot import Sampling, embed_clip
from emoclip_clinic.video.clips import read_clip
from tests import clip_sets
from tests.child_processes import crash_on, linux_only
from tests.coloured_clips import COLOURS, TINY, write_clips
from tests.command_line import Type
from tests.videos import numbered_frames, write_video

TRAIN = ("train", "clips/manifest.csv", "--recipe", "clips/recipe.toml", "--output", "out")

# the signal comes from the process itself, so that no clock decides how far it had come
KILL_IN_STEP = """
import os, signal
from emoclip_clinic.training.trainer import Trainer
learn = Trainer._learn
def learn_or_die(self, *given):
    if self.step == int(os.environ["STOP_AT"]):
        os.kill(os.getpid(), int(os.environ["STOP_WITH"]))
    return learn(self, *given)
Trainer._learn = learn_or_die
"""
KILL_IN_SAVING = """
import os, signal, torch
save, saved = torch.save, []
def save_or_die(content, path):
    saved.append(path)
    save(content, path)
    if len(saved) == int(os.environ["STOP_AT"]):
        with open(path, "rb+") as file:
            file.truncate(1000)
        os.kill(os.getpid(), int(os.environ["STOP_WITH"]))
torch.save = save_or_die
"""


def typed(
    folder: Path, code: str, *more: str, at: int = 0, number: int = 0
) -> subprocess.CompletedProcess[str]:
    """Type `train` in a process of its own, after some code."""
    program = f"{code}\nfrom emoclip_clinic.cli import main; main()"
    own = {**os.environ, "STOP_AT": str(at), "STOP_WITH": str(number), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, *TRAIN, *more]
    return subprocess.run(command, capture_output=True, text=True, env=own, check=False, cwd=folder)


def results(folder: Path) -> dict[str, bytes]:
    names = ("manifest_recipe.safetensors", "steps.csv", "validation.csv", "recipe.json")
    return {name: (folder / name).read_bytes() for name in names}


def test_a_trained_encoder_knows_the_colours(cli: Type) -> None:
    """The file loads as an encoder, says where it comes from, and knows clips set apart."""
    manifest = write_clips(Path("clips"), epochs=14)
    answer = cli(*TRAIN, "--json")
    assert answer.code == 0, answer.err
    path = Path(answer.json["encoder"])
    encoder = load_encoder(path, device="cpu")
    assert encoder.architecture == TINY
    table = pd.read_csv(manifest)
    test = table[table["split"] == "test"]
    words = encoder.encode_text([f"a {name} clip" for name in COLOURS])
    for row in test.itertuples():
        frames = read_clip(manifest.parent / str(row.video), range(3))
        video = embed_clip(encoder, frames, Sampling(3, 1).windows(3))[0]
        nearest = encoder.similarity(torch.from_numpy(video)[None], words).argmax()
        assert list(COLOURS)[int(nearest)] == row.label
    steps = pd.read_csv("out/steps.csv")
    assert len(steps) == answer.json["n_steps"]
    assert steps["loss"].iloc[-1] < steps["loss"].iloc[0]
    # a fifth of the 32 people is held out, rounded up
    assert (answer.json["n_clips"], answer.json["n_validation"]) == (25, 7)
    best = pd.read_csv("out/validation.csv").query("best == 1")["loss"].min()
    assert answer.json["best"]["loss"] == pytest.approx(best)
    assert {"recipe", "start", "step", "torch", "trained_on"} <= set(encoder.metadata)
    assert json.loads(encoder.metadata["recipe"])["epochs"] == 14


def test_the_same_command_again_does_nothing(cli: Type) -> None:
    """All is there; with another recipe it is refused, and --restart begins again."""
    write_clips(Path("clips"), epochs=1)
    assert cli(*TRAIN).code == 0
    first = results(Path("out"))
    answer = cli(*TRAIN, "--json")
    assert answer.code == 0
    assert answer.json["up_to_date"]
    assert results(Path("out")) == first
    recipe = Path("clips/recipe.toml")
    recipe.write_text(recipe.read_text().replace("epochs = 1", "epochs = 2"))
    answer = cli(*TRAIN)
    assert answer.code == 1
    assert "epochs was 1, is 2" in answer.err
    assert cli(*TRAIN, "--restart").code == 0
    assert len(pd.read_csv("out/steps.csv")) == 2 * len(first["steps.csv"].splitlines()[1:])


def test_tensorboard_shows_what_the_tables_hold(cli: Type) -> None:
    """Where it is installed: every step's loss, and the validation after each epoch."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write_clips(Path("clips"), epochs=2)
    assert cli(*TRAIN).code == 0
    assert Path("out/tensorboard").stat().st_mode & 0o077 == 0
    shown = events.EventAccumulator("out/tensorboard").Reload()
    for tag, name in (("training/loss", "steps"), ("validation/loss", "validation")):
        table = pd.read_csv(f"out/{name}.csv")
        scalars = shown.Scalars(tag)
        assert [one.step for one in scalars] == table["step"].tolist()
        assert [one.value for one in scalars] == pytest.approx(table["loss"].tolist())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_clips(folder / "clips")
    done = typed(folder, "", "--save-minutes", "0")
    assert done.returncode == 0, done.stderr
    return folder


def copied(undisturbed: Path, tmp_path: Path) -> Path:
    shutil.copytree(undisturbed / "clips", tmp_path / "clips")
    return tmp_path


def test_killed_twice_it_ends_with_the_same_bytes(undisturbed: Path, tmp_path: Path) -> None:
    """In the middle of a step, and while the state is being written: weights, losses, all."""
    folder = copied(undisturbed, tmp_path)
    for code, at in ((KILL_IN_STEP, 5), (KILL_IN_SAVING, 3)):
        killed = typed(folder, code, "--save-minutes", "0", at=at, number=signal.SIGKILL)
        assert killed.returncode == -signal.SIGKILL
    ended = typed(folder, "")
    assert ended.returncode == 0, ended.stderr
    assert "Goes on after step 7 of" in ended.stderr
    assert results(folder / "out") == results(undisturbed / "out")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_and_goes_on(
    undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The step is ended, the state written, however long ago the last one was."""
    folder = copied(undisturbed, tmp_path)
    stopped = typed(folder, KILL_IN_STEP, at=6, number=number)
    assert stopped.returncode == 130
    assert "the same command goes on" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    ended = typed(folder, "")
    assert "Goes on after step 7 of" in ended.stderr
    assert results(folder / "out") == results(undisturbed / "out")


def test_a_full_disk_leaves_the_last_state(undisturbed: Path, tmp_path: Path) -> None:
    """The state that was written before stays, and the training goes on from it."""
    folder = copied(undisturbed, tmp_path)
    killed = typed(folder, KILL_IN_STEP, "--save-minutes", "0", at=3, number=signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    state = (folder / "out" / "training.pt").read_bytes()
    # no file may become larger than a third of the state
    limit = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(state) // 3}, {len(state) // 3}))
"""
    full = typed(folder, limit, "--save-minutes", "0")
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert "error: cannot write" in full.stderr
    assert (folder / "out" / "training.pt").read_bytes() == state
    assert not list((folder / "out").glob("*.tmp"))
    assert typed(folder, "").returncode == 0
    assert results(folder / "out") == results(undisturbed / "out")


def test_two_processes_share_the_batches(undisturbed: Path, tmp_path: Path) -> None:
    """Started by torchrun; the first alone writes, and the losses are those of one process."""
    folder = copied(undisturbed, tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", "-m", "emoclip_clinic", *TRAIN],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Wrote") == 1
    both = [pd.read_csv(place / "out" / "steps.csv") for place in (folder, undisturbed)]
    pd.testing.assert_series_equal(both[0]["loss"], both[1]["loss"], rtol=0.02)
    assert both[0]["loss"][0] == pytest.approx(both[1]["loss"][0], rel=1e-5)


def test_a_class_that_is_left_out_is_never_seen(cli: Type) -> None:
    """Each of its clips is a row; a class that nobody has is an error that names those there."""
    write_clips(Path("clips"), epochs=1)
    answer = cli(*TRAIN, "--leave-out", "red", "--json")
    assert answer.code == 3
    table = pd.read_csv("out/exclusions.csv")
    assert len(table) == 8
    assert set(table["reason"]) == {"the class that is left out"}
    assert answer.json["n_clips"] + answer.json["n_validation"] == 24
    answer = cli(*TRAIN, "--leave-out", "mauve")
    assert answer.code == 1
    assert "have: blue, green, grey, red" in answer.err


def test_frames_are_embedded_once_where_the_tower_is_frozen(cli: Type) -> None:
    """From other weights, variants and all; a second recipe of the same frames makes none again."""
    manifest = write_clips(Path("clips"))
    torch.manual_seed(0)
    start = VideoEncoder(TINY)
    save_checkpoint(start, Path("start.safetensors"))
    recipe = Path("clips/recipe.toml")
    text = recipe.read_text().split("[architecture]")[0].replace('start = ""', "")
    recipe.write_text(
        text.replace("embedding_scale = 10", 'start = "start.safetensors"')
        + "[clips]\nn_frames = 3\nevery_nth = 1\n[augment]\nflip = true\nvariants = 3\n"
        "[validation]\nshare = 0.2\n"
    )
    answer = cli("train", manifest, "--recipe", recipe, "--output", "out")
    assert answer.code == 0, answer.err
    kept = {path: path.stat().st_mtime_ns for path in Path("out/frames").rglob("*.npy")}
    assert len(kept) == 2
    learned = load_checkpoint(Path("out/manifest_recipe.safetensors"))
    for name, weight in start.named_parameters():
        same = torch.equal(weight, learned.get_parameter(name))
        assert same == name.startswith("backbone."), name
    recipe.write_text(recipe.read_text().replace("epochs = 4", "epochs = 5"))
    assert cli("train", manifest, "--recipe", recipe, "--output", "out", "--restart").code == 0
    assert kept == {path: path.stat().st_mtime_ns for path in Path("out/frames").rglob("*.npy")}


def test_a_start_without_text_tower_takes_another_s(cli: Type) -> None:
    """As EmoCLIP's released file: its own video side, the other's text side."""
    manifest = write_clips(Path("clips"))
    torch.manual_seed(0)
    bare = VideoEncoder(replace(TINY, text_layers=0))
    save_checkpoint(bare, Path("bare.safetensors"))
    other = VideoEncoder(TINY)
    save_checkpoint(other, Path("other.safetensors"))
    recipe = Path("clips/recipe.toml")
    text = recipe.read_text().split("[architecture]")[0].replace('start = ""', "")
    own = 'start = "bare.safetensors"\ntext_tower = "other.safetensors"'
    recipe.write_text(
        text.replace("embedding_scale = 10", own) + "[clips]\nn_frames = 3\nevery_nth = 1\n"
    )
    answer = cli("train", manifest, "--recipe", recipe, "--output", "out")
    assert answer.code == 0, answer.err
    assert "bare" in answer.err
    assert "has no text tower: that of other.safetensors takes its place" in answer.err
    learned = load_checkpoint(Path("out/manifest_recipe.safetensors"))
    for name, weight in learned.named_parameters():
        if name.startswith("backbone.visual."):
            assert torch.equal(weight, bare.get_parameter(name)), name
        elif name.startswith("backbone."):
            assert torch.equal(weight, other.get_parameter(name)), name


def test_class_descriptions_stand_in_for_captions(cli: Type) -> None:
    """Each clip learns from a description of its class; one without a label is a row."""
    write_clips(Path("clips"), epochs=1, more='texts = "classes"\nprompts = "clips/words.toml"')
    lines = "".join(f'[classes.{name}]\ntexts = ["all {name}", "{name}"]\n' for name in COLOURS)
    Path("clips/words.toml").write_text(lines)
    manifest = Path("clips/manifest.csv")
    table = pd.read_csv(manifest)
    table.loc[0, "label"] = None
    table.to_csv(manifest, index=False)
    answer = cli(*TRAIN, "--json")
    assert answer.code == 3, answer.err
    assert answer.json["exclusions"][0]["reason"] == "no label"
    Path("clips/words.toml").write_text(lines.replace("classes.blue", "classes.bleu"))
    answer = cli(*TRAIN, "--output", "other")
    assert "have no class 'blue'" in answer.err


def test_clips_that_do_not_decode_are_listed_and_bounded(cli: Type) -> None:
    """One of 32 is more than 1 %: an error, or a row with its reason where it is allowed."""
    write_clips(Path("clips"), epochs=1)
    Path("clips/clip03/001.png").write_bytes(b"")
    answer = cli(*TRAIN)
    assert answer.code == 1
    assert "1 of 32 clips cannot be read" in answer.err
    answer = cli(*TRAIN, "--max-broken", 0.05, "--json")
    assert answer.code == 3
    row = answer.json["exclusions"][0]
    assert (row["id"], row["reason"]) == ("clip03", "frame 001.png is empty (zero bytes)")


@linux_only
def test_a_clip_that_crashes_its_decoder_costs_its_row(cli: Type) -> None:
    """It counts as broken; where the crash does not come again, the clip is trained on."""
    write_clips(Path("clips"), epochs=1)
    write_video(Path("clips/fatal.mp4"), numbered_frames(3, 64, 64))
    edit({"video": "fatal.mp4"}, slice(3, 4))
    with crash_on("fatal.mp4"):
        answer = cli(*TRAIN)
        assert answer.code == 1
        assert "1 of 32 clips cannot be read" in answer.err
        answer = cli(*TRAIN, "--max-broken", 0.05, "--output", "without", "--json")
    assert answer.code == 3
    row = answer.json["exclusions"][0]
    assert row["reason"] == "its decoder crashed (SIGSEGV); the next run tries again"
    assert (answer.json["n_clips"], answer.json["n_validation"]) == (24, 7)
    answer = cli(*TRAIN, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["n_clips"], answer.json["n_validation"]) == (25, 7)


def edit(change: dict[str, object], rows: slice = slice(None)) -> None:
    """Change columns of the manifest."""
    path = Path("clips/manifest.csv")
    table = pd.read_csv(path)
    for column, value in change.items():
        table.loc[table.index[rows], column] = value
    table.to_csv(path, index=False)


def test_what_cannot_be_trained_on_is_said(cli: Type) -> None:
    """No caption, a person in two splits, no split, a wrong recipe, weights that do not fit."""
    write_clips(Path("clips"), epochs=1)
    first = Path("clips/manifest.csv").read_text()

    def refused(message: str, *more: object) -> None:
        answer = cli(*TRAIN, *more)
        assert answer.code == 1, answer.err
        assert message in answer.err
        Path("clips/manifest.csv").write_text(first)

    edit({"participant": "p0"}, slice(-1, None))
    refused("participant p0: both in train and in test")
    edit({"split": "test"})
    refused("lists no clip of the split train")
    pd.read_csv("clips/manifest.csv").drop(columns="caption").to_csv("clips/manifest.csv")
    refused("no clip to train on has a caption")
    refused("has no fold 7", "--fold", 7)
    refused("emoclip-demo has another architecture than the recipe: dim is 64, in the recipe 16",
            "--start", "emoclip-demo")  # fmt: skip
    refused("Did you mean captions", "--recipe", "caption")
    refused("'emoclip-clinic weights fetch clip", "--recipe", "captions")
    recipe = Path("clips/recipe.toml")
    recipe.write_text(recipe.read_text().replace("batch_clips = 8", "batch_clip = 8"))
    refused("unknown key 'batch_clip'. Did you mean batch_clips")


def test_a_recipe_says_all_that_is_wrong_with_it(cli: Type) -> None:
    write_clips(Path("clips"), more='precision = "fp8"\ntexts = "none"')
    recipe = Path("clips/recipe.toml")
    recipe.write_text(recipe.read_text().replace("share = 0.2", "share = 2"))
    answer = cli(*TRAIN)
    assert answer.code == 1
    for message in (
        "precision = 'fp8'; allowed: fp32, bf16, fp16",
        "texts = 'none'; allowed: captions, classes",
        "validation.share = 2.0; allowed: from 0 to below 1",
    ):
        assert message in answer.err


def test_released_datasets_are_trained_on_by_fold(cli: Type) -> None:
    """MAFW's captions, of one fold; without a fold what one trains on another would test."""
    root = clip_sets.make_mafw(Path("mafw"))
    write_clips(Path("clips"), epochs=1)
    recipe = Path("clips/recipe.toml")
    text = recipe.read_text().replace("batch_clips = 8", "batch_clips = 2")
    recipe.write_text(text.replace("share = 0.2", "share = 0"))
    words = ("train", "mafw", "--data", root, "--recipe", recipe, "--output", "out")
    assert "has the folds 1, 2, 3, 4, 5" in cli(*words).err
    answer = cli(*words, "--fold", 1)
    # of two clips one has no English caption
    assert "1 clips are there to train on, and batch_clips = 2" in answer.err


def test_faces_are_cut_out_of_whole_frames(cli: Type) -> None:
    """A clip without a face in it is a row, as when recordings are encoded."""
    write_clips(Path("clips"), epochs=1, more='faces = "haar"')
    answer = cli(*TRAIN)
    assert answer.code == 1
    assert "clip00: too few frames with a face" in answer.err


def test_weights_are_kept_as_safetensors_with_their_dimensions(undisturbed: Path) -> None:
    """Another tool reads them without this package."""
    path = undisturbed / "out" / "manifest_recipe.safetensors"
    tensors = safetensors.torch.load_file(path)
    assert tensors["temporal.pos_embedding"].shape == (1, TINY.positions, TINY.dim)
    with safetensors.safe_open(path, framework="pt") as file:
        notes = json.loads(file.metadata()["emoclip-clinic"])
    assert json.loads(notes["architecture"]) == vars(TINY)
