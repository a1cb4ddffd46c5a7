//! PSRO: populations that grow by responses to themselves.
//!
//! With `game` the policies are strategies of a game that can be walked, and responses are exact or
//! tabular; without it they are what the scenario's agent learns in its environment.
//!
//! | in the run directory | |
//! |---|---|
//! | `rounds.jsonl` | one iteration a line: meta-strategy, payoffs, gains of the responses, `NashConv` where it is exact |
//! | `meta_game.json` | the empirical game: means, variances and episodes of every cell |
//! | `policies.json` | the strategies of a walked game, one list of probabilities each |
//! | `population.safetensors`, `population.json` | learned policies and what they play |
//! | `table.md` | one iteration a row |
//! | `heatmap.svg`, `meta.svg`, `frontier.svg` | the meta-game, the meta-strategy over iterations, mean against variance |
//!
//! A checkpoint stands between any two steps of the loop, also in the middle of an iteration: a run that is killed and
//! resumed ends with the same digest.

use gambol_agents::learner::{Checkpoint, LearnError};
use gambol_envs::seed::Streams;
use gambol_solvers::SolverConfig;
use gambol_solvers::game::NormalForm;
use gambol_solvers::game::sequential::{self, OneMove};
use gambol_solvers::psro::{
    BestResponse, Config, Event, Finish, Oracle, PayoffSource, Psro as Loop, Sampling, State,
    TabularQ, Target, TreeGame,
};
use gambol_solvers::rae::{critical_gamma, welfare_best};
use gambol_solvers::tree::{InformationSet, Tree};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::digest::{Entry, Kind};
use crate::drivers::solve::{self, Text};
use crate::drivers::{DriverError, Outcome};
use crate::machine;
use crate::plan::Plan;
use crate::record::{Record, RecordError};
use crate::suggest;

pub(crate) mod cross;
mod learned;
mod plot;
mod report;

use cross::Population;
use learned::{Learn, Learned, Learning, World};
use report::Report;

/// What is played, if not the scenario's environment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Game {
    /// A sequential game of the catalogue, by name.
    Sequential(String),
    /// A game in normal form: its actions are the policies there are.
    Normal(solve::Game),
}

/// Who makes responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Responses {
    /// Exact best responses over the tree of a game.
    #[default]
    Best,
    /// Tabular Q-learning from episodes of a game.
    TabularQ(TabularQ),
    /// The scenario's agent learns them in its environment.
    Learn(Learn),
}

/// The first policy of a population.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum First {
    /// Every action equally often.
    #[default]
    Even,
    /// The action of that number (from 0) everywhere; where there are fewer actions, the last one.
    Action(u16),
}

/// `run: Psro(..)`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Psro {
    /// A game that can be walked; without it, the scenario's environment is played and its agent learns.
    #[serde(default)]
    pub game: Option<Game>,
    /// The meta-solver, with its parameters.
    pub meta: SolverConfig,
    /// Whom responses are made for.
    #[serde(default)]
    pub target: Target,
    /// Who makes them.
    #[serde(default)]
    pub responses: Responses,
    /// Where payoffs come from.
    #[serde(default = "exact")]
    pub sampling: Sampling,
    /// Iterations at most.
    pub iterations: u32,
    /// So many iterations at the beginning play all policies evenly and make a response for each of the others' choices
    /// alone, so that the meta-solver has several conventions to choose from. 0.
    #[serde(default)]
    pub warmup: u32,
    /// Gain of a response, in payoff, that is too small to be added. 1e-9.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
    /// Whether policies that are there already are added again; by default with `Uniform` and `Last` only.
    #[serde(default)]
    pub repeats: Option<bool>,
    /// One population for all players of a game, which must be symmetric, or for agents of the same role.
    #[serde(default)]
    pub shared: bool,
    /// First policies of every population, at least one; `[Even]`.
    #[serde(default = "even")]
    pub first: Vec<First>,
    /// Steps of the loop (some episodes, a response, a meta-strategy) between checkpoints, at least 1. 16.
    #[serde(default = "sixteen")]
    pub checkpoint: u64,
    /// Episodes in which what was learned is evaluated in the end, at least 1. 1,000.
    #[serde(default = "thousand")]
    pub evaluate: u64,
    #[serde(skip)]
    text: Text,
}

