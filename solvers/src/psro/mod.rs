//! Policy-space response oracles (PSRO): populations that grow by responses to themselves.
//!
//! One iteration: an **oracle** makes a response for every player against what the others'
//! populations play; the new policies join; the missing **cells** of the empirical game are played;
//! a **meta-solver**, any [`Solver`](crate::solution::Solver), says what the populations play now.
//!
//! Source: Lanctot and others, "A unified game-theoretic approach to multiagent reinforcement
//! learning", NIPS 2017; with exact responses the double oracle of `McMahan`, Gordon and Blum,
//! ICML 2003.
//! PSRO with the Risk-Averse Equilibrium (`Rae` with [`Target::RiskAverse`]) is a reconstruction:
//! Slumbers and others (ICML 2023) say that they do so, but not how.
//!
//! The loop knows neither games nor learning: it is given a [`PayoffSource`] and an [`Oracle`].
//! [`TreeGame`] is both for games that can be walked.
//! [`Psro::advance`] makes one step (some episodes, one response, one meta-strategy), and
//! [`State`] between two steps is all there is: saved and taken up again, the run goes on to the
//! bit.
//! Episodes are played on all threads and counted in a fixed order, so that results do not depend
//! on how many there are.

mod evaluate;
mod sampling;
mod table;
mod tabular;
mod target;
mod tree_game;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use evaluate::{Performance, performance, risk_dominant, tail};
pub use sampling::Sampling;
pub use table::{Cell, Returns, Statistics, Table};
pub use tabular::TabularQ;
pub use target::{Opponents, Target};
pub use tree_game::{BestResponse, TreeGame};

use crate::SolverConfig;
use crate::game::NormalForm;
use crate::rae::RiskAversion;
use crate::seed::Streams;
use crate::solution::{SolveError, SolveOptions};
use crate::tree::Moments;

/// What goes wrong in a payoff source or an oracle.
pub type WorldError = Box<dyn std::error::Error + Send + Sync>;

/// Plays policies against each other.
pub trait PayoffSource: Sync {
    /// A policy; equal ones play alike.
    type Policy: Clone + PartialEq + Send + Sync;

    /// Number of players.
    fn players(&self) -> usize;

    /// Episodes `first..first + count` of a cell, with one policy a player: one return a player
    /// for each, one episode after the other.
    ///
    /// All randomness comes from `streams` by the cell's number and the episode's: how episodes are
    /// grouped into calls changes nothing.
    ///
    /// # Errors
    ///
    /// Whatever keeps the source from playing.
    fn play(
        &self,
        policies: &[&Self::Policy],
        streams: Streams,
        cell: u32,
        first: u64,
        count: u64,
    ) -> Result<Vec<f64>, WorldError>;

    /// Means and variances of every player's return, where they can be computed.
    fn moments(&self, policies: &[&Self::Policy]) -> Option<Moments>;
}

/// A response to be made by an [`Oracle`].
#[derive(Clone, Copy, Debug)]
pub struct Task<'a, P> {
    /// The player who responds.
    pub player: usize,
    /// Whom it responds to: its weighted joint choices of the others.
    pub opponents: &'a [Opponents],
    /// Population of every player.
    pub roles: &'a [usize],
    /// All populations.
    pub populations: &'a [Vec<P>],
    /// The policy of the own population that does best against these weights, to start from.
    pub start: usize,
    /// What a response has to exceed.
    pub baseline: f64,
    /// The run's streams.
    pub streams: Streams,
    /// Number of the call, from 0: the address of its randomness.
    pub call: u32,
}

