//! `cargo xtask results`: trains every scenario of a study on every seed, and writes what came out to `docs/results`.
//!
//! Every seed that is named is reported. Run directories stay in `target/results`; a run that is complete there, of the
//! same scenario, is not run again, so that an interrupted study goes on where it stopped. The report names the commits
//! of all its runs; remove the folder to begin anew.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    command::{Command, cargo, root},
    high_risk, psro,
    runs::{Run, load_note, read_json},
    setup,
};

pub(crate) const COMMAND: Command = Command {
    name: "results",
    usage: "results STUDY [SEED..]",
    about: "run a study on all its seeds and write docs/results",
    run,
};

/// Some scenarios, each trained on some seeds.
struct Study {
    name: &'static str,
    /// Name of the files in `docs/results`, without ending.
    file: &'static str,
    title: &'static str,
    /// What is to be seen beside the figures, in Markdown.
    about: &'static str,
    /// Names in `assets/scenarios`, without ending, each perhaps with `path=value` settings after spaces.
    scenarios: &'static [&'static str],
    seeds: &'static [u64],
    /// What a return must exceed for a task to count as solved, where that means something.
    solved: Option<f64>,
}

const STUDIES: &[Study] = &[
    Study {
        name: "iql",
        file: "iql-foraging",
        title: "Independent Q-learning on foraging",
        about: "EPyMARL trains each task of this benchmark for 2,050,000 environment steps (its `t_max` for value-based learners).\n\
                The first settings were found on seeds 0 and 1, the falling rate and the slow target on seeds 11 and 12; of these only seed 1 is reported here, as one of 1 to 5.\n",
        scenarios: &["foraging-5x5-2p-1f-coop-iql", "foraging-8x8-2p-2f-coop-iql"],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "learners",
        file: "learners-foraging-5x5",
        title: "Every deep learner on the smallest cooperative task",
        about: "A first look at whether each learner learns, on three seeds; it says nothing about larger tasks.\n\
                The scenarios were tried on seeds 11 and 12, none of which is reported here.\n",
        scenarios: &[
            "foraging-5x5-2p-1f-coop-vdn",
            "foraging-5x5-2p-1f-coop-qmix",
            "foraging-5x5-2p-1f-coop-ia2c",
            "foraging-5x5-2p-1f-coop-maa2c",
            "foraging-5x5-2p-1f-coop-ippo",
            "foraging-5x5-2p-1f-coop-mappo",
        ],
        seeds: &[1, 2, 3],
        solved: Some(0.9),
    },
    Study {
        name: "foraging-8x8",
        file: "foraging-8x8",
        title: "Deep learners on Foraging-8x8-2p-2f-coop",
        about: "EPyMARL trains this task for 2,050,000 environment steps with value-based learners, and for 20,050,000 with on-policy ones (its `t_max`).\n\
                The scenarios were tried on seed 11, which is not reported here.\n",
        scenarios: &[
            "foraging-8x8-2p-2f-coop-iql",
            "foraging-8x8-2p-2f-coop-qmix",
            "foraging-8x8-2p-2f-coop-ippo",
            "foraging-8x8-2p-2f-coop-mappo",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "foraging-2s-8x8",
        file: "foraging-2s-8x8",
        title: "Deep learners on Foraging-2s-8x8-2p-2f-coop",
        about: "EPyMARL trains this task for 2,050,000 environment steps with value-based learners, and for 20,050,000 with on-policy ones (its `t_max`).\n\
                The settings are those of the 8x8 board; the wider networks of on-policy learners were tried on the 10x10 board for 600,000 steps, on seed 11, which is not reported here.\n",
        scenarios: &[
            "foraging-2s-8x8-2p-2f-coop-iql",
            "foraging-2s-8x8-2p-2f-coop-qmix",
            "foraging-2s-8x8-2p-2f-coop-ippo",
            "foraging-2s-8x8-2p-2f-coop-mappo",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "foraging-10x10",
        file: "foraging-10x10",
        title: "Deep learners on Foraging-10x10-3p-3f",
        about: "EPyMARL trains this task for 2,050,000 environment steps with value-based learners, and for 20,050,000 with on-policy ones (its `t_max`).\n\
                The settings are those of the 8x8 board; the wider networks of on-policy learners were tried on the 10x10 board for 600,000 steps, on seed 11, which is not reported here.\n",
        scenarios: &[
            "foraging-10x10-3p-3f-iql",
            "foraging-10x10-3p-3f-qmix",
            "foraging-10x10-3p-3f-ippo",
            "foraging-10x10-3p-3f-mappo",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "foraging-15x15",
        file: "foraging-15x15",
        title: "Deep learners on Foraging-15x15-4p-5f",
        about: "EPyMARL trains this task for 2,050,000 environment steps with value-based learners, and for 20,050,000 with on-policy ones (its `t_max`).\n\
                The settings are those of the 10x10 board.\n",
        scenarios: &[
            "foraging-15x15-4p-5f-iql",
            "foraging-15x15-4p-5f-qmix",
            "foraging-15x15-4p-5f-ippo",
            "foraging-15x15-4p-5f-mappo",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "trust",
        file: "trust-dilemmas",
        title: "Which convention two learners settle on in the trust dilemmas",
        about: "Two learners (`Ippo`, separate parameters, each paid its own reward) in each world with the published payoffs, and with payoffs that make trust safe.\n\
                *together*, *betrayed* and *safe* are counts over an episode of 50 steps: monsters hunted or lights stepped on together, agents left alone with either, apples eaten.\n\
                The payoffs were tried on seed 11, which is not reported here.\n",
        scenarios: &[
            "trust-monster-hunt-apples",
            "trust-monster-hunt-monster",
            "trust-escalation-apart",
            "trust-escalation-together",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: None,
    },
    Study {
        name: "mansa-5x5",
        file: "mansa-foraging-5x5",
        title: "MANSA on the smallest cooperative task",
        about: MANSA,
        scenarios: &[
            "foraging-5x5-2p-1f-coop-iql",
            "foraging-5x5-2p-1f-coop-qmix",
            "foraging-5x5-2p-1f-coop-mansa-iql-qmix",
            "foraging-5x5-2p-1f-coop-mansa-iql-qmix-random",
            "foraging-5x5-2p-1f-coop-mansa-iql-qmix-periodic",
            "foraging-5x5-2p-1f-coop-ippo",
            "foraging-5x5-2p-1f-coop-mappo",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo-random",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo-periodic",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "mansa-8x8",
        file: "mansa-foraging-8x8",
        title: "MANSA(IPPO, MAPPO) on 8x8 boards",
        about: MANSA,
        scenarios: &[
            "foraging-8x8-2p-2f-coop-ippo",
            "foraging-8x8-2p-2f-coop-mappo",
            "foraging-8x8-2p-2f-coop-mansa-ippo-mappo",
            "foraging-8x8-2p-2f-coop-mansa-ippo-mappo-random",
            "foraging-8x8-2p-2f-coop-mansa-ippo-mappo-periodic",
        ],
        seeds: &[1, 2, 3, 4, 5],
        solved: Some(0.9),
    },
    Study {
        name: "mansa-cost",
        file: "mansa-cost-and-budget",
        title: "MANSA's return against the cost and the budget of calls",
        about: "MANSA(IPPO, MAPPO) on the smallest cooperative task, once for each cost without a budget, and once for each number of calls allowed in an episode of at most 50 steps at no cost.\n",
        scenarios: &[
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0.001",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0.003",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0.01",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0.03",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0.1",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0 agent.budget=(calls:0)",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0 agent.budget=(calls:1)",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0 agent.budget=(calls:3)",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0 agent.budget=(calls:12)",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0 agent.budget=(calls:25)",
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo agent.cost=0 agent.budget=(calls:50)",
        ],
        seeds: &[1, 2, 3],
        solved: Some(0.9),
    },
    Study {
        name: "gigpo-sokoban",
        file: "gigpo-sokoban",
        title: "Grouped advantages on Sokoban",
        about: "Drawn levels of 6 by 6 cells with one box, of which only the solution is paid; the same number of environment steps for all, those that a group waits for its last episode included.\n\
                *GiGPO* (omega 1), *GRPO* and *RLOO* have the same settings but the estimator; `Ippo` has a critic.\n\
                The settings were tried on seed 11, which is not reported here.\n",
        scenarios: &[
            "sokoban-6x6-1b-gigpo",
            "sokoban-6x6-1b-gigpo agent.estimator.method=Grpo",
            "sokoban-6x6-1b-gigpo agent.estimator.method=Rloo",
            "sokoban-6x6-1b-ippo",
        ],
        seeds: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        solved: Some(0.9),
    },
    Study {
        name: "gigpo",
        file: "gigpo-key-door",
        title: "Grouped advantages in key-door mazes of three lengths",
        about: "Two, three and four rooms of two by three cells, of which only the goal is paid; the same number of environment steps for all, those that a group waits for its last episode included.\n\
                *GiGPO* (omega 1), *GRPO* and *RLOO* have the same settings but the estimator, without a division by deviations (`normalisation: Mean`); `Ippo` has a critic and the settings that were found for it in a few runs.\n\
                The settings were tried on seed 11, which is not reported here.\n",
        scenarios: GIGPO,
        seeds: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        solved: Some(0.9),
    },
];

const GIGPO: &[&str] = &[
    "key-door-2-gigpo env.rooms=2 env.room=(2,3) run.steps=300000",
    "key-door-2-gigpo env.rooms=2 env.room=(2,3) run.steps=300000 agent.estimator.method=Grpo",
    "key-door-2-gigpo env.rooms=2 env.room=(2,3) run.steps=300000 agent.estimator.method=Rloo",
    "key-door-2-ippo env.rooms=2 env.room=(2,3) run.steps=300000",
    "key-door-2-gigpo env.rooms=3 env.room=(2,3) run.steps=300000",
    "key-door-2-gigpo env.rooms=3 env.room=(2,3) run.steps=300000 agent.estimator.method=Grpo",
    "key-door-2-gigpo env.rooms=3 env.room=(2,3) run.steps=300000 agent.estimator.method=Rloo",
    "key-door-2-ippo env.rooms=3 env.room=(2,3) run.steps=300000",
    "key-door-2-gigpo env.rooms=4 env.room=(2,3) run.steps=300000",
    "key-door-2-gigpo env.rooms=4 env.room=(2,3) run.steps=300000 agent.estimator.method=Grpo",
    "key-door-2-gigpo env.rooms=4 env.room=(2,3) run.steps=300000 agent.estimator.method=Rloo",
    "key-door-2-ippo env.rooms=4 env.room=(2,3) run.steps=300000",
];

const MANSA: &str = "Two learners alone, MANSA over them, and its two controls, whose share of calls is that of MANSA's training on seeds 11 and 12.\n\
    *calls in training* is the share of environment steps with a call, *calls* that of the best parameters' greedy switch, by kind of moment too; *alone* are the returns of the two policies without the switch on the same boards.\n\
    The scenarios were tried on seeds 11 and 12, which are not reported here.\n";

/// One column of a table beside the returns.
#[derive(Clone)]
struct Column {
    name: String,
    value: f64,
    /// Digits after the point.
    digits: usize,
}

/// One trained seed.
struct Trained {
    seed: u64,
    last: f64,
    absolute: f64,
    /// What the environment counted, as means over the episodes of the last evaluation, and calls of MANSA's switch.
    columns: Vec<Column>,
    steps: u64,
    /// Environment step and mean return of every evaluation.
    curve: Vec<(u64, f64)>,
    seconds: f64,
    load: String,
    manifest: Value,
}

impl Trained {
    fn solved_at(&self, solved: f64) -> Option<u64> {
        self.curve.iter().find(|(_, value)| *value > solved).map(|(step, _)| *step)
    }
}

fn run(args: &[String]) -> Result<ExitCode> {
    if args == ["high-risk"] {
        high_risk::write()?;
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<_> = STUDIES.iter().map(|study| study.name).chain(["high-risk"]).collect();
    let names: Vec<_> = names.into_iter().chain(psro::STUDIES.iter().map(|s| s.name)).collect();
    if let [name, seeds @ ..] = args
        && let Some(study) = psro::STUDIES.iter().find(|study| study.name == name)
    {
        let seeds = match seeds {
            [] => study.seeds.to_vec(),
            seeds => {
                seeds.iter().map(|seed| seed.parse()).collect::<Result<_, _>>().context("seeds")?
            }
        };
        if let Some(status) = setup::ensure()? {
            return Ok(status);
        }
        let gambol = built(study.name)?;
        psro::write(study, &seeds, &gambol, &target().join("results"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let study = match args {
        [name] => STUDIES.iter().find(|study| study.name == name),
        _ => None,
    };
    let Some(study) = study else {
        bail!("`cargo xtask results` takes one of: {}", names.join(", "))
    };
    if let Some(status) = setup::ensure()? {
        return Ok(status);
    }
    let gambol = built(study.name)?;
    let mut trained = Vec::new();
    for scenario in study.scenarios {
        let seeds = study.seeds.iter().map(|&seed| train(&gambol, scenario, seed));
        trained.push(seeds.collect::<Result<Vec<_>>>()?);
    }
    let dir = root().join("docs/results");
    fs::create_dir_all(&dir)?;
    let path = dir.join(study.file);
    fs::write(path.with_extension("md"), markdown(study, &trained))?;
    let text = serde_json::to_string_pretty(&as_json(study, &trained))?;
    fs::write(path.with_extension("json"), text + "\n")?;
    println!("{}", path.with_extension("md").display());
    Ok(ExitCode::SUCCESS)
}

/// The binary, as a copy, so that a later build changes no study that is under way.
///
/// With `GAMBOL` in the environment it is that binary, and nothing is built: runs that are under way go on with the one
/// that began them.
fn built(study: &str) -> Result<PathBuf> {
    if let Some(gambol) = std::env::var_os("GAMBOL") {
        return Ok(PathBuf::from(gambol));
    }
    let built =
        cargo().args(["build", "--package", "gambol-runner", "--bin", "gambol"]).status()?;
    if !built.success() {
        bail!("`gambol` does not build");
    }
    let gambol = target().join("results").join(format!("gambol-{study}"));
    fs::create_dir_all(target().join("results"))?;
    fs::copy(target().join("debug/gambol"), &gambol)?;
    Ok(gambol)
}

fn number(value: &Value, pointer: &str) -> Result<f64> {
    value.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no number {pointer}"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// What is beside the returns in the results, and in the last line of metrics about the learner.
fn columns(results: &Value, learner: &Value) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for (name, tally) in results["last"]["tallies"].as_object().into_iter().flatten() {
        columns.push(Column { name: name.clone(), value: number(tally, "/mean")?, digits: 2 });
    }
    if results["absolute"].get("calls").is_none() {
        return Ok(columns);
    }
    let mut add = |name: &str, from: &Value, pointer: &str, digits: usize| -> Result<()> {
        columns.push(Column { name: name.to_owned(), value: number(from, pointer)?, digits });
        Ok(())
    };
    add("calls in training", learner, "/learner~1call_fraction", 4)?;
    add("calls", results, "/absolute/calls/fraction", 4)?;
    let classes = results["absolute"]["calls"]["classes"].as_object();
    for (class, count) in classes.into_iter().flatten() {
        add(&format!("calls, {class}"), count, "/fraction", 4)?;
    }
    for mode in ["independent", "centralised"] {
        add(&format!("{mode} alone"), results, &format!("/modes/{mode}/return/mean"), 3)?;
    }
    Ok(columns)
}

fn train(gambol: &Path, named: &str, seed: u64) -> Result<Trained> {
    let mut words = named.split(' ');
    let name = words.next().unwrap_or_default();
    let sets: Vec<_> = words.collect();
    let plain = |char: char| char.is_alphanumeric() || "=.-".contains(char);
    let of = |text: &str| text.replace(|char| !plain(char), "_");
    let dir = target().join("results").join(format!("{}-{seed}", of(named)));
    let run = Run { label: named, scenario: name, sets: &sets, seed, dir: &dir, quiet: false };
    run.ensure(gambol)?;
    let (manifest, results) =
        (read_json(&dir.join("manifest.json"))?, read_json(&dir.join("results.json"))?);
    let (mut curve, mut learner) = (Vec::new(), Value::Null);
    for line in fs::read_to_string(dir.join("metrics.jsonl"))?.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let Some(value) = line["evaluate/return"].as_f64() {
            curve.push((number(&line, "/step")? as u64, value));
        } else {
            learner = line;
        }
    }
    let results = results.get("results").cloned().unwrap_or(results);
    Ok(Trained {
        seed,
        last: number(&results, "/last/return/mean")?,
        absolute: number(&results, "/absolute/return/mean")?,
        columns: columns(&results, &learner)?,
        steps: number(&results, "/environment_steps")? as u64,
        curve,
        seconds: number(&manifest, "/seconds")?,
        load: fs::read_to_string(load_note(&dir)).unwrap_or_default(),
        manifest,
    })
}

fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}

/// Mean of the middle half: a quarter of the values, rounded down, is cut off at each end.
fn interquartile_mean(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted.len() / 4;
    let middle = &sorted[cut..sorted.len() - cut];
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// Most seeds for which every resample is visited.
const MOST_SEEDS: usize = 10;

/// The 95 % percentile bootstrap interval of the interquartile mean, exact: over all `n^n` resamples.
///
/// Resamples with the same values in another order have the same mean, so that each multiset is visited once and
/// weighs as many resamples as it stands for.
fn interval(values: &[f64]) -> [f64; 2] {
    let mut values = values.to_vec();
    values.truncate(MOST_SEEDS);
    values.sort_by(f64::total_cmp);
    let mut means = Vec::new();
    resample(&values, values.len(), &mut Vec::new(), 1, &mut means);
    means.sort_by(|one, two| one.0.total_cmp(&two.0));
    let resamples = (values.len() as u64).pow(values.len() as u32);
    let at = |share: f64| {
        let mut left = ((resamples - 1) as f64 * share).round() as u64;
        for &(mean, weight) in &means {
            if left < weight {
                return mean;
            }
            left -= weight;
        }
        f64::NAN
    };
    [at(0.025), at(0.975)]
}

/// Draws `left` more of the values `rest`, in every way; `weight` counts the orders in which `drawn` may have come.
fn resample(
    rest: &[f64],
    left: usize,
    drawn: &mut Vec<f64>,
    weight: u64,
    means: &mut Vec<(f64, u64)>,
) {
    if left == 0 {
        means.push((interquartile_mean(drawn), weight));
    }
    let (false, Some((&value, others))) = (left == 0, rest.split_first()) else { return };
    let (drawn_before, mut ways) = (drawn.len(), 1);
    for count in 0..=left {
        resample(others, left - count, drawn, weight * ways, means);
        drawn.push(value);
        ways = ways * (left - count) as u64 / (count + 1) as u64;
    }
    drawn.truncate(drawn_before);
}

fn thousands(number: u64) -> String {
    let text = number.to_string();
    let mut out = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn build(trained: &[Vec<Trained>], field: &str) -> String {
    let mut values: Vec<_> = trained
        .iter()
        .flatten()
        .map(|run| match &run.manifest["build"][field] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    values.dedup();
    values.join(", ")
}

fn markdown(study: &Study, trained: &[Vec<Trained>]) -> String {
    let mut text = format!(
        "# {}\n\nMade by `cargo xtask results {}`; the same figures with every evaluation stand in `{}.json`.\n\n{}\n",
        study.title, study.name, study.file, study.about
    );
    text += "Returns are means over greedy episodes: *final* is the last evaluation of training, *absolute* ten times as many \
             episodes with the parameters of the best evaluation.\n";
    if let Some(solved) = study.solved {
        text += &format!(
            "*Solved at* is the environment step of the first evaluation above {solved}.\n"
        );
    }
    text += "The last line gives the interquartile mean over seeds with its 95 % bootstrap interval (percentiles, over all \
             resamples).\n\
             *Load* is the machine's one-minute load average when the run began: it was shared, so that seconds are upper \
             bounds.\n\n";
    text += &format!(
        "- Seeds: {:?}, all reported\n- Commit: `{}`\n- Machine: {}, instruction set {}, libtorch {} with {} thread\n\n",
        study.seeds,
        build(trained, "revision"),
        machine(),
        build(trained, "instructions"),
        build(trained, "libtorch"),
        build(trained, "torch_threads"),
    );
    for (scenario, runs) in study.scenarios.iter().zip(trained) {
        let steps = runs.first().map_or(0, |run| run.steps);
        text += &format!("## {scenario}\n\n{} environment steps.\n\n", thousands(steps));
        let columns = runs.first().map_or(&[][..], |run| &run.columns);
        let mut head = vec!["seed", "final return", "absolute return"];
        head.extend(columns.iter().map(|column| column.name.as_str()));
        head.extend(study.solved.map(|_| "solved at"));
        head.extend(["seconds", "load"]);
        text += &row(&head);
        text += &row(&vec!["---"; head.len()]).replace(' ', "");
        for run in runs {
            let mut cells = vec![
                run.seed.to_string(),
                format!("{:.3}", run.last),
                format!("{:.4}", run.absolute),
            ];
            cells.extend(
                run.columns.iter().map(|Column { value, digits, .. }| format!("{value:.digits$}")),
            );
            let solved_at =
                |solved| run.solved_at(solved).map_or_else(|| "never".to_owned(), thousands);
            cells.extend(study.solved.map(solved_at));
            cells.extend([format!("{:.0}", run.seconds), run.load.clone()]);
            text += &row(&cells);
        }
        let summary = |of: &dyn Fn(&Trained) -> f64, digits: usize| {
            let values: Vec<f64> = runs.iter().map(of).collect();
            let [low, high] = interval(&values);
            format!("{:.digits$} [{low:.digits$}, {high:.digits$}]", interquartile_mean(&values))
        };
        let mut cells =
            vec!["all".to_owned(), summary(&|run| run.last, 3), summary(&|run| run.absolute, 4)];
        cells.extend(
            columns
                .iter()
                .enumerate()
                .map(|(number, column)| summary(&|run| run.columns[number].value, column.digits)),
        );
        cells.resize(head.len(), String::new());
        text += &(row(&cells) + "\n");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// One line of a table.
fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn as_json(study: &Study, trained: &[Vec<Trained>]) -> Value {
    let scenarios: Vec<_> = study
        .scenarios
        .iter()
        .zip(trained)
        .map(|(scenario, runs)| {
            let last: Vec<f64> = runs.iter().map(|run| run.last).collect();
            let seeds: Vec<_> = runs
                .iter()
                .map(|run| {
                    json!({
                        "seed": run.seed,
                        "final_return": run.last,
                        "absolute_return": run.absolute,
                        "environment_steps": run.steps,
                        "solved_at": study.solved.and_then(|solved| run.solved_at(solved)),
                        "tallies": run
                            .columns
                            .iter()
                            .map(|column| (column.name.clone(), column.value))
                            .collect::<BTreeMap<_, _>>(),
                        "seconds": run.seconds,
                        "load_average": run.load,
                        "digest": run.manifest["digest"],
                        "evaluations": run.curve,
                    })
                })
                .collect();
            json!({
                "scenario": scenario,
                "final_return_interquartile_mean": interquartile_mean(&last),
                "final_return_interval_95": interval(&last),
                "seeds": seeds,
            })
        })
        .collect();
    json!({
        "study": study.name,
        "command": format!("cargo xtask results {}", study.name),
        "machine": machine(),
        "build": trained.iter().flatten().next().map(|run| run.manifest["build"].clone()),
        "scenarios": scenarios,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked by hand: of five values the smallest and the largest are cut off.
    #[test]
    fn the_interquartile_mean_cuts_a_quarter_off_each_end() {
        for (values, expected) in [
            (&[1.0, 2.0, 3.0, 4.0, 100.0][..], 3.0),
            (&[5.0][..], 5.0),
            (&[8.0, 0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 90.0][..], 4.25),
        ] {
            assert!((interquartile_mean(values) - expected).abs() < 1e-12, "{values:?}");
        }
    }

    /// Two values have the resamples {a, a}, {a, b}, {b, a}, {b, b}.
    #[test]
    fn the_interval_covers_the_resamples() {
        let close = |found: [f64; 2], expected: [f64; 2]| {
            assert!(
                (found[0] - expected[0]).abs() < 1e-12 && (found[1] - expected[1]).abs() < 1e-12
            );
        };
        close(interval(&[0.25, 0.75]), [0.25, 0.75]);
        close(interval(&[0.5; 5]), [0.5, 0.5]);
        let [low, high] = interval(&[0.0, 0.1, 0.2, 0.3, 0.4]);
        assert!(low > 0.0 && low < 0.2 && high > 0.2 && high < 0.4, "{low} {high}");
    }

    #[test]
    fn studies_name_scenarios_that_exist() {
        for study in STUDIES {
            assert!(study.seeds.len() <= MOST_SEEDS, "the interval is exact up to {MOST_SEEDS}");
            for named in study.scenarios {
                let name = named.split(' ').next().unwrap_or_default();
                let path = root().join("assets/scenarios").join(name).with_extension("ron");
                assert!(path.exists(), "{}", path.display());
            }
        }
        assert_eq!(thousands(2_050_000), "2,050,000");
    }
}