fn thousand() -> u64 {
    1_000
}

fn exact() -> Sampling {
    Sampling::Exact
}

fn even() -> Vec<First> {
    vec![First::Even]
}

fn sixteen() -> u64 {
    16
}

fn tolerance() -> f64 {
    1e-9
}

impl Game {
    /// A name for tables and the records.
    fn name(&self) -> String {
        match self {
            Self::Sequential(name) => name.clone(),
            Self::Normal(game) => game.name(),
        }
    }
}

impl Psro {
    pub(crate) fn files(&self) -> Vec<String> {
        match &self.game {
            Some(Game::Normal(game)) => game.file().map(str::to_owned).into_iter().collect(),
            Some(Game::Sequential(_)) | None => Vec::new(),
        }
    }

    pub(crate) fn take_file(&mut self, text: &str) {
        self.text = Text(Some(text.to_owned()));
    }

    /// Whether the scenario's environment is played.
    pub(crate) fn plays(&self) -> bool {
        self.game.is_none()
    }

    /// Environment steps that a learner trains for.
    pub(crate) fn training_steps(&self) -> u64 {
        match self.responses {
            Responses::Learn(learn) => learn.steps,
            Responses::Best | Responses::TabularQ(_) => 0,
        }
    }

    fn config(&self) -> Config {
        Config {
            meta: self.meta.clone(),
            target: self.target,
            sampling: self.sampling,
            iterations: self.iterations,
            warmup: self.warmup,
            tolerance: self.tolerance,
            repeats: self.repeats,
        }
    }

    fn tree(&self, game: &Game, seed: u64) -> Result<Tree, String> {
        match game {
            Game::Sequential(name) => {
                let names = || sequential::GAMES.iter().map(|entry| entry.name);
                let entry = sequential::find(name).ok_or_else(|| {
                    let known = names().collect::<Vec<_>>().join(", ");
                    let hint = suggest::hint(name, names());
                    format!("there is no sequential game `{name}`{hint}; there are {known}")
                })?;
                if self.shared {
                    return Err(format!(
                        "`{name}` is not symmetric, so its players cannot share a population"
                    ));
                }
                entry.tree().map_err(|error| error.to_string())
            }
            Game::Normal(game) => {
                let game = game.normal_form(self.text.0.as_deref(), seed, 0)?;
                if self.shared && !game.is_symmetric() {
                    return Err(
                        "the game is not symmetric, so its players cannot share a population"
                            .to_owned(),
                    );
                }
                Tree::new(&OneMove(&game)).map_err(|error| error.to_string())
            }
        }
    }

    pub(crate) fn check(&self, seed: u64) -> Vec<(&'static str, String)> {
        let mut problems = self.config().problems();
        match (&self.game, self.responses) {
            (Some(_), Responses::Learn(_)) => {
                let why = "Learn(..) learns in an environment; a `game` takes Best or TabularQ(..)";
                problems.push(("responses", why.to_owned()));
            }
            (Some(game), _) => {
                problems.extend(self.tree(game, seed).err().map(|why| ("game", why)));
            }
            (None, Responses::Learn(learn)) => {
                problems.extend(learn.problems());
                if self.sampling == Sampling::Exact {
                    let why = "payoffs of an environment are not exact; take Episodes(first: 200)";
                    problems.push(("sampling", why.to_owned()));
                }
            }
            (None, _) => {
                let why = "without a `game`, responses are learned: Learn(steps: 100000)";
                problems.push(("responses", why.to_owned()));
            }
        }
        if self.first.is_empty() {
            problems.push(("first", "none; give at least one, such as [Even]".to_owned()));
        }
        if self.evaluate == 0 {
            problems.push(("evaluate", "0, it must be at least 1".to_owned()));
        }
        if self.checkpoint == 0 {
            problems.push(("checkpoint", "0, it must be at least 1".to_owned()));
        }
        if let Responses::TabularQ(learning) = self.responses {
            if !(0.0..=1.0).contains(&learning.exploration) {
                let why = format!("exploration {}, it must be in [0, 1]", learning.exploration);
                problems.push(("responses", why));
            }
            if learning.episodes == 0 {
                problems.push(("responses", "episodes 0, it must be at least 1".to_owned()));
            }
        }
        problems
    }

