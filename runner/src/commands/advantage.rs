//! `gambol advantage`: credit assignment for trajectories that were logged elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gambol_agents::gigpo::advantage::{
    AdvantageError, Advantages, Estimator, LoneGroup, Method, Normalisation, Statistics,
};
use gambol_agents::gigpo::diagnostics::Diagnostics;
use gambol_agents::gigpo::grouping::{Agents, Grouping};
use gambol_agents::gigpo::rows::{Key, Row, Rows};
use gambol_agents::gigpo::similarity::Clusters;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Failure, note, print};
use crate::clock::Stopwatch;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MethodName {
    /// Episode level plus omega times step level
    Gigpo,
    /// Episode level alone
    Grpo,
    /// Score minus the mean score of the others
    Rloo,
    /// Generalised advantage estimation along trajectories; rows need a "value"
    Gae,
    /// Score minus value, whitened over all rows: PPO as verl-agent has it
    RowGae,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Norm {
    /// Divide by the standard deviation
    Std,
    /// Only subtract the mean
    None,
    /// Subtract the mean of the others
    LeaveOneOut,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Entries {
    /// Every row: verl-agent's default
    Rows,
    /// Every trajectory once, by its first row: the paper's equation 3
    Trajectories,
    /// Every trajectory once, by the mean score of its rows
    TrajectoryMeans,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lone {
    /// The score itself: verl-agent
    Raw,
    /// 0: the paper's equation 3
    Zero,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    /// Own rewards, compared with own rows
    Apart,
    /// Own rewards, compared with all agents' rows
    Pooled,
    /// All rewards of the trajectory, compared with all agents' rows
    Team,
}

/// Rows are JSON objects, one a line, in time order within each trajectory, with the fields `group`,
/// `trajectory`, `state` (texts, numbers, lists or objects), `reward`, and if wanted `invalid` (true or
/// false), `agent` and `value`. Other fields are handed through.
#[derive(Debug, Args)]
pub(super) struct Advantage {
    /// Logged rows, one JSON object a line; `-` reads the standard input
    #[arg(value_name = "ROWS.jsonl")]
    rows: PathBuf,
    /// What to estimate
    #[arg(long, value_enum, default_value = "gigpo")]
    method: MethodName,
    /// Discount of step returns, 0 to 1
    #[arg(long, value_name = "G", default_value_t = Estimator::default().gamma)]
    gamma: f64,
    /// Weight of the step level (gigpo) [default: 1]
    #[arg(long, value_name = "W")]
    omega: Option<f64>,
    /// Mix of one-step and whole-trajectory errors, 0 to 1 (gae) [default: 0.95]
    #[arg(long, value_name = "L")]
    lambda: Option<f64>,
    /// What an advantage is divided by, at both levels (gigpo, grpo)
    #[arg(long, value_enum, default_value = "std")]
    norm: Norm,
    /// What makes up the episode statistics of a group
    #[arg(long, value_enum, default_value = "rows")]
    statistics: Entries,
    /// The episode advantage in a group with a single entry
    #[arg(long, value_enum, default_value = "raw")]
    lone: Lone,
    /// Subtracted from an invalid row's own score and return
    #[arg(long, value_name = "P", default_value_t = Estimator::default().invalid_penalty)]
    invalid_penalty: f64,
    /// Texts of at least this similarity count as one state (Ratcliff-Obershelp, between 0 and 1)
    #[arg(long, value_name = "T")]
    similarity: Option<f64>,
    /// Whose rewards make a return, and whose rows are compared, where rows name an agent
    #[arg(long, value_enum, default_value = "apart")]
    agents: Whose,
    /// Print the rows in order, with `episode_advantage`, `step_advantage`, `advantage` and `return` added,
    /// instead of a summary
    #[arg(long)]
    json: bool,
}

/// The fields of a row that are read. Those that are to be added must not be there yet.
#[derive(Deserialize)]
struct Line<S> {
    group: Key,
    trajectory: Key,
    state: S,
    reward: f64,
    #[serde(default)]
    invalid: bool,
    agent: Option<Key>,
    value: Option<f64>,
    episode_advantage: Option<IgnoredAny>,
    step_advantage: Option<IgnoredAny>,
    advantage: Option<IgnoredAny>,
    r#return: Option<IgnoredAny>,
}

impl<S> Line<S> {
    fn taken(&self) -> Option<&'static str> {
        let added = [
            ("episode_advantage", &self.episode_advantage),
            ("step_advantage", &self.step_advantage),
            ("advantage", &self.advantage),
            ("return", &self.r#return),
        ];
        added.into_iter().find_map(|(name, value)| value.as_ref().map(|_| name))
    }

    fn row(&self, state: Key) -> Row {
        Row {
            group: self.group,
            trajectory: self.trajectory,
            agent: self.agent,
            state,
            reward: self.reward,
            invalid: self.invalid,
            value: self.value,
        }
    }
}

/// What makes one state out of equal, or out of similar, ones.
enum States {
    Equal,
    Similar { threshold: f64, clusters: BTreeMap<(Key, Option<Key>), Clusters> },
}

/// Why a line is no row: a column where known, and the reason.
struct BadLine {
    column: Option<usize>,
    why: String,
}

impl From<serde_json::Error> for BadLine {
    fn from(error: serde_json::Error) -> Self {
        // The line within the line is of no use to anybody.
        let text = error.to_string();
        let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why).to_owned();
        Self { column: Some(error.column()), why }
    }
}

impl From<String> for BadLine {
    fn from(why: String) -> Self {
        Self { column: None, why }
    }
}

impl States {
    fn row(&mut self, text: &str) -> Result<Row, BadLine> {
        fn checked<S>(line: Line<S>) -> Result<Line<S>, BadLine> {
            match line.taken() {
                Some(name) => Err(format!(
                    "the row has a field `{name}` already, which would be added; rename or remove it"
                )
                .into()),
                None => Ok(line),
            }
        }
        match self {
            Self::Equal => {
                let line: Line<Key> = checked(serde_json::from_str(text)?)?;
                Ok(line.row(line.state))
            }
            Self::Similar { threshold, clusters } => {
                let line: Line<Cow<'_, str>> = checked(serde_json::from_str(text)?)?;
                let own = clusters
                    .entry((line.group, line.agent))
                    .or_insert_with(|| Clusters::new(*threshold));
                let cluster = own.join(&line.state);
                Ok(line.row(Key::integer(cluster as i128)))
            }
        }
    }
}

/// Calls `each` with the number (from 1) and text of every line that is not blank.
fn lines(
    source: &mut impl BufRead,
    name: &str,
    mut each: impl FnMut(usize, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = source
            .read_until(b'\n', &mut line)
            .map_err(|error| Failure::Run(format!("cannot read {name}: {error}")))?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        let text = std::str::from_utf8(&line)
            .map_err(|_| Failure::Input(format!("{name}:{number}: the line is not UTF-8")))?
            .trim();
        if !text.is_empty() {
            each(number, text)?;
        }
    }
}

impl Advantage {
    pub(super) fn work(self) -> Result<(), Failure> {
        let estimator = self.estimator()?;
        let name = self.rows.display().to_string();
        let mut file = open(&self.rows)?;
        let mut rows = Rows::default();
        let mut states = match self.similarity {
            None => States::Equal,
            Some(threshold) => States::Similar { threshold, clusters: BTreeMap::new() },
        };
        let mut numbers = Vec::new();
        lines(&mut BufReader::with_capacity(1 << 18, &mut file), &name, |number, text| {
            let bad = |BadLine { column, why }| {
                let column = column.map(|column| format!(":{column}")).unwrap_or_default();
                Failure::Input(format!("{name}:{number}{column}: {why}"))
            };
            let row = states.row(text).map_err(bad)?;
            numbers.push(number);
            rows.push(row).map_err(|error| bad(error.to_string().into()))
        })?;
        let agents = match self.agents {
            Whose::Apart => Agents::Apart,
            Whose::Pooled => Agents::Pooled,
            Whose::Team => Agents::Team,
        };
        let clock = Stopwatch::start();
        let grouping = Grouping::new(&rows, agents);
        let grouped = clock.seconds();
        let advantages = estimator.estimate(&rows, &grouping).map_err(|error| match error {
            AdvantageError::NoValue { row } => Failure::Input(format!(
                "{name}:{}: the row has no `value`, which this method needs in every row",
                numbers[row]
            )),
            other => Failure::Input(other.to_string()),
        })?;
        let summary = Summary {
            found: Diagnostics::new(&grouping, &advantages),
            grouping: grouped,
            estimate: clock.seconds() - grouped,
        };
        if !self.json {
            return print(&summary.to_string());
        }
        file.rewind()
            .map_err(|error| Failure::Run(format!("cannot read {name} again: {error}")))?;
        join(&mut BufReader::with_capacity(1 << 18, file), &name, &advantages)?;
        note(&summary.to_string());
        Ok(())
    }

    fn estimator(&self) -> Result<Estimator, Failure> {
        let only = |given: Option<f64>, flag: &str, method: &str| match given {
            Some(_) => {
                Err(Failure::Input(format!("`--{flag}` goes with `--method {method}` only")))
            }
            None => Ok(()),
        };
        if !matches!(self.method, MethodName::Gigpo) {
            only(self.omega, "omega", "gigpo")?;
        }
        if !matches!(self.method, MethodName::Gae) {
            only(self.lambda, "lambda", "gae")?;
        }
        if let Some(threshold) = self.similarity.filter(|&t| !(t > 0.0 && t < 1.0)) {
            let why = "has to be above 0 and below 1; without it, equal states are grouped";
            return Err(Failure::Input(format!("similarity is {threshold}, and {why}")));
        }
        let estimator = Estimator {
            method: match self.method {
                MethodName::Gigpo => Method::Gigpo { omega: self.omega.unwrap_or(1.0) },
                MethodName::Grpo => Method::Grpo,
                MethodName::Rloo => Method::Rloo,
                MethodName::Gae => Method::Gae { lambda: self.lambda.unwrap_or(0.95) },
                MethodName::RowGae => Method::RowGae,
            },
            normalisation: match self.norm {
                Norm::Std => Normalisation::Std,
                Norm::None => Normalisation::Mean,
                Norm::LeaveOneOut => Normalisation::LeaveOneOut,
            },
            statistics: match self.statistics {
                Entries::Rows => Statistics::Rows,
                Entries::Trajectories => Statistics::Trajectories,
                Entries::TrajectoryMeans => Statistics::TrajectoryMeans,
            },
            lone_group: match self.lone {
                Lone::Raw => LoneGroup::Raw,
                Lone::Zero => LoneGroup::Zero,
            },
            gamma: self.gamma,
            invalid_penalty: self.invalid_penalty,
        };
        estimator.check().map_err(|error| Failure::Input(error.to_string()))?;
        Ok(estimator)
    }
}

/// The rows as a file that can be read twice, for statistics of a group need all of it.
fn open(path: &Path) -> Result<File, Failure> {
    if path != Path::new("-") {
        return File::open(path)
            .map_err(|error| Failure::Input(format!("cannot read {}: {error}", path.display())));
    }
    let spool = || -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    spool().map_err(|error| Failure::Run(format!("cannot keep the standard input: {error}")))
}

/// Prints every row as it was written, with its advantages added.
fn join(source: &mut impl BufRead, name: &str, found: &Advantages) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    let mut row = 0;
    let changed = || Failure::Run(format!("{name} changed while it was read; run again"));
    let mut gone = false;
    let failed = |error: io::Error| Failure::Run(format!("cannot write the results: {error}"));
    lines(source, name, |_, text| {
        if gone {
            return Ok(());
        }
        let object = text.strip_suffix('}').ok_or_else(changed)?.trim_end();
        let (episode, step) = (found.episode.get(row), found.step.get(row));
        let (Some(episode), Some(step)) = (episode, step) else { return Err(changed()) };
        let (advantage, returned) = (found.advantage[row], found.returns[row]);
        row += 1;
        // A reader that went away is no error.
        match writeln!(
            out,
            "{object},\"episode_advantage\":{episode:?},\"step_advantage\":{step:?},\
             \"advantage\":{advantage:?},\"return\":{returned:?}}}"
        ) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => gone = true,
            other => other.map_err(failed)?,
        }
        Ok(())
    })?;
    if !gone && row != found.advantage.len() {
        return Err(changed());
    }
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
        _ => Ok(()),
    }
}

/// What to look at before trusting the advantages.
struct Summary {
    found: Diagnostics,
    grouping: f64,
    estimate: f64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostics { rows, groups, trajectories, anchor_groups, .. } = self.found;
        let d = &self.found;
        writeln!(f, "{rows} rows, {trajectories} trajectories, {groups} groups")?;
        writeln!(
            f,
            "{anchor_groups} anchor groups, {:.1} rows each, {:.1} percent of them singletons",
            d.mean_anchor_size,
            100.0 * d.singleton_share
        )?;
        writeln!(f, "anchor groups of 1, 2, 3-5, 6-9, 10-49, 50+ rows: {:?}", d.anchor_sizes)?;
        writeln!(
            f,
            "variance: episode {:.6}, step {:.6}, advantage {:.6}",
            d.episode_variance, d.step_variance, d.advantage_variance
        )?;
        writeln!(f, "grouping {:.3} s, estimate {:.3} s", self.grouping, self.estimate)
    }
}
