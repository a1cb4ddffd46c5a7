//! Studies of `cargo xtask results` in which populations grow by several methods and then meet each other's.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::command::{program, root};
use crate::runs::{Run, read_json};

/// What is compared, and how.
pub(crate) struct Study {
    pub(crate) name: &'static str,
    title: &'static str,
    about: &'static str,
    /// Name in `assets/scenarios`, without ending.
    scenario: &'static str,
    /// A label, and what is set in the scenario.
    methods: &'static [(&'static str, &'static [&'static str])],
    pub(crate) seeds: &'static [u64],
    /// Episodes of every pair of methods and seed.
    episodes: &'static str,
    /// Tallies to be added up and shown per thousand episodes; with an empty beginning, each by itself and per episode.
    counted: &'static str,
}

const DRIVERS: &[(&str, &[&str])] = &[
    ("self-play", &["run.meta=Last()", "run.target=Mixture"]),
    ("uniform", &["run.meta=Uniform()", "run.target=Mixture"]),
    ("nash", &["run.meta=LemkeHowson()", "run.target=Mixture"]),
    (
        "nash, variance-penalised learning",
        &["run.meta=LemkeHowson()", "run.target=Mixture", "run.responses.variance=0.02"],
    ),
    ("rae 0.05", &["run.meta.gamma=0.05"]),
    ("rae 0.2", &["run.meta.gamma=0.2"]),
    ("rae 1", &["run.meta.gamma=1.0"]),
    ("rae 0.2, total variance", &["run.meta.gamma=0.2", "run.meta.variance=Total"]),
];

const ABOUT_DRIVERS: &str = "\
Two drivers learn (`Ippo`, each its own reward) among IDM traffic; each has a population of its own that begins with random driving and gets four responses.
Of every method and seed the first driver's population then meets every method's second driver's of the same seed.
`rae` has risk-averse responses (re-weighted opponents) and believes the other to play every policy with at least 0.02; all of that is a reconstruction.
";

pub(crate) const STUDIES: &[Study] = &[
    Study {
        name: "psro-merge",
        title: "Two learning drivers where a road joins a highway",
        about: ABOUT_DRIVERS,
        scenario: "psro-merge-ippo",
        methods: DRIVERS,
        seeds: &[1, 2, 3, 4, 5],
        episodes: "400",
        counted: "crashed",
    },
    Study {
        name: "psro-two-way",
        title: "Two learning drivers on a two-way road",
        about: ABOUT_DRIVERS,
        scenario: "psro-two-way-ippo",
        methods: DRIVERS,
        seeds: &[1, 2, 3, 4, 5],
        episodes: "400",
        counted: "crashed",
    },
    Study {
        name: "psro-trust",
        title: "Which convention a population settles on in a trust dilemma",
        about: "\
Monster-Hunt on 3x3 cells with one apple, 20 steps, tabular Q-learning; both agents share one population, which begins with one who wanders at random and one who stays.
Whoever stays is visited by the monster, so that responses to it learn to hunt; responses to one who wanders learn to pick apples.
Two iterations of warm-up make a response to each policy alone, so that both conventions are there to be chosen from.
*together* counts monsters hunted by both, *betrayed* agents left alone with it, *safe* apples eaten, each over an episode.
`rae` believes the other to play every policy with at least 0.02 and starts from the joint choice that is best for both together; theory says that this choice is left above the critical gamma of the empirical game, `(mu_h - mu_a) / (2 (Sigma_hh - Sigma_ah))` at its least.
",
        scenario: "psro-monster-hunt",
        methods: &[
            ("uniform", &["run.meta=Uniform()", "run.target=Mixture"]),
            ("nash", &["run.meta=LemkeHowson()", "run.target=Mixture"]),
            (
                "welfare (CCE)",
                &["run.meta=CoarseCorrelated(objective: Welfare)", "run.target=Mixture"],
            ),
            ("rae 0", &["run.meta.gamma=0.0"]),
            ("rae 0.01", &["run.meta.gamma=0.01"]),
            ("rae 0.03", &["run.meta.gamma=0.03"]),
            ("rae 0.1", &["run.meta.gamma=0.1"]),
            ("rae 0.3", &["run.meta.gamma=0.3"]),
            ("rae 1", &["run.meta.gamma=1.0"]),
        ],
        seeds: &[1, 2, 3, 4, 5],
        episodes: "400",
        counted: "",
    },
];