impl<P> Task<'_, P> {
    /// The policy that a joint choice has for a player.
    pub fn policy(&self, opponents: &Opponents, player: usize) -> &P {
        &self.populations[self.roles[player]][opponents.policies[player]]
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response<P> {
    /// The new policy.
    pub policy: P,
    /// What it gets by the weights, where the oracle knows that exactly.
    pub value: Option<f64>,
    /// Environment steps that making it took.
    pub steps: u64,
}

/// Makes responses.
pub trait Oracle<P> {
    /// A response to a task.
    ///
    /// # Errors
    ///
    /// Whatever keeps the oracle from it.
    fn respond(&mut self, task: &Task<'_, P>) -> Result<Response<P>, WorldError>;
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The meta-solver.
    pub meta: SolverConfig,
    /// Whom responses are made for.
    #[serde(default)]
    pub target: Target,
    /// Where payoffs come from.
    pub sampling: Sampling,
    /// Iterations at most.
    pub iterations: u32,
    /// So many iterations at the beginning play all policies evenly and make a response for each of
    /// the others' choices alone ([`Target::Each`]), whatever the meta-solver and the target: the
    /// meta-solver then has several conventions to choose from.
    #[serde(default)]
    pub warmup: u32,
    /// A response that gains no more than this, in payoff, is not added; when none is, the run is
    /// over. Learned responses, whose gain is not known, are always added.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
    /// Whether a response that is in the population already is added once more, as the meta-solvers
    /// that count policies (`Uniform`, `Last`) need; by default for these two only.
    #[serde(default)]
    pub repeats: Option<bool>,
}

fn tolerance() -> f64 {
    1e-9
}

impl Config {
    /// What is solved with, and whom responses are made for, in an iteration.
    fn rules(&self, iteration: u32) -> (SolverConfig, Target) {
        if iteration < self.warmup {
            (SolverConfig::Uniform(crate::meta::Uniform {}), Target::Each)
        } else {
            (self.meta.clone(), self.target)
        }
    }

    fn repeats(&self) -> bool {
        let counts = matches!(self.meta, SolverConfig::Uniform(_) | SolverConfig::Last(_));
        self.repeats.unwrap_or(counts)
    }

    /// The attitudes to risk, if the meta-solver has any.
    pub fn risk(&self, players: usize) -> Option<RiskAversion> {
        match &self.meta {
            SolverConfig::Rae(rae) => Some(rae.attitudes(players)),
            _ => None,
        }
    }

    /// What is wrong with the values, as the field and a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            let why = format!("{}, it must be finite and not negative", self.tolerance);
            problems.push(("tolerance", why));
        }
        if let Sampling::Episodes { first, most, interval } = self.sampling {
            if first < 2 || most < first {
                let why = format!("first {first}, most {most}: at least 2 and not above `most`");
                problems.push(("sampling", why));
            }
            if interval.is_nan() || interval <= 0.0 {
                problems.push(("sampling", format!("interval {interval}, it must be positive")));
            }
        }
        if self.target == Target::RiskAverse && !matches!(self.meta, SolverConfig::Rae(_)) {
            let why = "RiskAverse takes gamma from the meta-solver, which must be Rae(..)";
            problems.push(("target", why.to_owned()));
        }
        problems
    }
}

/// What the populations play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Shares of each player's population; for a joint distribution, its marginals.
    pub profile: Vec<Vec<f64>>,
    /// The joint distribution over all players' choices, row-major, for concepts that are not
    /// products.
    pub joint: Option<Vec<f64>>,
    /// Expected payoff of every player in the empirical game.
    pub payoffs: Vec<f64>,
    /// What every player could gain *within the empirical game*: never to be taken for
    /// exploitability.
    pub regret: Vec<f64>,
    /// RAE gap within the empirical game, if the meta-solver is averse to risk.
    pub gap: Option<Vec<f64>>,
}

/// One iteration, once its meta-strategy was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Iterations before it; 0 for the first populations.
    pub iteration: u32,
    /// What the populations played.
    pub meta: Meta,
    /// Episodes played for the empirical game so far.
    pub episodes: u64,
    /// Environment steps that oracles took so far.
    pub steps: u64,
    /// Gain of every response made against it, in the order of players; for responses that are
    /// learned, by the empirical game once they were played.
    pub gains: Vec<f64>,
}

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// No response gained more than the tolerance.
    Converged,
    /// All iterations were made.
    Iterations,
    /// Responses gained, but all of them were in the populations already.
    Stalled,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Stage {
    Play,
    Solve,
    Respond,
    Grow,
    Over(Finish),
}

/// A response that waits for those of the other players.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Answer<P> {
    player: usize,
    policy: P,
    /// If known exactly.
    gain: Option<f64>,
}

/// A learned policy that joined, for its gain to be read off the empirical game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Joined {
    player: usize,
    place: usize,
    /// Weights on the others' joint choices, and the baseline.
    weights: Vec<(f64, Vec<usize>)>,
    baseline: f64,
}