    pub(crate) fn run(&self, plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
        match (&self.game, self.responses) {
            (None, Responses::Learn(learn)) => self.learn(learn, plan, record),
            (None, _) | (Some(_), Responses::Learn(_)) => Err(DriverError::Missing("game")),
            (Some(game), Responses::Best) => self.walk(game, None, plan, record),
            (Some(game), Responses::TabularQ(learning)) => {
                self.walk(game, Some(learning), plan, record)
            }
        }
    }

    /// On a game that can be walked.
    fn walk(
        &self,
        named: &Game,
        learning: Option<TabularQ>,
        plan: &Plan,
        record: &mut Record,
    ) -> Result<Outcome, DriverError> {
        let game = TreeGame::new(self.tree(named, plan.seed).map_err(DriverError::Solve)?);
        let tree = game.tree();
        let players = tree.players();
        let roles: Vec<usize> = (0..players).map(|p| if self.shared { 0 } else { p }).collect();
        let populations = if self.shared { 1 } else { players };
        let policy = |player: usize, first: First| match first {
            First::Even => Ok(tree.uniform(player)),
            First::Action(action) => {
                let sets = tree.sets(player).iter();
                let actions: Vec<usize> =
                    sets.map(|set| usize::from(action).min(set.actions.len() - 1)).collect();
                tree.pure(player, &actions).map_err(|error| DriverError::Solve(error.to_string()))
            }
        };
        let first = (0..populations)
            .map(|player| self.first.iter().map(|&first| policy(player, first)).collect())
            .collect::<Result<_, DriverError>>()?;
        let measure = |state: &State<Vec<f64>>| {
            let meta = state.meta.as_ref()?;
            Some(game.gains(state.table.roles(), &state.populations, &report::joint(meta)))
        };
        let mut best = BestResponse(&game);
        let mut learner;
        let oracle: &mut dyn Oracle<Vec<f64>> = match learning {
            None => &mut best,
            Some(learning) => {
                learner = learning.on(&game);
                &mut learner
            }
        };
        let start = self.start(named.name(), roles, first);
        let mut driven = start.drive(plan, record, &game, oracle, &measure)?;
        if let Some(outcome) = driven.interrupted() {
            return Ok(outcome);
        }
        let sets = |player: usize| -> Value {
            let of =
                |set: &InformationSet| json!({ "information": set.key, "actions": set.actions });
            tree.sets(player).iter().map(of).collect()
        };
        let sets: Vec<Value> = (0..players).map(sets).collect();
        let policies = json!({ "sets": sets, "populations": driven.psro.state.populations });
        driven.add("policies.json", policies.to_string());
        driven.finish(record)
    }

    fn start<P>(&self, name: String, roles: Vec<usize>, first: Vec<Vec<P>>) -> Start<P> {
        Start { name, config: self.config(), roles, first, save_every: self.checkpoint }
    }

