"""Environment steps a second of training: Gambol beside EPyMARL, on the same machine, one after the other.

    python tests/peers/epymarl.py --epymarl CHECKOUT --python PYTHON --gambol target/debug/gambol

CHECKOUT is a clone of https://github.com/uoe-agents/epymarl (cbc38c0), PYTHON an interpreter with torch, sacred,
gymnasium, lbforaging, PyYAML, scipy, tensorboard-logger and setuptools below 81. EPyMARL runs its own configurations
(`--config=iql` and so on, with all its defaults), Gambol the scenarios `foraging-8x8-2p-2f-coop-*` of `assets`, both on
one thread and on the CPU. Both run twice, for fewer and for more steps, and the difference counts, so that neither pays
for its start. Time is the processor's (user and system), which a busy machine does not stretch.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEARNERS = ["iql", "qmix", "ippo", "mappo"]
# EPyMARL: steps of both runs. Training begins after 32 episodes; on-policy runs collect ten episodes at once.
THEIRS = {"iql": (4_000, 10_000), "qmix": (4_000, 14_000), "ippo": (3_000, 15_000), "mappo": (3_000, 15_000)}
OURS = {"iql": (20_000, 80_000), "qmix": (20_000, 80_000), "ippo": (60_000, 260_000), "mappo": (60_000, 260_000)}


def seconds(command, cwd, env):
    """Processor seconds of a command and of all it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rate(run, steps):
    """Steps a processor second between two lengths of a run."""
    few, many = (run(count) for count in steps)
    return (steps[1] - steps[0]) / (many - few)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epymarl", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--gambol", type=Path, required=True)
    parser.add_argument("--learners", nargs="+", default=LEARNERS, choices=LEARNERS)
    args = parser.parse_args()
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    print("| learner | EPyMARL, steps/s | Gambol, steps/s | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        # EPyMARL imports a package that only StarCraft needs, whether or not it is used.
        (Path(folder) / "smaclite.py").write_text("")
        theirs_env = {**env, "PYTHONPATH": folder}

        def theirs(learner, steps):
            workers = 1 if learner in ("iql", "qmix") else 10
            return seconds(
                [args.python, "src/main.py", f"--config={learner}", "--env-config=gymma", "with",
                 "env_args.time_limit=50", "env_args.key=lbforaging:Foraging-8x8-2p-2f-coop-v3", f"t_max={steps}",
                 "use_cuda=False", "test_interval=1000000000", f"test_nepisode={workers}",
                 f"local_results_path={folder}/results"],
                args.epymarl, theirs_env)

        def ours(learner, steps):
            scenario = ROOT / f"assets/scenarios/foraging-8x8-2p-2f-coop-{learner}.ron"
            return seconds(
                [args.gambol.resolve(), "run", scenario, "--threads", "1", "--json", "--out", f"{folder}/{learner}-{steps}",
                 "--set", f"run.steps={steps}", "--set", "run.evaluate.every=1000000000",
                 "--set", "run.evaluate.episodes=1", "--set", "run.checkpoint.every=1000000000"],
                ROOT, env)

        for learner in args.learners:
            theirs_rate = rate(lambda steps: theirs(learner, steps), THEIRS[learner])
            ours_rate = rate(lambda steps: ours(learner, steps), OURS[learner])
            print(f"| {learner} | {theirs_rate:,.0f} | {ours_rate:,.0f} | {ours_rate / theirs_rate:.0f} |", flush=True)


if __name__ == "__main__":
    main()