/// Everything that decides how a run goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<P> {
    stage: Stage,
    /// Iterations begun.
    pub iteration: u32,
    /// Policies by role, in the order in which they joined.
    pub populations: Vec<Vec<P>>,
    /// The empirical game.
    pub table: Table,
    /// What the populations play, once found.
    pub meta: Option<Meta>,
    /// Iterations so far.
    pub rounds: Vec<Round>,
    wanted: Vec<(Vec<usize>, u64)>,
    answers: Vec<Answer<P>>,
    joined: Vec<Joined>,
    calls: u32,
    steps: u64,
}

impl<P> State<P> {
    /// The same with another form of policies, for saving and loading.
    ///
    /// # Errors
    ///
    /// The first of `of`.
    pub fn try_map<Q, E>(self, mut of: impl FnMut(P) -> Result<Q, E>) -> Result<State<Q>, E> {
        let mut populations = Vec::with_capacity(self.populations.len());
        for population in self.populations {
            populations.push(population.into_iter().map(&mut of).collect::<Result<Vec<Q>, E>>()?);
        }
        let answers = self.answers.into_iter().map(|Answer { player, policy, gain }| {
            Ok(Answer { player, policy: of(policy)?, gain })
        });
        Ok(State {
            answers: answers.collect::<Result<_, E>>()?,
            populations,
            stage: self.stage,
            iteration: self.iteration,
            table: self.table,
            meta: self.meta,
            rounds: self.rounds,
            wanted: self.wanted,
            joined: self.joined,
            calls: self.calls,
            steps: self.steps,
        })
    }

    /// Whether the run is over, and why.
    pub fn finished(&self) -> Option<Finish> {
        match self.stage {
            Stage::Over(finish) => Some(finish),
            _ => None,
        }
    }

    /// Sizes of the populations.
    pub fn sizes(&self) -> Vec<usize> {
        self.populations.iter().map(Vec::len).collect()
    }
}