    /// In the scenario's environment, with its agent.
    fn learn(
        &self,
        learn: Learn,
        plan: &Plan,
        record: &mut Record,
    ) -> Result<Outcome, DriverError> {
        let arena = plan.arena.as_ref().ok_or(DriverError::Missing("env"))?;
        let player = plan.player.as_ref().ok_or(DriverError::Missing("agent"))?;
        let world = World::new(arena, player, learn);
        let mut names: Vec<&str> = Vec::new();
        let mut roles = Vec::new();
        for (agent, name) in arena.spec.roles.iter().enumerate() {
            roles.push(if self.shared {
                names.iter().position(|known| known == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                })
            } else {
                agent
            });
        }
        let populations = roles.iter().max().map_or(0, |most| most + 1);
        if self.shared && populations == roles.len() {
            let why = format!(
                "`run.shared`: no two agents of {} have the same role ({})",
                arena.spec.name,
                arena.spec.roles.join(", ")
            );
            return Err(DriverError::Solve(why));
        }
        let policy = |first: &First| match *first {
            First::Even => Learned::Random,
            First::Action(action) => Learned::Constant(action),
        };
        let first: Vec<Learned> = self.first.iter().map(policy).collect();
        let first = vec![first; populations];
        let start = self.start(arena.name.clone(), roles, first);
        let mut driven = start.drive(plan, record, &world, &mut Learning(&world), &|_| None)?;
        if let Some(outcome) = driven.interrupted() {
            return Ok(outcome);
        }
        let population = Population::of(&driven.psro.state).ok_or(DriverError::Missing("meta"))?;
        record.parameters(cross::FILE, &population.saved())?;
        let agents = arena.spec.agents;
        let streams = Streams::new(plan.seed);
        let played = cross::play(&world, &vec![&population; agents], streams, self.evaluate)
            .map_err(|error| DriverError::Solve(error.to_string()))?;
        driven.evaluation = cross::summary(&played, agents, &arena.spec.tallies);
        driven.add("population.json", json!(population.about).to_string());
        driven.finish(record)
    }
}

/// Policies that a checkpoint can hold.
pub(super) trait Kept: Sized {
    /// Writes the policy under names that begin with `prefix`.
    fn put(&self, prefix: &str, into: &mut Checkpoint);

    /// Reads it back.
    fn get(prefix: &str, from: &Checkpoint) -> Result<Self, LearnError>;
}

impl Kept for Vec<f64> {
    fn put(&self, prefix: &str, into: &mut Checkpoint) {
        into.put_f64(prefix, &[self.len()], self.clone());
    }

    fn get(prefix: &str, from: &Checkpoint) -> Result<Self, LearnError> {
        let length = from.tensors.get(prefix).map_or(0, |saved| saved.shape.iter().product());
        Ok(from.f64(prefix, &[length])?.to_vec())
    }
}

/// A run before its first step.
pub(super) struct Start<P> {
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) roles: Vec<usize>,
    pub(super) first: Vec<Vec<P>>,
    /// Steps of the loop between checkpoints.
    pub(super) save_every: u64,
}

/// Gains of all players in the whole game, where they can be computed.
pub(super) type Measure<'a, P> = &'a dyn Fn(&State<P>) -> Option<Vec<f64>>;

