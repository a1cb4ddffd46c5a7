"""Linear programming and alpha-Rank beside OpenSpiel, on one core.

    cargo build -p gambol-solvers --release --example solve_time
    python tests/peers/linear.py target/release/examples/solve_time [--large]

Needs `open_spiel`, and what its lp_solver and alpharank import: `cvxpy`, `ecos`, `matplotlib`,
`networkx`. Answers are compared on the same games; seconds
are CPU seconds of one call, so that other work on the machine does not count. `--large` adds the
game of 1000 x 1000 actions (OpenSpiel: about a minute).
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pyspiel
from open_spiel.python.algorithms import lp_solver
from open_spiel.python.egt import alpharank


def nfg(tables):
    """The text of a two-player game."""
    rows, columns = tables[0].shape
    head = f'NFG 1 R "" {{ "1" "2" }} {{ {rows} {columns} }}\n\n'
    cells = (f"{tables[0][i, j]!r} {tables[1][i, j]!r}" for j in range(columns) for i in range(rows))
    return head + " ".join(cells).replace("np.float64(", "").replace(")", "") + "\n"


def gambol(binary, solver, tables):
    """Our solver's answer on a game."""
    with tempfile.NamedTemporaryFile("w", suffix=".nfg") as file:
        file.write(nfg(tables))
        file.flush()
        out = subprocess.run([binary, solver, "1", file.name], check=True, capture_output=True)
    return json.loads(out.stdout)["equilibria"][0]


def cpu_of(run):
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def our_seconds(binary, case, repeats):
    """CPU seconds of one call, without making the game."""
    run = lambda n: subprocess.run([binary, "case", case, str(n)], check=True, capture_output=True)
    return (cpu_of(lambda: run(repeats + 1)) - cpu_of(lambda: run(1))) / repeats


def their_seconds(call, repeats):
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def line(what, ours, theirs):
    print(f"{what}: gambol {ours:.6f} s, open_spiel {theirs:.6f} s, ratio {theirs / ours:.1f}")


def compare_answers(binary, random):
    worst = {"value": 0.0, "finite": 0.0, "infinite": 0.0, "one": 0.0, "local": 0.0}
    for size in [(2, 2), (3, 5), (7, 4), (30, 30)]:
        a = random.uniform(size=size)
        value = gambol(binary, "linear-program", [a, -a])["payoffs"][0]
        theirs = lp_solver.solve_zero_sum_matrix_game(pyspiel.create_matrix_game(a, -a))[2]
        worst["value"] = max(worst["value"], abs(value - theirs))
    for size in [(2, 2), (2, 3), (3, 3), (4, 3), (5, 5)]:
        tables = [random.uniform(size=size), random.uniform(size=size)]
        for name, solver, options in [
            ("finite", "AlphaRank(selection: Finite(2.0), size: 20)", {"m": 20, "alpha": 2.0}),
            (
                "infinite",
                "AlphaRank(selection: Infinite(epsilon: 0.01))",
                {"m": None, "alpha": None, "use_inf_alpha": True, "inf_alpha_eps": 0.01},
            ),
        ]:
            ours = np.array(gambol(binary, solver, tables)["joint"])
            theirs = alpharank.compute(tables, **options)[2]
            worst[name] = max(worst[name], np.abs(ours - theirs).max())
    for size in [2, 3, 6]:
        a = random.uniform(size=(size, size))
        for name, populations, local in [("one", "One", False), ("local", "OneLocal", True)]:
            solver = f"AlphaRank(selection: Finite(0.8), size: 15, populations: {populations})"
            ours = np.array(gambol(binary, solver, [a, a.T])["profile"][0])
            theirs = alpharank.compute([a], m=15, alpha=0.8, use_local_selection_model=local)[2]
            worst[name] = max(worst[name], np.abs(ours - theirs).max())
    print("largest differences:", {name: float(f"{error:.2e}") for name, error in worst.items()})
    # OpenSpiel's linear programs are solved by interior points, to about 1e-8.
    assert worst.pop("value") < 1e-6 and all(error < 1e-9 for error in worst.values())


def main():
    binary, large = sys.argv[1], "--large" in sys.argv[2:]
    random = np.random.default_rng(1)
    compare_answers(binary, random)

    tables = [random.uniform(size=(20, 20)), random.uniform(size=(20, 20))]
    theirs = their_seconds(lambda: alpharank.compute(tables, m=50, alpha=1.0), 3)
    line("alpha-rank 20 x 20", our_seconds(binary, "alpha-rank-20", 20), theirs)

    for size, repeats in [(200, 10)] + [(1000, 1)] * large:
        a = random.uniform(size=(size, size))
        game = pyspiel.create_matrix_game(a, -a)
        solve = lambda: lp_solver.solve_zero_sum_matrix_game(game)
        theirs = their_seconds(solve, 3 if size < 500 else 1)
        line(f"zero-sum LP {size} x {size}", our_seconds(binary, f"lp-{size}", repeats), theirs)


if __name__ == "__main__":
    main()
