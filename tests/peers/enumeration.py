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

import pathlib
import sys

import pygambit
from gambit import missing, numbers, profiles, random_games, solved

SEED = 50
COUNTS = {3: 67, 4: 67, 5: 66}
SAME = 1e-9


def support(profile):
    return [share > 0 for share in profile]


def main():
    examples = pathlib.Path(sys.argv[1])
    theirs_total = ours_total = lost_total = extra = 0
    for size, count in COUNTS.items():
        family = f"Integer(actions: [{size}, {size}], low: -50, high: 50)"
        with random_games(examples, family, SEED, count) as files:
            by_vertices = solved(examples, "extreme", files)
            by_supports = solved(examples, "support-enumeration", files)
            counts = []
            for index, path in enumerate(files):
                game = pygambit.read_nfg(str(path))
                found = pygambit.nash.enummixed_solve(game, rational=True).equilibria
                theirs = [numbers(game, profile) for profile in found]
                ours = profiles(by_vertices[index])
                counts.append(len(theirs))
                theirs_total += len(theirs)
                ours_total += len(ours)
                extra += len(missing(ours, theirs, SAME))
                supports = [support(one) for one in profiles(by_supports[index])]
                lost = missing(theirs, ours, SAME)
                lost += [one for one in theirs if support(one) not in supports]
                lost_total += len(lost)
                if lost:
                    print(f"{size}x{size} game {index}: we lack {lost}")
        print(f"{size}x{size}: {counts}")
    print(
        f"{sum(COUNTS.values())} games: Gambit finds {theirs_total} equilibria, we find "
        f"{ours_total}; of Gambit's we lack {lost_total}, of ours Gambit lacks {extra}"
    )
    sys.exit(1 if lost_total else 0)


if __name__ == "__main__":
    main()