/// A run that has ended or was told to stop.
pub(super) struct Driven<P> {
    pub(super) psro: Loop<P>,
    name: String,
    lines: Vec<Value>,
    finish: Option<Finish>,
    files: Vec<(&'static str, String)>,
    /// What episodes of the last mixtures gave.
    evaluation: Value,
}

impl<P: Kept + Clone + PartialEq + Send + Sync> Start<P> {
    /// Makes steps until the run is over, or it is told to stop.
    pub(super) fn drive<S: PayoffSource<Policy = P>>(
        self,
        plan: &Plan,
        record: &mut Record,
        source: &S,
        oracle: &mut dyn Oracle<P>,
        measure: Measure<'_, P>,
    ) -> Result<Driven<P>, DriverError> {
        let streams = Streams::new(plan.seed);
        let failed = |error: gambol_solvers::psro::PsroError| DriverError::Solve(error.to_string());
        let iterations = u64::from(self.config.iterations);
        let (mut psro, mut step, mut lines) = match record.take_resumed() {
            Some((step, saved)) => {
                let (state, lines) = load(&saved).map_err(|error| {
                    let why = format!("the checkpoint does not fit the scenario: {error}");
                    DriverError::Record(RecordError::Directory(why))
                })?;
                (Loop::resume(self.config, streams, state), step, lines)
            }
            None => {
                let psro =
                    Loop::new(self.config, self.roles, self.first, streams).map_err(failed)?;
                (psro, 0, Vec::new())
            }
        };
        let progress = record.progress(iterations, "iterations");
        progress.set(u64::from(psro.state.iteration));
        let finish = loop {
            if machine::stopping() {
                break None;
            }
            let event = psro.advance(source, oracle).map_err(failed)?;
            step += 1;
            record.log.add(Entry::hashed(Kind::Psro, step, &bytes(&event, &psro.state)))?;
            if event == (Event::Solved { settled: true }) {
                let gains = measure(&psro.state);
                let line = report::line(&psro.state, gains.as_deref());
                let values = report::metrics(&line);
                let values: Vec<(&str, f64)> =
                    values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                record.metrics(u64::from(psro.state.iteration), &values)?;
                progress.set(u64::from(psro.state.iteration));
                lines.push(line);
            }
            if let Event::Finished(finish) = event {
                break Some(finish);
            }
            if step % self.save_every == 0 {
                save(record, step, &psro.state, &lines)?;
            }
        };
        progress.finish();
        if finish.is_none() {
            save(record, step, &psro.state, &lines)?;
        }
        let files = Vec::new();
        let evaluation = Value::Null;
        Ok(Driven { psro, name: self.name, lines, finish, files, evaluation })
    }
}

impl<P> Driven<P> {
    /// What to say of a run that was told to stop; none if it came to its end.
    pub(super) fn interrupted(&self) -> Option<Outcome> {
        if self.finish.is_some() {
            return None;
        }
        let results = json!({
            "game": self.name,
            "complete": false,
            "iterations": self.psro.state.iteration,
            "population_sizes": self.psro.state.sizes(),
        });
        Some(Outcome { results, complete: false })
    }

    /// One more file of results.
    pub(super) fn add(&mut self, name: &'static str, text: String) {
        self.files.push((name, text));
    }
}

impl<P: Clone + PartialEq + Send + Sync> Driven<P> {
    /// With `Rae`: the joint choice that is best for all together, and up to which gamma it is an equilibrium of the
    /// empirical game.
    fn convention(&self, game: &NormalForm) -> Result<Value, gambol_solvers::solution::SolveError> {
        let Some(risk) = self.psro.config().risk(game.players()) else { return Ok(Value::Null) };
        let best = welfare_best(game);
        let critical = critical_gamma(game, &best, risk.tremble)?;
        // JSON has no infinity: none for a choice that every gamma keeps, -1 for one that is no equilibrium.
        let critical: Vec<f64> = critical.into_iter().map(|gamma| gamma.max(-1.0)).collect();
        // The least share that any player gives it.
        let played = self.psro.state.meta.as_ref().map(|meta| {
            let shares = best.iter().zip(&meta.profile).map(|(&at, mix)| mix[at]);
            shares.fold(1.0, f64::min)
        });
        Ok(json!({
            "welfare_best": best,
            "critical_gamma": critical,
            "gamma": risk.gamma,
            "share": played,
        }))
    }