/// Runs the study with this `gambol`, keeping runs in `folder`, and writes its page and its numbers.
pub(crate) fn write(study: &Study, seeds: &[u64], gambol: &Path, folder: &Path) -> Result<()> {
    let jobs: Vec<(usize, u64)> = seeds
        .iter()
        .flat_map(|&seed| (0..study.methods.len()).map(move |method| (method, seed)))
        .collect();
    let dir = |(method, seed): (usize, u64)| -> PathBuf {
        folder.join(format!("{}-{method}-{seed}", study.name))
    };
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<()> {
        while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (method, seed) = job;
            let (method, sets) = study.methods[method];
            let label = format!("{}: {method}", study.name);
            let (scenario, dir) = (study.scenario, &dir(job));
            Run { label: &label, scenario, sets, seed, dir, quiet: true }.ensure(gambol)?;
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
        }
        Ok(())
    })?;
    let mut pairs = Vec::new();
    for &seed in seeds {
        let output = program(&gambol.to_string_lossy())
            .arg("cross")
            .args((0..study.methods.len()).map(|method| dir((method, seed))))
            .args(["--episodes", study.episodes, "--seed", &seed.to_string(), "--json"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start `gambol`")?;
        if !output.status.success() {
            bail!("`gambol cross` ended with {}", output.status);
        }
        let found: Value = serde_json::from_slice(&output.stdout).context("its output")?;
        pairs.push(found["pairs"].as_array().context("no pairs")?.clone());
    }
    let results: Vec<Value> =
        jobs.iter().map(|&job| read_json(&dir(job).join("results.json"))).collect::<Result<_>>()?;
    let manifest = read_json(&dir(jobs[0]).join("manifest.json"))?;
    let path = root().join("docs/results").join(study.name);
    fs::write(path.with_extension("md"), markdown(study, seeds, &pairs, &results, &manifest))?;
    let kept: Vec<Value> = jobs
        .iter()
        .zip(&results)
        .map(|(&(method, seed), results)| {
            let results = results.get("results").unwrap_or(results);
            json!({
                "method": study.methods[method].0,
                "seed": seed,
                "evaluation": results["evaluation"],
                "convention": results["convention"],
                "population_sizes": results["population_sizes"],
            })
        })
        .collect();
    let all = json!({ "build": manifest["build"], "runs": kept, "pairs": pairs });
    fs::write(path.with_extension("json"), serde_json::to_string_pretty(&all)? + "\n")?;
    Ok(())
}

/// Mean over seeds and half of its 95 % interval.
fn interval(values: &[f64]) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let half = if count > 1.0 { 1.96 * (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
    format!("{mean:.2} ± {half:.2}")
}

/// What is told of a pair: a column's head, and its number.
type Column<'a> = (String, Box<dyn Fn(&Value) -> f64 + 'a>);

fn columns<'a>(study: &'a Study, pair: &'a Value) -> Vec<Column<'a>> {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let mut columns: Vec<Column<'a>> = vec![
        ("return".to_owned(), Box::new(move |pair| number(&pair["players"][0]["mean"]))),
        ("variance".to_owned(), Box::new(move |pair| number(&pair["players"][0]["variance"]))),
        (
            "worst 5 %".to_owned(),
            Box::new(move |pair| number(&pair["players"][0]["worst_5_percent"])),
        ),
        ("other's return".to_owned(), Box::new(move |pair| number(&pair["players"][1]["mean"]))),
    ];
    if study.counted.is_empty() {
        for name in pair["tallies"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let of = move |pair: &Value| number(&pair["tallies"][name]["mean"]);
            columns.push((name.clone(), Box::new(of)));
        }
    } else {
        columns.push((
            format!("{} per 1,000", study.counted),
            Box::new(move |pair| {
                let all = pair["tallies"].as_object().into_iter().flatten();
                let own = all.filter(|(name, _)| name.starts_with(study.counted));
                1000.0 * own.map(|(_, tally)| number(&tally["mean"])).sum::<f64>()
            }),
        ));
    }
    columns
}

