#!/usr/bin/env python3
"""Gambol's PSRO beside OpenSpiel's psro_v2: the same game, the same meta-solver, the same episodes a cell, one core.

    pip install open_spiel==2.0.2 numpy==2.4.6 scipy==1.17.1 cvxpy==1.9.3 ecos==2.0.14
    cargo build --release -p gambol-solvers --example psro_time
    python tests/peers/psro.py --write

Both start from even play, add one exact best response a player and iteration, and play the Nash equilibrium of the
restricted game.
Payoffs are means over 1,000 episodes a cell (OpenSpiel's example has that), and for Gambol also exact ones, which
psro_v2 does not offer.
NashConv is that of the mixtures in the whole game, measured by each side's own exact best responses after every
iteration and left out of the times.
Seconds are processor time; both sides take turns, seed by seed, and the median over seeds is told.
OpenSpiel draws from numpy's generator and from its own in C++, which cannot be seeded from here: its episodes differ
from run to run.

`--write` puts the result into docs/results/psro-peers.md and .json; `--quick` runs two seeds of three iterations, as a
check of this script.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["RAYON_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402  (after the limits on its threads)
import pyspiel  # noqa: E402
from open_spiel.python.algorithms import exploitability, policy_aggregator  # noqa: E402
from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results" / "psro-peers.md"
PACKAGES = ["open_spiel", "numpy", "scipy", "cvxpy", "ecos"]


def open_spiel(name, iterations, sims, seed):
    """NashConv and processor seconds after every iteration of psro_v2."""
    np.random.seed(seed)
    game = pyspiel.load_game(name)
    start, measuring = time.process_time(), 0.0
    convs, seconds = [], []
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = best_response_oracle.BestResponseOracle(game=game, policy=None)
        solver = psro_v2.PSROSolver(
            game,
            oracle,
            sims_per_entry=sims,
            rectifier="",
            training_strategy_selector="probabilistic",
            meta_strategy_method="nash",
            sample_from_marginals=True,
            number_policies_selected=1,
            symmetric_game=False,
        )
        for iteration in range(iterations + 1):
            if iteration > 0:
                solver.iteration()
            before = time.process_time()
            seconds.append(before - start - measuring)
            meta = solver.get_meta_strategies()
            mixed = policy_aggregator.PolicyAggregator(game).aggregate(
                range(game.num_players()), solver.get_policies(), meta
            )
            convs.append(float(exploitability.nash_conv(game, mixed, use_cpp_br=False)))
            measuring += time.process_time() - before
    return {"nash_conv": convs, "seconds": seconds}


def gambol(binary, name, iterations, sims, seed):
    """The same of ours; where it stops because it has converged, the last numbers stand for the rest."""
    command = [binary, name, str(iterations), str(sims), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    result = json.loads(done.stdout)
    for key in ("nash_conv", "seconds"):
        result[key] += [result[key][-1]] * (iterations + 1 - len(result[key]))
    return result


def command(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=None, help="psro_time [default: target/release/examples/psro_time]")
    parser.add_argument("--game", default="kuhn_poker")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--sims", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/results/psro-peers.md and .json")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.iterations, arguments.seeds = 3, 2
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    binary = arguments.binary or str(Path(target) / "release" / "examples" / "psro_time")
    if not Path(binary).exists():
        sys.exit(f"{binary} is missing: cargo build --release -p gambol-solvers --example psro_time")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    before = os.getloadavg()
    runs = {"Gambol, exact payoffs": [], f"Gambol, {arguments.sims} episodes": [], "OpenSpiel psro_v2": []}
    for seed in range(arguments.seeds):
        for label, sims in list(zip(runs, (0, arguments.sims))):
            runs[label].append(gambol(binary, arguments.game, arguments.iterations, sims, seed))
        peer = open_spiel(arguments.game, arguments.iterations, arguments.sims, seed)
        runs["OpenSpiel psro_v2"].append(peer)
        print(f"seed {seed}: {peer['seconds'][-1]:.1f} s", file=sys.stderr, flush=True)
    median = lambda label, key, at: statistics.median(run[key][at] for run in runs[label])  # noqa: E731
    lines = ["| iteration | " + " | ".join(runs) + " |", "|---|" + "---|" * len(runs)]
    for at in range(arguments.iterations + 1):
        cells = [f"{median(label, 'nash_conv', at):.4f}" for label in runs]
        lines.append(f"| {at} | " + " | ".join(cells) + " |")
    times = [f"{median(label, 'seconds', -1):.4f} s" for label in runs]
    lines.append("| processor time | " + " | ".join(times) + " |")
    peer = [run["seconds"][-1] for run in runs["OpenSpiel psro_v2"]]
    ratios = {
        label: statistics.median(theirs / run["seconds"][-1] for theirs, run in zip(peer, runs[label]))
        for label in list(runs)[:2]
    }
    lines.append("| times faster | " + " | ".join(f"{ratio:.0f}" for ratio in ratios.values()) + " | 1 |")
    print("\n".join(lines))
    held = all(
        median(label, "nash_conv", at) <= median("OpenSpiel psro_v2", "nash_conv", at) + 1e-9
        for label in list(runs)[:1]
        for at in range(arguments.iterations + 1)
    )
    last = all(
        median(label, "nash_conv", -1) <= median("OpenSpiel psro_v2", "nash_conv", -1) + 1e-9
        for label in list(runs)[:2]
    )
    print(f"exact: at least as low at every iteration: {held}; both: at the last one: {last}")
    if arguments.write:
        packages = {name: importlib.metadata.version(name) for name in PACKAGES}
        facts = {
            "commit": command("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
            "rustc": command("rustc", "--version"),
            "python": platform.python_version(),
            "packages": packages,
            "cores": os.cpu_count(),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "load_before": before,
            "load_after": os.getloadavg(),
            "game": arguments.game,
            "sims": arguments.sims,
            "seeds": arguments.seeds,
            "times_faster": ratios,
            "runs": runs,
        }
        RESULTS.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
        told = ", ".join(f"{name} {version}" for name, version in packages.items())
        RESULTS.write_text(
            f"""# PSRO beside OpenSpiel's psro_v2

Made by `python tests/peers/psro.py --write`, both sides on one core; how is in the head of that file.

- {arguments.game}, Nash meta-solver, exact best responses, {arguments.sims} episodes a cell, medians over {arguments.seeds} seeds
- Gambol {facts['commit']}, {facts['rustc']}, Python {facts['python']}: {told}
- {facts['cores']} cores, {facts['date']}, load averages before and after: {before[0]:.1f}, {facts['load_after'][0]:.1f}

NashConv of the mixtures in the whole game, and processor time of all iterations without that of measuring it:

"""
            + "\n".join(lines)
            + "\n"
        )
        print("wrote docs/results/psro-peers.md and .json")


if __name__ == "__main__":
    main()
