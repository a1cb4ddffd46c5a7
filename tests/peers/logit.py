"""Does our trace of logit equilibria end where Gambit's does?

A hundred random games each of 3x3, 8x8, 3x3x3 and 2x2x2x2 actions, with payoffs uniform in [0, 1),
are written by `random_games`, traced by `solve_time` (both are examples of gambol-solvers) and by
pygambit's `logit_solve`. A trace that jumps to another branch ends elsewhere.

Run in the repository root, with pygambit 16.7 in the Python that runs it:

    cargo build -p gambol-solvers --examples
    python tests/peers/logit.py target/debug/examples
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import pygambit

SEED = 7
GAMES = 100
SHAPES = ["3, 3", "8, 8", "3, 3, 3", "2, 2, 2, 2"]
SAME = 1e-3


def main():
    examples = pathlib.Path(sys.argv[1])
    apart = 0
    for shape in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            family = f"Uniform(actions: [{shape}])"
            subprocess.run(
                [examples / "random_games", family, str(SEED), str(GAMES), folder], check=True
            )
            files = sorted(pathlib.Path(folder).glob("*.nfg"))
            run = subprocess.run(
                [examples / "solve_time", "logit", "1", *files],
                check=True, capture_output=True, text=True,
            )
            ours = [json.loads(line) for line in run.stdout.splitlines()]
            same = 0
            for index, path in enumerate(files):
                game = pygambit.read_nfg(str(path))
                profile = pygambit.nash.logit_solve(game).equilibria[0]
                theirs = [float(profile[s]) for player in game.players for s in player.strategies]
                mine = sum(ours[index]["equilibria"][0]["profile"], [])
                distance = max(abs(a - b) for a, b in zip(mine, theirs))
                if distance < SAME and ours[index]["stop"] == "converged":
                    same += 1
                else:
                    apart += 1
                    print(f"{shape}, game {index}: {distance:.3f} apart")
            print(f"{shape}: {same} of {len(files)} traces end at the same equilibrium")
    sys.exit(1 if apart else 0)


if __name__ == "__main__":
    main()
