"""Run every benchmark, keep its JSON in benchmarks/results.json, and make the README's table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
BEGIN, END = "<!-- benchmarks -->\n", "<!-- end of benchmarks -->\n"


def in_gb(series: dict[str, Any], *minutes: str) -> str:
    """Say the peaks of recordings of these lengths."""
    peaks = [series["by_minutes"][length]["encoding_bytes"] / 1e9 for length in minutes]
    return f"{', '.join(f'{peak:.2f}' for peak in peaks)} GB"


# script -> what is claimed, and how its JSON says it
CLAIMS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "demo_speed": (
        "`make demo` after set-up; `run` with nothing to do; `--help`",
        lambda r: (
            f"{r['demo_seconds']:.0f} s; {r['run_up_to_date_seconds']:.1f} s; "
            f"{r['help_seconds']:.2f} s"
        ),
    ),
    "decoding_speed": (
        "Reading every 4th frame of 720p H.264: decord, PyAV (source frames a second)",
        lambda r: f"{r['frames_per_second']['decord']:.0f}, {r['frames_per_second']['pyav']:.0f}",
    ),
    "encoder_speed": (
        "EmoCLIP (ViT-B/32, fp32) on the CPU (frames a second)",
        lambda r: f"{r['frames_per_second']:.1f}",
    ),
    "int8_speed": (
        "The image tower in int8 over fp32 on the CPU; lowest cosine of real faces' vectors",
        lambda r: (
            f"{r['tower_ratio']:.1f} times as fast; "
            + (
                f"{min(o['frames'] for o in r['least_cosine'].values()):.4f}"
                if "least_cosine" in r
                else "not measured"
            )
        ),
    ),
    "int8_predictions": (
        "Demonstration fitted in int8 and in fp32: mean and largest change of an out-of-fold "
        "prediction, of Pearson's r",
        lambda r: (
            f"{r['mean_change_sd']:.3f} and {r['largest_change_sd']:.2f} SD of the score; "
            f"{r['mean_change_of_r']:.3f} and {r['largest_change_of_r']:.2f}"
        ),
    ),
    "end_to_end": (
        "720p to features on the CPU, over the slower of decoding and encoder alone: small "
        "encoder, full-size towers; the same with the face looked for; what a process for decoding "
        "costs a short recording",
        lambda r: "; ".join(
            [
                ", ".join(
                    f"{r['frames_per_second'][name][share]:.2f}"
                    for name in ("emoclip-demo", "emoclip")
                )
                for share in ("share_of_the_slower", "share_with_faces")
                if share in r["frames_per_second"]["emoclip"]
            ]
            + [f"{r['overhead_a_recording_ms']:.0f} ms"]
        ),
    ),
    "encoder_forward": (
        "EmoCLIP on 32 clips of 32 frames, over open_clip's eager tower with temporal layers "
        "written as a textbook does",
        lambda r: f"{r['ratio']:.2f} times as fast",
    ),
    "memory_by_length": (
        "Peak memory of encoding 2, 20 and 120 minutes of 720p, the decoder's included: full-size "
        "towers that see as many frames of each; small encoder, every sampled frame of 2 and 20 "
        "minutes, of one person and of two",
        lambda r: "; ".join(
            [in_gb(r["full_size"], "2", "20", "120")]
            + [in_gb(r[name], "2", "20") for name in ("demo", "demo_two_people")]
        ),
    ),
    "plain_way": (
        "`encode` beside a plain script (sampled frames into memory, crop, torchvision, a clip at "
        "a time): 3 minutes of 720p with the small encoder; 1 minute with full-size towers",
        lambda r: "; ".join(
            "{seconds:.0f} s and {gb:.1f} GB".format(**one, gb=one["encoding_bytes"] / 1e9)
            + f" ({way})"
            for both in (r["demo"]["3"], r["full_size"]["1"])
            for way, one in both.items()
        ),
    ),
    "quality_speed": (
        "Measuring the quality of a face in a frame of 720p, on one thread; with its pose; finding "
        "the face",
        lambda r: ", ".join(
            f"{r[key]:.1f} ms" for key in ("looks_ms", "all_ms", "find_ms") if key in r
        ),
    ),
    "training_speed": (
        "An epoch of training, frames embedded anew and once (32 clips of 32 frames, CLIP frozen); "
        "largest difference of a loss",
        lambda r: (
            f"{r['plain_epoch_s']:.0f} s and {r['cached_epoch_s']:.1f} s ({r['ratio']:.0f} times); "
            f"{100 * r['largest_relative_difference_of_losses']:.4f} %"
        ),
    ),
    "training_memory": (
        "Peak memory of a training step of all of CLIP on 128 clips, 8 at a time, over that of a "
        "step on 8",
        lambda r: (
            f"{r['batch_peak_gb']:.1f} over {r['chunk_peak_gb']:.1f} GB: {r['ratio']:.2f} times"
        ),
    ),
    "many_recordings": (
        "1,000 recordings of 2 s: `encode` beyond decoding and encoding, a recording; `encode` "
        "with nothing to do",
        lambda r: f"{r['overhead_ms']:.0f} ms; {r['nothing_to_do_s']:.1f} s",
    ),
    "fit_speed": (
        "Nested ridge (10-fold x 5, 5 inner folds, 20 penalties) of 34 targets, 100 participants x "
        "1024 features; the same with 1,000 permutations; both by scikit-learn's grid search",
        lambda r: (
            f"{r['cross_validate_s']:.1f} s; {r['permutations_s']:.0f} s; "
            f"{r['grid_search_min']:.0f} min, {r['grid_search_with_permutations_days']:.1f} days"
        ),
    ),
    "bootstrap_speed": (
        "10,000 participant-bootstrap resamples of 9 metrics, 34 targets, 100 participants",
        lambda r: f"{r['seconds']:.1f} s",
    ),
    "agree_speed": (
        "Agreement, every table, of 34 targets, 200 participants, 4 raters and the model, 2,000 "
        "resamples",
        lambda r: f"{r['seconds']:.0f} s",
    ),
    "zeroshot_demo": (
        "Demonstration's encoder, six drawn expressions of unseen people: UAR by words, by "
        "averaged frames, by chance",
        lambda r: "; ".join(
            [
                f"{row['value']:.2f} ({row['ci_low']:.2f} to {row['ci_high']:.2f})"
                for row in r["uar"]
                if row["prompts"] == "descriptions"
            ]
            + [f"{r['uar'][0]['chance']:.2f}"]
        ),
    ),
    "table_scale": (
        "recordings.csv of 100,000 recordings: written, read; its provenance written; features of "
        "a recording read",
        lambda r: (
            f"{r['recordings_csv']['write_s']:.1f} s, {r['recordings_csv']['read_s']:.1f} s; "
            f"{r['provenance_json']['write_s']:.1f} s; {r['features_file']['read_ms']:.0f} ms"
        ),
    ),
    "report_speed": (
        "Report on 200 participants, 45 targets, 4 raters, every section",
        lambda r: f"{r['seconds']:.1f} s",
    ),
}


def machine() -> str:
    """Name the processor, the number of its cores in use, and Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor()}, {cores} cores, Python {platform.python_version()}"


def processor() -> str:
    """Name the processor as it names itself, where that is known."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def measure(script: str) -> dict[str, Any]:
    """Run a script from the repository's root and read what it prints."""
    words = [sys.executable, "-m", f"benchmarks.{script}"]
    answer = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def table(results: dict[str, Any]) -> str:
    """Make the README's table of what was measured."""
    rows = [
        f"| {claim} | {say(results[script])} | {results[script]['machine']} |"
        for script, (claim, say) in CLAIMS.items()
        if script in results
    ]
    head = ["Measured on CPUs, on an idle machine; `make bench` repeats it.", ""]
    return "\n".join([*head, "| what | measured | on |", "| --- | --- | --- |", *rows, ""])


def main() -> None:
    """Measure what the arguments name (all, if none), then write the results and the table."""
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for script in sys.argv[1:] or CLAIMS:
        results[script] = measure(script) | {"machine": machine()}
        print(json.dumps({script: results[script]}), flush=True)
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}{table(results)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