/// What a step did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Cells were played or computed.
    Played {
        /// How many cells.
        cells: usize,
        /// Episodes of all of them in this step.
        episodes: u64,
    },
    /// A meta-strategy was found; more episodes may follow.
    Solved {
        /// Whether the payoffs are known well enough: then this is the iteration's.
        settled: bool,
    },
    /// A response was made.
    Responded {
        /// The player.
        player: usize,
        /// What it gains over the meta-strategy, if that is known.
        gain: Option<f64>,
    },
    /// Responses joined the populations.
    Grown,
    /// The run is over.
    Finished(Finish),
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PsroError {
    /// The empirical game could not be solved.
    #[error("the empirical game: {0}")]
    Solve(#[from] SolveError),
    /// Episodes could not be played.
    #[error("payoffs: {0}")]
    Payoffs(WorldError),
    /// A response could not be made.
    #[error("oracle: {0}")]
    Oracle(WorldError),
    /// A source that plays episodes was asked for exact payoffs.
    #[error("payoffs cannot be computed here; take `sampling: Episodes(..)`")]
    NotExact,
    /// Something does not fit.
    #[error("{0}")]
    Misfit(String),
}

/// A run.
#[derive(Clone, Debug)]
pub struct Psro<P> {
    config: Config,
    streams: Streams,
    /// All there is between two steps.
    pub state: State<P>,
}

/// Episodes that are played in one piece, at most.
const PIECE: u64 = 256;

/// Pieces of one step.
const PIECES: usize = 64;

impl<P: Clone + PartialEq + Send + Sync> Psro<P> {
    /// A run from first populations; `roles[p]` is the population of player `p`.
    ///
    /// Players of one role must be interchangeable: exchanging two of them exchanges their payoffs
    /// and nothing else.
    ///
    /// # Errors
    ///
    /// [`PsroError::Misfit`] if a population is empty or missing, or the configuration is wrong.
    pub fn new(
        config: Config,
        roles: Vec<usize>,
        populations: Vec<Vec<P>>,
        streams: Streams,
    ) -> Result<Self, PsroError> {
        if let Some((field, why)) = config.problems().into_iter().next() {
            return Err(PsroError::Misfit(format!("{field}: {why}")));
        }
        let fits = !roles.is_empty() && roles.iter().all(|&role| role < populations.len());
        if !fits || populations.iter().any(Vec::is_empty) {
            let what = "every player needs a population, and every population a first policy";
            return Err(PsroError::Misfit(what.to_owned()));
        }
        let mut table = Table::new(roles);
        let sizes: Vec<usize> = populations.iter().map(Vec::len).collect();
        table.extend(&sizes);
        let state = State {
            stage: Stage::Play,
            iteration: 0,
            populations,
            table,
            meta: None,
            rounds: Vec::new(),
            wanted: Vec::new(),
            answers: Vec::new(),
            joined: Vec::new(),
            calls: 0,
            steps: 0,
        };
        Ok(Self { config, streams, state })
    }

    /// A run that goes on from a state.
    pub fn resume(config: Config, streams: Streams, state: State<P>) -> Self {
        Self { config, streams, state }
    }

    /// What it does.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The empirical game as it is known.
    ///
    /// # Errors
    ///
    /// [`SolveError::Game`] before every cell has episodes.
    pub fn game(&self) -> Result<NormalForm, SolveError> {
        Ok(self.state.table.game(&self.state.sizes())?)
    }

    /// Makes the next step; nothing happens once the run is over.
    ///
    /// # Errors
    ///
    /// [`PsroError`]; the state is then as before.
    pub fn advance<S, O>(&mut self, source: &S, oracle: &mut O) -> Result<Event, PsroError>
    where
        S: PayoffSource<Policy = P>,
        O: Oracle<P> + ?Sized,
    {
        match self.state.stage {
            Stage::Play => self.play(source),
            Stage::Solve => self.solve(),
            Stage::Respond => self.respond(oracle),
            Stage::Grow => Ok(self.grow()),
            Stage::Over(finish) => Ok(Event::Finished(finish)),
        }
    }

    /// Makes steps until the run is over.
    ///
    /// # Errors
    ///
    /// [`PsroError`].
    pub fn run<S, O>(&mut self, source: &S, oracle: &mut O) -> Result<Finish, PsroError>
    where
        S: PayoffSource<Policy = P>,
        O: Oracle<P> + ?Sized,
    {
        loop {
            if let Event::Finished(finish) = self.advance(source, oracle)? {
                return Ok(finish);
            }
        }
    }

    /// Episodes that a cell still lacks: its joint choice, number, count and what it needs.
    fn lacking(&self) -> Vec<(Vec<usize>, u32, u64, u64)> {
        let first = match self.config.sampling {
            Sampling::Exact => 1,
            Sampling::Episodes { first, .. } => first,
        };
        let more: BTreeMap<&[usize], u64> =
            self.state.wanted.iter().map(|(profile, n)| (profile.as_slice(), *n)).collect();
        let mut lacking = Vec::new();
        for (profile, cell) in self.state.table.cells() {
            let Some(count) = cell.returns.count() else { continue };
            let need = more.get(profile).copied().unwrap_or(0).max(first);
            if count < need {
                lacking.push((profile.to_vec(), cell.number, count, need));
            }
        }
        lacking
    }

    fn play<S: PayoffSource<Policy = P>>(&mut self, source: &S) -> Result<Event, PsroError> {
        let lacking = self.lacking();
        let policies = |profile: &[usize]| -> Vec<&P> {
            let roles = self.state.table.roles().iter();
            roles.zip(profile).map(|(&role, &at)| &self.state.populations[role][at]).collect()
        };
        if self.config.sampling == Sampling::Exact {
            let computed: Vec<Option<Moments>> = lacking
                .par_iter()
                .map(|(profile, ..)| source.moments(&policies(profile)))
                .collect();
            let cells = lacking.len();
            let computed: Option<Vec<Moments>> = computed.into_iter().collect();
            for ((profile, ..), moments) in lacking.iter().zip(computed.ok_or(PsroError::NotExact)?)
            {
                if let Some(cell) = self.state.table.cell_mut(profile) {
                    cell.returns = Returns::exact(moments);
                }
            }
            self.state.stage = Stage::Solve;
            return Ok(Event::Played { cells, episodes: 0 });
        }
        // Pieces end at multiples of their size, wherever the last step ended.
        let mut pieces: Vec<(usize, u64, u64)> = Vec::new();
        'cells: for (place, (_, _, count, need)) in lacking.iter().enumerate() {
            let mut from = *count;
            while from < *need {
                if pieces.len() == PIECES {
                    break 'cells;
                }
                let to = ((from / PIECE + 1) * PIECE).min(*need);
                pieces.push((place, from, to));
                from = to;
            }
        }
        let streams = self.streams;
        let players = source.players();
        let played: Vec<Result<Statistics, WorldError>> = pieces
            .par_iter()
            .map(|&(place, from, to)| {
                let (profile, number, ..) = &lacking[place];
                let returns = source.play(&policies(profile), streams, *number, from, to - from)?;
                let mut statistics = Statistics::new(players);
                for returns in returns.chunks_exact(players) {
                    if let Some(bad) = returns.iter().find(|value| !value.is_finite()) {
                        return Err(format!("an episode's return is {bad}").into());
                    }
                    statistics.add(returns);
                }
                if statistics.count != to - from {
                    let (found, asked) = (statistics.count, to - from);
                    return Err(format!("{found} episodes were played, not {asked}").into());
                }
                Ok(statistics)
            })
            .collect();
        let played: Vec<Statistics> =
            played.into_iter().collect::<Result<_, _>>().map_err(PsroError::Payoffs)?;
        let mut episodes = 0;
        let mut cells = 0;
        let mut last = None;
        for (&(place, from, to), statistics) in pieces.iter().zip(&played) {
            if last.replace(place) != Some(place) {
                cells += 1;
            }
            if let Some(cell) = self.state.table.cell_mut(&lacking[place].0)
                && let Returns::Played(sum) = &mut cell.returns
            {
                sum.merge(statistics);
            }
            episodes += to - from;
        }
        if self.lacking().is_empty() {
            self.state.wanted.clear();
            self.state.stage = Stage::Solve;
        }
        Ok(Event::Played { cells, episodes })
    }

    fn solve(&mut self) -> Result<Event, PsroError> {
        let game = self.game()?;
        let options = SolveOptions { streams: self.streams, all: false };
        let (meta, _) = self.config.rules(self.state.iteration);
        let solutions = meta.solver().solve(&game, &options)?;
        let Some(solution) = solutions.equilibria.into_iter().next() else {
            let name = meta.solver().info().name;
            return Err(PsroError::Misfit(format!("{name} found nothing to be played")));
        };
        let mut meta = Meta {
            profile: solution.profile.into_inner(),
            joint: solution.joint.map(|joint| joint.iter().copied().collect()),
            payoffs: solution.payoffs,
            regret: solution.regret,
            gap: solution.risk.map(|risk| risk.gap),
        };
        symmetrise(&game, self.state.table.roles(), &mut meta);
        if let Sampling::Episodes { most, interval, .. } = self.config.sampling {
            let risk = self.config.risk(game.players());
            let wanted =
                sampling::demands(&self.state.table, &game, &meta, risk.as_ref(), interval, most)?;
            if !wanted.is_empty() {
                self.state.wanted = wanted.into_iter().collect();
                self.state.meta = Some(meta);
                self.state.stage = Stage::Play;
                return Ok(Event::Solved { settled: false });
            }
        }
        self.learned_gains(&game);
        self.state.rounds.push(Round {
            iteration: self.state.iteration,
            meta: meta.clone(),
            episodes: self.state.table.episodes(),
            steps: self.state.steps,
            gains: Vec::new(),
        });
        self.state.meta = Some(meta);
        self.state.stage = if self.state.iteration >= self.config.iterations {
            Stage::Over(Finish::Iterations)
        } else {
            Stage::Respond
        };
        Ok(Event::Solved { settled: true })
    }

    /// Fills in what learned responses gained, now that they were played.
    fn learned_gains(&mut self, game: &NormalForm) {
        let Some(round) = self.state.rounds.last_mut() else { return };
        for joined in std::mem::take(&mut self.state.joined) {
            let tensor = game.payoff_tensor(joined.player);
            let mut value = 0.0;
            for (weight, mut profile) in joined.weights {
                profile[joined.player] = joined.place;
                value += weight * tensor[profile.as_slice()];
            }
            round.gains.push(value - joined.baseline);
        }
    }

    fn jobs(&self) -> Result<Vec<target::Job>, PsroError> {
        let game = self.game()?;
        let risk = self.config.risk(game.players());
        let meta = self.state.meta.as_ref();
        let meta = meta.ok_or_else(|| PsroError::Misfit("no meta-strategy yet".to_owned()))?;
        let roles = self.state.table.roles();
        let (_, target) = self.config.rules(self.state.iteration);
        Ok(target::jobs(target, roles, &game, meta, risk.as_ref())?)
    }

    fn respond<O: Oracle<P> + ?Sized>(&mut self, oracle: &mut O) -> Result<Event, PsroError> {
        let jobs = self.jobs()?;
        let Some(job) = jobs.get(self.state.answers.len()) else {
            self.state.stage = Stage::Grow;
            return Ok(self.grow());
        };
        let task = Task {
            player: job.player,
            opponents: &job.opponents,
            roles: self.state.table.roles(),
            populations: &self.state.populations,
            start: job.start,
            baseline: job.baseline,
            streams: self.streams,
            call: self.state.calls,
        };
        let response = oracle.respond(&task).map_err(PsroError::Oracle)?;
        let gain = response.value.map(|value| value - job.baseline);
        let player = job.player;
        if gain.is_none() {
            let weights =
                job.opponents.iter().map(|one| (one.weight, one.policies.clone())).collect();
            let joined = Joined { player, place: 0, weights, baseline: job.baseline };
            self.state.joined.push(joined);
        }
        self.state.calls += 1;
        self.state.steps += response.steps;
        self.state.answers.push(Answer { player, policy: response.policy, gain });
        if self.state.answers.len() == jobs.len() {
            self.state.stage = Stage::Grow;
        }
        Ok(Event::Responded { player, gain })
    }

    fn grow(&mut self) -> Event {
        let repeats = self.config.repeats();
        let answers = std::mem::take(&mut self.state.answers);
        let known: Vec<f64> = answers.iter().filter_map(|answer| answer.gain).collect();
        let (mut gained, mut grew) = (false, false);
        let mut learned = 0;
        let mut kept = Vec::new();
        for answer in answers {
            let waits = answer.gain.is_none().then(|| {
                learned += 1;
                learned - 1
            });
            if answer.gain.is_some_and(|gain| gain <= self.config.tolerance) {
                continue;
            }
            gained = true;
            let role = self.state.table.roles()[answer.player];
            let population = &mut self.state.populations[role];
            let found = population.iter().position(|policy| *policy == answer.policy);
            let place = match found.filter(|_| !repeats) {
                Some(place) => place,
                None => {
                    population.push(answer.policy);
                    grew = true;
                    population.len() - 1
                }
            };
            if let Some(joined) = waits.and_then(|at: usize| self.state.joined.get_mut(at)) {
                joined.place = place;
                kept.push(joined.clone());
            }
        }
        self.state.joined = kept;
        if let Some(round) = self.state.rounds.last_mut() {
            round.gains = known;
        }
        if !grew {
            let finish = if gained { Finish::Stalled } else { Finish::Converged };
            self.state.stage = Stage::Over(finish);
            return Event::Finished(finish);
        }
        let sizes = self.state.sizes();
        self.state.table.extend(&sizes);
        self.state.iteration += 1;
        self.state.stage = Stage::Play;
        Event::Grown
    }
}

/// Gives players of one role the same mix where that keeps what was solved: in two-player
/// constant-sum games the average of two optimal mixes is optimal for both.
///
/// Mixes that differ by rounding become the first one's.
fn symmetrise(game: &NormalForm, roles: &[usize], meta: &mut Meta) {
    if meta.joint.is_some() {
        return;
    }
    let constant = roles.len() == 2 && roles[0] == roles[1] && game.is_constant_sum();
    for player in 1..roles.len() {
        let Some(first) = (0..player).find(|&first| roles[first] == roles[player]) else {
            continue;
        };
        let pairs = meta.profile[first].iter().zip(&meta.profile[player]);
        let distance = pairs.clone().fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
        if constant {
            let mean: Vec<f64> = pairs.map(|(a, b)| 0.5 * (a + b)).collect();
            meta.profile[first].clone_from(&mean);
            meta.profile[player] = mean;
        } else if distance <= 1e-9 {
            meta.profile[player] = meta.profile[first].clone();
        }
    }
    if constant {
        let profile = crate::solution::Profile::new(meta.profile.clone());
        meta.payoffs = game.payoffs(&profile);
        meta.regret = game.regret(&profile);
    }
}
