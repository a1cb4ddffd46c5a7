#!/usr/bin/env python3
"""Gambol's solvers beside pygambit, nashpy and OpenSpiel: the same games, one core, one run.

    pip install pygambit==16.7.0 nashpy==0.0.43 open_spiel==2.0.2 \
        numpy==2.4.6 scipy==1.17.1 cvxpy==1.9.3 ecos==2.0.14 matplotlib==3.11.2 networkx==3.6.1
    cargo build --release -p gambol-solvers --example solve_time
    python tests/peers/solvers.py --write

(cvxpy and ecos are what OpenSpiel's LP needs, matplotlib and networkx what its alpha-rank imports.)

Games are drawn here and handed to both sides with the same numbers: to ours as `.nfg` files with every digit, to
theirs as arrays.
Times are of the solving call alone, in process on both sides: reading files and building the peers' games is left
out.
They are seconds of the one core that the call had, so that other programs on the machine count for neither side
(but for what they take away from caches), and ours and theirs take turns.
Each side's figure is the median over all repeats of a game, and a comparison's is the median over its games.
Every comparison also checks that both sides found the same.

`--write` puts the table into docs/results/solvers-peers.md and everything into docs/results/solvers-peers.json.
`--quick` leaves out the LP of 1000x1000, which takes OpenSpiel a minute or more, and uses fewer games.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["RAYON_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402  (after the limits on its threads)

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results" / "solvers-peers.md"
PACKAGES = ["pygambit", "nashpy", "open_spiel", "numpy", "scipy", "cvxpy", "ecos"]


def nfg(a, b):
    """A bimatrix game as `.nfg` text, the first player's action changing fastest, with every digit."""
    rows, columns = a.shape
    body = " ".join(
        f"{float(a[i, j])!r} {float(b[i, j])!r}" for j in range(columns) for i in range(rows)
    )
    return f'NFG 1 R "peers" {{ "1" "2" }} {{ {rows} {columns} }}\n{body}\n'


