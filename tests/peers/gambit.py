"""What the comparisons with Gambit share: games, our answers, Gambit's profiles as numbers."""

import contextlib
import json
import pathlib
import subprocess
import tempfile


@contextlib.contextmanager
def random_games(examples, family, seed, count):
    """Files of `count` games of a family in RON, written by our example `random_games`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [examples / "random_games", family, str(seed), str(count), folder]
        subprocess.run(command, check=True)
        yield sorted(pathlib.Path(folder).glob("*.nfg"))


def solved(examples, solver, files):
    """The answers of our example `solve_time`, one a file."""
    command = [examples / "solve_time", solver, "1", *files]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def profiles(answer):
    """The equilibria of one of our answers, each as one list of probabilities."""
    return [sum(equilibrium["profile"], []) for equilibrium in answer["equilibria"]]


def numbers(game, profile):
    """A profile of pygambit as one list of probabilities."""
    return [float(profile[s]) for player in game.players for s in player.strategies]


def distance(one, other):
    return max(abs(a - b) for a, b in zip(one, other))


def missing(some, others, same):
    """Those of the first list that are not within `same` of one of the second."""
    return [one for one in some if not any(distance(one, other) < same for other in others)]
