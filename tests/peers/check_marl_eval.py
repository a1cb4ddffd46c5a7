r"""Loads what two runs left behind with the packages that are meant to read it: marl-eval and tensorboard.

    python3 -m venv /tmp/marl-eval
    /tmp/marl-eval/bin/pip install --only-binary :all: 'setuptools<81' numpy pandas scipy 'arch<8' absl-py \
        matplotlib seaborn colorama tqdm tensorboard
    # Its pinned pandas 1.4.4 has no wheel for Python 3.11 and later.
    /tmp/marl-eval/bin/pip install --no-deps id-marl-eval rliable
    for seed in 1 2; do
        target/debug/gambol run assets/scenarios/foraging-5x5-2p-1f-coop-iql.ron --seed $seed \
            --set run.steps=20000 --set run.evaluate.every=5000 --set run.evaluate.episodes=20 --out /tmp/run-$seed
    done
    /tmp/marl-eval/bin/python tests/peers/check_marl_eval.py /tmp/run-1 /tmp/run-2

Prints what each package found, and fails when that is not what the runs recorded.
"""

import json
import math
import sys
from pathlib import Path

from marl_eval.utils.data_processing_utils import (
    create_matrices_for_rliable,
    data_process_pipeline,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def merge(into, part):
    """Joins nested dictionaries; two runs differ in their seeds."""
    for key, value in part.items():
        if key in into and isinstance(value, dict):
            merge(into[key], value)
        else:
            assert key not in into, f"two runs recorded the same {key}"
            into[key] = value
    return into


def evaluations(runs):
    raw = {}
    for run in runs:
        merge(raw, json.loads((run / "evaluations.json").read_text()))
    for environment, tasks in raw.items():
        names = sorted(next(iter(next(iter(tasks.values())).values())).keys())
        processed = data_process_pipeline(raw_data=raw, metrics_to_normalize=["return"])
        final, efficiency = create_matrices_for_rliable(
            data_dictionary=processed,
            environment_name=environment,
            metrics_to_normalize=["return"],
        )
        for task, algorithms in tasks.items():
            for algorithm, seeds in algorithms.items():
                assert len(seeds) == len(runs), (names, len(runs))
                for seed, steps in seeds.items():
                    counts = [s["step_count"] for k, s in steps.items() if k.startswith("step_")]
                    assert counts == sorted(counts), counts
                    absolute = steps["absolute_metrics"]["return"]
                    mean = sum(absolute) / len(absolute)
                    print(f"{environment}/{task}/{algorithm}/{seed}: evaluations at {counts},")
                    print(f"    absolute return {mean:.3f} over {len(absolute)} episodes")
        for name, matrix in final["mean_norm_return"].items():
            # One row a run, one column a task.
            assert matrix.shape == (len(runs), len(tasks)), matrix.shape
            print(f"marl-eval, final {name}: {matrix.ravel().round(3).tolist()}")
        for name, matrix in efficiency["mean_norm_return"].items():
            assert matrix.shape[:2] == (len(runs), len(tasks)), matrix.shape
            print(f"marl-eval, sample efficiency {name}: shape {matrix.shape}")


def events(run):
    accumulator = EventAccumulator(str(run))
    accumulator.Reload()
    tags = accumulator.Tags()["scalars"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    recorded = {
        (name, line["step"]): value
        for line in lines
        for name, value in line.items()
        if name not in ("step", "seconds")
    }
    read = {(tag, s.step): s.value for tag in tags for s in accumulator.Scalars(tag)}
    assert read.keys() == recorded.keys(), read.keys() ^ recorded.keys()
    for key, value in recorded.items():
        assert math.isclose(read[key], value, rel_tol=1e-6), (key, read[key], value)
    print(f"tensorboard, {run}: {len(read)} values of {len(tags)} tags, as in metrics.jsonl")
    print(f"    {', '.join(tags)}")


def main():
    runs = [Path(argument) for argument in sys.argv[1:]]
    if len(runs) < 2:
        sys.exit(__doc__)
    evaluations(runs)
    for run in runs:
        events(run)


if __name__ == "__main__":
    main()