class Bench:
    """Runs comparisons and keeps what they gave."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.rows = binary, Path(folder), []

    def files(self, games):
        """Writes games once; their paths."""
        paths = []
        for number, (a, b) in enumerate(games):
            path = self.folder / f"game-{len(self.rows)}-{number}.nfg"
            path.write_text(nfg(a, b))
            paths.append(str(path))
        return paths

    def ours(self, solver, repeats, paths, first=False):
        """Answers of `solve_time`, one object a game."""
        flag = ["--first"] if first else []
        command = [self.binary, solver, str(repeats), *flag, *paths]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command[:3])} ..: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def compare(self, what, needed, games, solver, peer, run, check, rounds=3, repeats=3, first=False):
        """Times `solver` beside `run(a, b)`, which returns a callable, on every game in turns.

        `check(ours, theirs)` returns a sentence on how the answers compare.
        `needed` is the ratio that this project asks for; none if none was asked for.
        """
        paths = self.files(games)
        calls = [run(a, b) for a, b in games]
        own = [[] for _ in games]
        their = [[] for _ in games]
        answers, found = None, [None] * len(games)
        for _ in range(rounds):
            answers = self.ours(solver, repeats, paths, first)
            for seconds, answer in zip(own, answers):
                seconds.extend(answer["cpu_seconds"] or answer["seconds"])
            for number, call in enumerate(calls):
                for _ in range(repeats):
                    start = time.process_time()
                    found[number] = call()
                    their[number].append(time.process_time() - start)
        own = [statistics.median(seconds) for seconds in own]
        their = [statistics.median(seconds) for seconds in their]
        row = {
            "case": what,
            "games": len(games),
            "repeats": rounds * repeats,
            "solver": solver,
            "seconds": own,
            "peer": peer,
            "peer_seconds": their,
            "median": statistics.median(own),
            "peer_median": statistics.median(their),
            "ratio": statistics.median(theirs / ours for ours, theirs in zip(own, their)),
            "needed": needed,
            "answers": check(answers, found),
        }
        self.rows.append(row)
        print(line(row), flush=True)

    def alone(self, what, limit, arguments):
        """A case of ours without a peer, with a limit in seconds."""
        command = [self.binary, "case", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{what}: not measured: {done.stderr.strip()}", flush=True)
            self.rows.append({"case": what, "missing": done.stderr.strip()})
            return
        for answer in map(json.loads, done.stdout.splitlines()):
            seconds = answer["cpu_seconds"] or answer["seconds"]
            row = {
                "case": answer["case"],
                "games": 1,
                "repeats": len(seconds),
                "solver": arguments[0],
                "seconds": seconds,
                "median": statistics.median(seconds),
                "limit": limit,
                "answers": ", ".join(
                    f"{key} {answer[key]:.3g}" for key in ("gap", "regret") if answer.get(key) is not None
                ),
            }
            self.rows.append(row)
            print(line(row), flush=True)


def time_text(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def line(row):
    """One row of the Markdown table."""
    if "missing" in row:
        return f"| {row['case']} | not measured | | | | | |"
    if "peer" not in row:
        held = "yes" if row["median"] < row["limit"] else "NO"
        return (
            f"| {row['case']} | {time_text(row['median'])} | none | | "
            f"under {time_text(row['limit'])} | {held} | {row['answers']} |"
        )
    needed = "" if row["needed"] is None else f"{row['needed']:g}"
    held = "" if row["needed"] is None else ("yes" if row["ratio"] >= row["needed"] else "NO")
    return (
        f"| {row['case']} (`{row['solver']}`) | {time_text(row['median'])} | "
        f"{row['peer']} {time_text(row['peer_median'])} | {row['ratio']:.3g} | {needed} | {held} | {row['answers']} |"
    )


def counts(ours, theirs):
    """How the numbers of equilibria compare."""
    own = [len(answer["equilibria"]) for answer in ours]
    their = [len(found) for found in theirs]
    same = sum(a == b for a, b in zip(own, their))
    fewer = sum(a < b for a, b in zip(own, their))
    text = f"same number of equilibria on {same} of {len(own)}"
    if fewer:
        text += f", FEWER on {fewer}"
    if same + fewer < len(own):
        text += f", more on {len(own) - same - fewer}"
    return text


def regrets(ours, _theirs):
    """The largest regret of our answers."""
    worst = max(max(found["regret"]) for answer in ours for found in answer["equilibria"])
    return f"our largest regret {worst:.1e}"


def enumerations(bench, rng, quick):
    import nashpy
    import pygambit

    # It warns of every number of equilibria that is even, mostly its own misses.
    warnings.filterwarnings("ignore", module="nashpy")

    def enummixed(rational):
        def run(a, b):
            game = pygambit.Game.from_arrays(a, b)
            return lambda: pygambit.nash.enummixed_solve(game, rational=rational).equilibria

        return run

    def support(a, b):
        game = nashpy.Game(a, b)
        return lambda: list(game.support_enumeration())

    def uniform(size, count):
        return [(rng.random((size, size)), rng.random((size, size))) for _ in range(count)]

    def integers(size, count):
        draw = lambda: rng.integers(-50, 51, (size, size)).astype(float)  # noqa: E731
        return [(draw(), draw()) for _ in range(count)]

    few, many = (10, 20) if quick else (20, 50)
    for name, make in (("uniform", uniform), ("integer", integers)):
        games = make(5, many)
        what = f"all equilibria, 5x5 {name}"
        peer = "pygambit enummixed, doubles"
        for solver in ("extreme", "support-enumeration"):
            needed = 2 if solver == "extreme" else None
            bench.compare(what, needed, games, solver, peer, enummixed(False), counts)
        bench.compare(
            what, 100, games[:few], "extreme", "nashpy support enumeration", support, counts, rounds=2, repeats=1
        )
        if not quick:
            peer = "pygambit enummixed, rationals"
            bench.compare(what, None, games[:5], "extreme", peer, enummixed(True), counts, rounds=2, repeats=1)
        games = make(10, 3 if quick else 8)
        what = f"all equilibria, 10x10 {name}"
        bench.compare(
            what, 1, games, "extreme", "pygambit enummixed, doubles", enummixed(False), counts, rounds=2, repeats=1
        )


def lemke_howson(bench, rng, quick):
    import pygambit

    def lcp(rational, stop_after):
        def run(a, b):
            game = pygambit.Game.from_arrays(a, b)
            return lambda: pygambit.nash.lcp_solve(game, rational=rational, stop_after=stop_after).equilibria

        return run

    count = 20 if quick else 50
    games = [(rng.random((10, 10)), rng.random((10, 10))) for _ in range(count)]
    what = "Lemke-Howson, 10x10 uniform, one equilibrium"
    bench.compare(
        what, 5, games, "lemke-howson", "pygambit lcp, doubles", lcp(False, 1), regrets, repeats=5, first=True
    )
    bench.compare(
        what, None, games, "lemke-howson", "pygambit lcp, rationals", lcp(True, 1), regrets, repeats=1, first=True
    )


def linear_programs(bench, rng, quick):
    import pyspiel
    from open_spiel.python.algorithms import lp_solver

    def run(a, b):
        game = pyspiel.create_matrix_game(a, b)
        return lambda: lp_solver.solve_zero_sum_matrix_game(game)

    def values(ours, theirs):
        pairs = zip(ours, theirs)
        apart = max(abs(answer["equilibria"][0]["payoffs"][0] - float(found[2])) for answer, found in pairs)
        return f"values differ by {apart:.1e}, {regrets(ours, theirs)}"

    def zero_sum(size):
        row = rng.random((size, size))
        return (row, -row)

    games = [zero_sum(200) for _ in range(1 if quick else 3)]
    what = "zero-sum 200x200"
    bench.compare(what, 5, games, "linear-program", "open_spiel lp_solver", run, values, rounds=2, repeats=1)
    if not quick:
        games = [zero_sum(1000)]
        what = "zero-sum 1000x1000"
        bench.compare(what, 10, games, "linear-program", "open_spiel lp_solver", run, values, rounds=1, repeats=1)


def alpha_ranks(bench, rng, quick):
    from open_spiel.python.egt import alpharank

    def run(a, b):
        return lambda: alpharank.compute([a, b], m=50, alpha=1.0)

    def shares(ours, theirs):
        apart = 0.0
        for answer, found in zip(ours, theirs):
            their = np.asarray(found[2]).reshape(20, 20)
            profile = answer["equilibria"][0]["profile"]
            for axis, own in enumerate(profile):
                apart = max(apart, np.abs(their.sum(axis=1 - axis) - own).max())
        return f"marginal shares differ by {apart:.1e}"

    games = [(rng.random((20, 20)), rng.random((20, 20))) for _ in range(1 if quick else 3)]
    solver = "AlphaRank(selection: Finite(1.0), size: 50)"
    what = "alpha-rank, two populations of 20"
    bench.compare(what, 30, games, solver, "open_spiel alpharank", run, shares, rounds=2, repeats=1)


def command(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=None, help="solve_time [default: target/release/examples/solve_time]")
    parser.add_argument("--quick", action="store_true", help="fewer games, no LP of 1000x1000")
    parser.add_argument("--write", action="store_true", help="write docs/results/solvers-peers.md and .json")
    parser.add_argument("--only", default="", help="comma-separated: enumerations,lemke_howson,linear_programs,alpha_ranks,rae")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    binary = arguments.binary or str(Path(target) / "release" / "examples" / "solve_time")
    if not Path(binary).exists():
        sys.exit(f"{binary} is missing: cargo build --release -p gambol-solvers --example solve_time")
    if hasattr(os, "sched_setaffinity"):
        # Our processes inherit it, so both sides have the same core.
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    facts = {
        "commit": command("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
        "rustc": command("rustc", "--version"),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system() + " " + platform.machine(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_before": os.getloadavg(),
        "seed": arguments.seed,
        "quick": arguments.quick,
    }
    only = [name for name in arguments.only.split(",") if name]
    # With --only, the other parts' rows stay as an earlier run wrote them.
    kept = json.loads(RESULTS.with_suffix(".json").read_text())["rows"] if only and arguments.write else []
    head = "| case | Gambol | peer | times faster | asked for | held | answers |\n|---|---|---|---|---|---|---|"
    print(head, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(binary, folder)

        def keep(part):
            for row in bench.rows:
                row.setdefault("part", part)
                row.setdefault("commit", facts["commit"])
            # After every part, so that a run that is cut off leaves what it had.
            if arguments.write:
                rows = [row for row in kept if row["part"] not in {row["part"] for row in bench.rows}]
                write({**facts, "load_after": os.getloadavg(), "rows": rows + bench.rows}, head)

        for number, part in enumerate((enumerations, lemke_howson, linear_programs, alpha_ranks)):
            if not only or part.__name__ in only:
                part(bench, np.random.default_rng([arguments.seed, number]), arguments.quick)
                keep(part.__name__)
        if not only or "rae" in only:
            bench.alone("RAE best response", 0.05, ["rae-best-response", "5"])
            keep("rae")
    if arguments.write:
        print("wrote docs/results/solvers-peers.md and .json")


def commits(rows):
    """The commits that the rows were measured at, with the parts if there are several."""
    parts = {}
    for row in rows:
        parts.setdefault(row["commit"], []).append(row["part"])
    if len(parts) == 1:
        return next(iter(parts))
    return ", ".join(f"{commit} ({', '.join(dict.fromkeys(names))})" for commit, names in parts.items())


def write(facts, head):
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    busy = facts["load_before"][0] > 1.5
    loads = ", ".join(f"{load:.1f}" for load in (facts["load_before"][0], facts["load_after"][0]))
    note = (
        "The machine was busy with other work: both sides were slowed down by it, ratios are what counts."
        if busy
        else "The machine had nothing else to do."
    )
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    text = f"""# Solvers beside their peers

Made by `python tests/peers/solvers.py --write`, everything on one core; how is in the head of that file.
Parts of different commits are of different runs; the load averages are those of the last.

- Gambol {commits(facts['rows'])}, {facts['rustc']}, release profile
- Python {facts['python']}: {packages}
- {facts['processor']}, {facts['cores']} cores, {facts['system']}, {facts['date']}
- load averages before and after: {loads}
- {note}

Seconds are those of one core, medians over games of the medians over repeats; "times faster" is the median of the games' ratios.

{head}
""" + "\n".join(line(row) for row in facts["rows"]) + "\n"
    RESULTS.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
