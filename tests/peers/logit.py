"""Does our trace of logit equilibria end where Gambit's does?

A hundred random games each of 3x3, 8x8, 3x3x3 and 2x2x2x2 actions, with payoffs uniform in [0, 1),
are written by `random_games`, traced by `solve_time` (both are examples of gambol-solvers) and by
pygambit's `logit_solve`. A trace that jumps to another branch ends elsewhere.

Run in the repository root, with pygambit 16.7 in the Python that runs it:

    cargo build -p gambol-solvers --examples
    python tests/peers/logit.py target/debug/examples
"""

import pathlib
import sys

import pygambit
from gambit import distance, numbers, profiles, random_games, solved

SEED = 7
GAMES = 100
SHAPES = ["3, 3", "8, 8", "3, 3, 3", "2, 2, 2, 2"]
SAME = 1e-3


def main():
    examples = pathlib.Path(sys.argv[1])
    apart = 0
    for shape in SHAPES:
        family = f"Uniform(actions: [{shape}])"
        with random_games(examples, family, SEED, GAMES) as files:
            same = 0
            for index, (path, answer) in enumerate(zip(files, solved(examples, "logit", files))):
                game = pygambit.read_nfg(str(path))
                theirs = numbers(game, pygambit.nash.logit_solve(game).equilibria[0])
                between = distance(profiles(answer)[0], theirs)
                if between < SAME and answer["stop"] == "converged":
                    same += 1
                else:
                    apart += 1
                    print(f"{shape}, game {index}: {between:.3f} apart")
            print(f"{shape}: {same} of {len(files)} traces end at the same equilibrium")
    sys.exit(1 if apart else 0)


if __name__ == "__main__":
    main()