fn markdown(
    study: &Study,
    seeds: &[u64],
    pairs: &[Vec<Value>],
    results: &[Value],
    manifest: &Value,
) -> String {
    let methods = study.methods.len();
    let columns = columns(study, &pairs[0][0]);
    let heads: Vec<&str> = columns.iter().map(|(head, _)| head.as_str()).collect();
    let mut text = format!(
        "# {}\n\nMade by `cargo xtask results {}` (scenario `{}`, seeds {:?}, {} episodes a pair and seed, gambol {}).\n\n{}\nMeans over seeds, with normal 95 % intervals over seeds.\n",
        study.title,
        study.name,
        study.scenario,
        seeds,
        study.episodes,
        manifest["build"]["commit"].as_str().unwrap_or("of this commit"),
        study.about
    );
    let table = |text: &mut String, title: &str, others: &dyn Fn(usize) -> Vec<usize>| {
        text.push_str(&format!(
            "\n## {title}\n\n| method | {} |\n|---|{}\n",
            heads.join(" | "),
            "---|".repeat(heads.len())
        ));
        for (row, (label, _)) in study.methods.iter().enumerate() {
            let cells = columns.iter().map(|(_, of)| {
                let seeds: Vec<f64> = pairs
                    .iter()
                    .map(|pairs| {
                        let others = others(row);
                        let sum: f64 =
                            others.iter().map(|column| of(&pairs[row * methods + column])).sum();
                        sum / others.len() as f64
                    })
                    .collect();
                interval(&seeds)
            });
            text.push_str(&format!("| {label} | {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        }
    };
    table(&mut text, "Against its own population", &|row| vec![row]);
    table(&mut text, "Against the other methods' populations", &|row| {
        (0..methods).filter(|&other| other != row).collect()
    });
    let Some((head, last)) = columns.last() else { return text };
    let shown = if study.counted.is_empty() { None } else { Some((head, last)) };
    if let Some((head, of)) = shown {
        let names: Vec<&str> = study.methods.iter().map(|(label, _)| *label).collect();
        text.push_str(&format!("\n## {head}, first driver's method by row, the other's by column\n\n| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len())));
        for (row, label) in names.iter().enumerate() {
            let cells = (0..methods).map(|column| {
                interval(
                    &pairs
                        .iter()
                        .map(|pairs| of(&pairs[row * methods + column]))
                        .collect::<Vec<_>>(),
                )
            });
            text.push_str(&format!("| {label} | {} |\n", cells.collect::<Vec<_>>().join(" | ")));
        }
    }
    if study.counted.is_empty() {
        text.push_str("\n## Theory and what was chosen\n\nFor each run by `rae`: the critical gamma of the choice that is best for both in its empirical game (smaller of the two players'), and whether the mixture still gives that choice most of its weight.\n\n| method | seed | gamma | critical gamma | predicted | found |\n|---|---|---|---|---|---|\n");
        let (mut agree, mut all) = (0, 0);
        for (place, results) in results.iter().enumerate() {
            let results = results.get("results").unwrap_or(results);
            let convention = &results["convention"];
            let Some(gamma) = convention["gamma"][0].as_f64() else { continue };
            // JSON has no infinity: a missing number means that no gamma is too large.
            let critical = convention["critical_gamma"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|value| value.as_f64().unwrap_or(f64::INFINITY))
                .fold(f64::INFINITY, f64::min);
            let share = convention["share"].as_f64().unwrap_or(f64::NAN);
            let (predicted, found) = (gamma <= critical, share > 0.5);
            all += 1;
            agree += usize::from(predicted == found);
            let word = |stays: bool| if stays { "stays" } else { "leaves" };
            let (label, seed) = (study.methods[place % methods].0, seeds[place / methods]);
            text.push_str(&format!(
                "| {label} | {seed} | {gamma} | {critical:.4} | {} | {} ({share:.3}) |\n",
                word(predicted),
                word(found)
            ));
        }
        text.push_str(&format!("\nThe prediction holds in {agree} of {all} runs.\n"));
    }
    text
}
