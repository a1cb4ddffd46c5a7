"""Does `polynomial` find every equilibrium that Gambit's `enumpoly_solve` finds, and what more?

Random games of three and four players with payoffs uniform in [0, 1) are written by `random_games`
and solved by `solve_time` (both are examples of gambol-solvers) and by pygambit. Almost every game
has an odd number of equilibria (Wilson 1971), so an even list lacks some. Seconds are CPU time of one
run of each.

Run in the repository root, with pygambit 16.7 in the Python that runs it:

    cargo build -p gambol-solvers --examples
    python tests/peers/polynomial.py target/debug/examples
"""

import pathlib
import sys
import time

import pygambit
from gambit import missing, numbers, profiles, random_games, solved

SEED = 7
GAMES = 40
SHAPES = ["2, 2, 2", "3, 2, 3", "2, 2, 2, 2", "3, 3, 3"]
# Regrets of up to 1e-4 are what Gambit asks of its answers, so some are a little off.
SAME = 2e-3


def main():
    examples = pathlib.Path(sys.argv[1])
    lost_total = 0
    for shape in SHAPES:
        family = f"Uniform(actions: [{shape}])"
        with random_games(examples, family, SEED, GAMES) as files:
            answers = solved(examples, "polynomial", files)
            ours_total = theirs_total = extra = ours_odd = theirs_odd = complete = 0
            seconds = 0.0
            for path, answer in zip(files, answers):
                game = pygambit.read_nfg(str(path))
                start = time.process_time()
                found = pygambit.nash.enumpoly_solve(game).equilibria
                seconds += time.process_time() - start
                theirs = [numbers(game, profile) for profile in found]
                ours = profiles(answer)
                complete += answer["stop"] == "complete"
                ours_total += len(ours)
                theirs_total += len(theirs)
                ours_odd += len(ours) % 2
                theirs_odd += len(theirs) % 2
                lost_total += len(missing(theirs, ours, SAME))
                extra += len(missing(ours, theirs, SAME))
            print(
                f"{shape}: {len(files)} games, {complete} complete with proof; we find {ours_total} "
                f"equilibria (odd in {ours_odd} games) in {sum(a['cpu_seconds'][0] for a in answers):.1f} s, "
                f"Gambit {theirs_total} (odd in {theirs_odd}) in {seconds:.1f} s; "
                f"{extra} of ours it lacks"
            )
    print(f"of Gambit's we lack {lost_total}")
    sys.exit(1 if lost_total else 0)


if __name__ == "__main__":
    main()