    /// Writes the files and gives the results.
    pub(super) fn finish(self, record: &mut Record) -> Result<Outcome, DriverError> {
        let solve =
            |error: gambol_solvers::solution::SolveError| DriverError::Solve(error.to_string());
        let game = self.psro.game().map_err(solve)?;
        let convention = self.convention(&game).map_err(solve)?;
        let mut lines = self.lines;
        report::fill_gains(&mut lines, &self.psro.state);
        let report = Report::new(&self.name, &game, &self.psro.state, &lines).map_err(solve)?;
        let mut all = self.files;
        all.push(("rounds.jsonl", lines.iter().map(|line| format!("{line}\n")).collect()));
        all.push(("meta_game.json", json!(self.psro.state.table).to_string()));
        all.push(("table.md", report.markdown()));
        all.push(("heatmap.svg", plot::heatmap(&report).map_err(DriverError::Plot)?));
        all.push(("meta.svg", plot::meta(&report).map_err(DriverError::Plot)?));
        all.push(("frontier.svg", plot::frontier(&report).map_err(DriverError::Plot)?));
        let mut files = serde_json::Map::new();
        for (name, text) in all {
            files.insert(name.to_owned(), json!(record.file(name, text.as_bytes())?));
        }
        let state = &self.psro.state;
        let last = lines.last().cloned().unwrap_or_default();
        let results = json!({
            "game": self.name,
            "complete": true,
            "stop": self.finish,
            "iterations": state.iteration,
            "population_sizes": state.sizes(),
            "episodes": state.table.episodes(),
            "nash_conv": last["nash_conv"],
            "payoffs": last["payoffs"],
            "performance": report.performance(),
            "convention": convention,
            "evaluation": self.evaluation,
            "table": report.value(),
            "files": files,
        });
        record.log.add(Entry::hashed(Kind::Results, 0, results.to_string().as_bytes()))?;
        Ok(Outcome { results, complete: true })
    }
}

/// What a step did, as bytes for the digest.
fn bytes<P: Kept>(event: &Event, state: &State<P>) -> Vec<u8> {
    let mut bytes = format!("{event:?}").into_bytes();
    match event {
        Event::Played { .. } => bytes.extend(json!(state.table).to_string().into_bytes()),
        Event::Solved { .. } => bytes.extend(json!(state.meta).to_string().into_bytes()),
        Event::Grown => {
            let mut last = Checkpoint::default();
            for (role, population) in state.populations.iter().enumerate() {
                bytes.extend((population.len() as u64).to_le_bytes());
                // Earlier ones were hashed when they joined; two at most join a shared population
                // at once, one for each player.
                for (place, policy) in
                    population.iter().enumerate().rev().take(state.table.players())
                {
                    policy.put(&format!("{role}.{place}"), &mut last);
                }
            }
            for (name, saved) in &last.tensors {
                bytes.extend(name.as_bytes());
                bytes.extend(crate::digest::value_bytes(&saved.values));
            }
        }
        _ => {}
    }
    bytes
}

/// Name of a policy's tensors.
fn name(number: usize) -> String {
    format!("policy.{number}")
}

fn save<P: Kept + Clone>(
    record: &mut Record,
    step: u64,
    state: &State<P>,
    lines: &[Value],
) -> Result<(), DriverError> {
    if !record.keeps_checkpoints() {
        return Ok(());
    }
    let mut saved = Checkpoint::default();
    let mut number = 0;
    let numbered = state.clone().try_map(|policy| {
        policy.put(&name(number), &mut saved);
        number += 1;
        Ok::<_, LearnError>(number - 1)
    });
    saved.put_u8("state", json!(numbered?).to_string().into_bytes());
    saved.put_u8("rounds", json!(lines).to_string().into_bytes());
    Ok(record.checkpoint(step, &saved)?)
}

fn load<P: Kept>(saved: &Checkpoint) -> Result<(State<P>, Vec<Value>), LearnError> {
    let damaged = |error: serde_json::Error| LearnError::Checkpoint(error.to_string());
    let state: State<usize> = serde_json::from_slice(saved.u8("state")?).map_err(damaged)?;
    let state = state.try_map(|number| P::get(&name(number), saved))?;
    let lines = serde_json::from_slice(saved.u8("rounds")?).map_err(damaged)?;
    Ok((state, lines))
}
