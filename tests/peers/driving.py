"""Driving beside highway-env and beside a C program, on one core.

    cargo build --release -p gambol-runner --no-default-features
    python tests/peers/driving.py target/release/gambol [--reference driving_ref.c] [--seconds S]

Needs `highway-env==1.12.1`. Both sides play random actions, resets included; rates are environment
steps a second of processor time, so that other work on the machine does not count, and both are
measured in turn. `driving_ref.c` plays highway-v0 in single precision without most rules.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
warnings.simplefilter("ignore")

import gymnasium
import highway_env
import numpy

gymnasium.logger.min_level = gymnasium.logger.ERROR

# What is wanted: times highway-env. The intersection comes last, for it changes the reference's
# constants for the whole process.
TASKS = {
    "highway-v0": 1000,
    "two-way-v0": 300,
    "merge-v0": 300,
    "roundabout-v0": 300,
    "intersection-v0": 300,
}


def ours(binary, task, seconds):
    """Our steps a second of processor time."""
    output = subprocess.run(
        [binary, "bench", f'Driving(task: "{task}")', "--threads", "1", "--instances", "256"]
        + ["--seconds", str(seconds), "--repeats", "1", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(output.stdout)["bench"][0]["env_steps_per_processor_second"]


def theirs(task, seconds):
    """highway-env's steps a second of processor time."""
    # The wrappers of gymnasium stay, for two-way-v0 ends by one: below a hundredth of a step's time.
    env = gymnasium.make(task)
    env.reset(seed=1)
    rng = numpy.random.default_rng(1)
    steps, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds or steps < 20:
        _, _, terminated, truncated, _ = env.step(int(rng.integers(env.action_space.n)))
        steps += 1
        # merge-v0 can go on behind its end for ever when the car stands.
        if terminated or truncated or steps % 100 == 0:
            env.reset()
    env.close()
    return steps / spent


def reference(source, folder):
    """The C program's steps a second of processor time."""
    binary = os.path.join(folder, "driving_ref")
    flags = ["-O3", "-march=native", "-ffast-math", "-DN=51", "-DLANES=4", "-DTICKS=15"]
    subprocess.run(["gcc", *flags, source, "-lm", "-o", binary], check=True)
    text = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    return float(re.search(r": ([\d.e+]+) env-steps/s", text).group(1))


def median(values):
    return sorted(values)[len(values) // 2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--reference")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    rows = {}
    for task, wanted in TASKS.items():
        pairs = []
        for _ in range(given.repeats):
            pairs.append((ours(given.binary, task, given.seconds), theirs(task, given.seconds)))
        mine, peer = (median(side) for side in zip(*pairs))
        rows[task] = {"gambol": mine, "highway-env": peer, "ratio": mine / peer, "wanted": wanted}
        print(f"{task:16} {mine:10.0f} {peer:8.2f} {mine / peer:8.0f} times, wanted {wanted}", flush=True)
    if given.reference:
        with tempfile.TemporaryDirectory() as folder:
            pairs = []
            for _ in range(given.repeats):
                pairs.append(
                    (ours(given.binary, "highway-v0", given.seconds), reference(given.reference, folder))
                )
        mine, peer = (median(side) for side in zip(*pairs))
        rows["driving_ref.c"] = {"gambol": mine, "c": peer, "ratio": mine / peer, "wanted": 0.5}
        print(f"driving_ref.c    {mine:10.0f} {peer:8.0f} {mine / peer:8.2f} of it, wanted 0.50")
    print(json.dumps(rows))


main()
