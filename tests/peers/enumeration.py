"""Do our exact enumerations find every equilibrium that Gambit's finds?

Two hundred random bimatrix games with integer payoffs in -50..50, of sizes 3x3, 4x4 and 5x5, are
written by `random_games`, solved by `solve_time` (both are examples of gambol-solvers) and by
pygambit's `enummixed_solve` in rationals, and the lists are compared.
`extreme` must list the same equilibria. `support-enumeration` lists one equilibrium for each pair
of supports that has any, in a degenerate game not always an extreme one, so there the pairs of
supports of Gambit's equilibria must occur.
The counts that it prints are the ones in solvers/tests/nash/gambit.rs.

Run in the repository root, with pygambit 16.7 in the Python that runs it:

    cargo build -p gambol-solvers --examples
    python tests/peers/enumeration.py target/debug/examples
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import pygambit

SEED = 50
COUNTS = {3: 67, 4: 67, 5: 66}
SAME = 1e-9


def gambit_equilibria(path):
    """All extreme equilibria by Gambit, exactly, as tuples of probabilities."""
    game = pygambit.read_nfg(str(path))
    found = pygambit.nash.enummixed_solve(game, rational=True).equilibria
    return [
        [[float(profile[strategy]) for strategy in player.strategies] for player in game.players]
        for profile in found
    ]


def same(one, other):
    pairs = zip(sum(one, []), sum(other, []))
    return all(abs(a - b) < SAME for a, b in pairs)


def missing(some, others):
    return sum(not any(same(one, other) for other in others) for one in some)


def supports(equilibrium):
    return [[share > 0 for share in strategy] for strategy in equilibrium]


def main():
    examples = pathlib.Path(sys.argv[1])
    theirs_total = ours_total = unfound = extra = 0
    for size, count in COUNTS.items():
        with tempfile.TemporaryDirectory() as folder:
            family = f"Integer(actions: [{size}, {size}], low: -50, high: 50)"
            subprocess.run(
                [examples / "random_games", family, str(SEED), str(count), folder], check=True
            )
            files = sorted(pathlib.Path(folder).glob("*.nfg"))
            lines = {}
            for solver in ["extreme", "support-enumeration"]:
                run = subprocess.run(
                    [examples / "solve_time", solver, "1", *files],
                    check=True, capture_output=True, text=True,
                )
                lines[solver] = [json.loads(line) for line in run.stdout.splitlines()]
            counts = []
            for index, path in enumerate(files):
                theirs = gambit_equilibria(path)
                counts.append(len(theirs))
                theirs_total += len(theirs)
                ours, pairs = (
                    [e["profile"] for e in lines[solver][index]["equilibria"]] for solver in lines
                )
                ours_total += len(ours)
                extra += missing(ours, theirs)
                lost = missing(theirs, ours)
                pairs = [supports(one) for one in pairs]
                lost_pairs = sum(supports(one) not in pairs for one in theirs)
                unfound += lost + lost_pairs
                if lost or lost_pairs:
                    print(f"{size}x{size} game {index}: we lack {lost} and {lost_pairs} of {theirs}")
        print(f"{size}x{size}: {counts}")
    print(
        f"{sum(COUNTS.values())} games: Gambit finds {theirs_total} equilibria, we find "
        f"{ours_total}; of Gambit's we lack {unfound}, of ours Gambit lacks {extra}"
    )
    sys.exit(1 if unfound else 0)


if __name__ == "__main__":
    main()
