//! Evaluation: a fixed number of episodes, none favoured for being short.
//!
//! The episodes are dealt to the lanes beforehand, `N / lanes` each and one more for the first `N % lanes`, and every
//! lane plays its own quota to the end. Taking the first `N` episodes that finish would favour short ones.
//! When the run is told to stop, every lane that has begun still plays the episode under way to its end, and that one
//! counts too: the episodes that are over at some moment are the shorter ones, those that have begun are not (Wald's
//! identity). A game without a horizon can therefore take its time; a second Ctrl-C ends the process at once.
//! Lanes are cut into groups of [`GROUP`], which run independently on the threads; results are merged in lane order.

use std::ops::Range;

use gambol_agents::Agent;
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy, View};
use gambol_envs::batch::{Buffers, End, Outbox};
use gambol_envs::seed::Purpose;
use gambol_envs::spec::Payoff;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::digest::{Entry, Kind, Seen, StepHasher};
use crate::drivers::calls::Calls;
use crate::drivers::{DriverError, Outcome};
use crate::machine;
use crate::plan::{Arena, Plan};
use crate::record::Record;
use crate::record::progress::Progress;
use crate::replay::{Camera, Reel};

/// Lanes that run together; part of the digest's definition.
pub const GROUP: u32 = 256;

/// `run: Evaluate(..)`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// Episodes to play, at least 1.
    pub episodes: u64,
}

/// Most episodes whose results are kept in memory.
pub(super) const MOST_EPISODES: u64 = 1 << 28;

/// One finished episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    lane: u32,
    length: u32,
    terminated: bool,
}

/// Everything that an evaluation found, episode by episode in lane order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    agents: usize,
    common: bool,
    episodes: Vec<Ended>,
    /// `[episodes, agents]`, undiscounted.
    returns: Vec<f64>,
    /// What the environment counts.
    tallied: Vec<String>,
    /// `[episodes, tallies]`.
    tallies: Vec<f32>,
    /// Where the costlier of the policies that it was played with was called, if it was played with several.
    pub calls: Option<Calls>,
    /// Whether every episode that was asked for was played.
    pub complete: bool,
    /// What was done in the first of them.
    reels: Vec<Reel>,
}

/// Mean with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// Arithmetic mean; not a number when there are no values.
    pub mean: f64,
    /// Standard error of the mean; 0 for fewer than two values.
    pub error: f64,
}

impl Mean {
    /// Of these values, in order.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        let error = if count > 1.0 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
        Self { mean, error }
    }

    /// The normal 95 % interval.
    pub fn interval(self) -> [f64; 2] {
        [self.mean - 1.96 * self.error, self.mean + 1.96 * self.error]
    }
}

impl Evaluation {
    /// What was done in the first episodes, for a replay.
    pub(crate) fn reels(&self) -> &[Reel] {
        &self.reels
    }

    /// Number of episodes.
    pub fn episodes(&self) -> usize {
        self.episodes.len()
    }

    /// Return of the team in each episode: the agents' sum, or the one number that all receive when the payoff is
    /// common.
    pub fn team_returns(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let common = self.common;
        let team = move |returns: &[f64]| if common { returns[0] } else { returns.iter().sum() };
        self.returns.chunks_exact(self.agents.max(1)).map(team)
    }

    /// Length of each episode in steps.
    pub fn lengths(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.episodes.iter().map(|episode| f64::from(episode.length))
    }

    /// Mean return of the team.
    pub fn mean(&self) -> Mean {
        Mean::of(self.team_returns())
    }

    /// What the environment counts, and over the episodes.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, Mean)> {
        self.tallied.iter().enumerate().map(|(index, name)| {
            let counts = self.tallies.iter().skip(index).step_by(self.tallied.len());
            (name.as_str(), Mean::of(counts.map(|&count| f64::from(count))))
        })
    }

    /// The results as one JSON object.
    pub fn summary(&self) -> Value {
        let mean = self.mean();
        let words = |Mean { mean, error }| json!({ "mean": mean, "standard_error": error });
        let agents: Vec<_> = (0..self.agents)
            .map(|agent| Mean::of(self.returns.iter().skip(agent).step_by(self.agents).copied()))
            .map(words)
            .collect();
        let terminated = self.episodes.iter().filter(|episode| episode.terminated).count();
        let least = self.team_returns().fold(f64::INFINITY, f64::min);
        let most = self.team_returns().fold(f64::NEG_INFINITY, f64::max);
        let positive = self.team_returns().filter(|&value| value > 0.0).count();
        // Without episodes these are no numbers, which JSON writes as null.
        let share = |count: usize| count as f64 / self.episodes() as f64;
        let mut summary = json!({
            "episodes": self.episodes(),
            "complete": self.complete,
            "return": {
                "mean": mean.mean,
                "standard_error": mean.error,
                "interval_95": mean.interval(),
                "min": least,
                "max": most,
                "positive": share(positive),
            },
            "agent_returns": agents,
            "length": Mean::of(self.lengths()).mean,
            "terminated": share(terminated),
        });
        if !self.tallied.is_empty() {
            let tallies = self.tallies().map(|(name, mean)| (name.to_owned(), words(mean)));
            summary["tallies"] = tallies.collect::<serde_json::Map<_, _>>().into();
        }
        if let Some(calls) = &self.calls {
            summary["calls"] = calls.summary();
        }
        summary
    }

    /// The entry that stands for all results in the digest log.
    fn entry(&self, step: u64) -> Entry {
        let mut bytes = Vec::with_capacity(self.returns.len() * 8 + self.episodes.len() * 9);
        for (episode, returns) in self.episodes.iter().zip(self.returns.chunks(self.agents.max(1)))
        {
            bytes.extend_from_slice(&episode.lane.to_le_bytes());
            bytes.extend_from_slice(&episode.length.to_le_bytes());
            bytes.push(u8::from(episode.terminated));
            for value in returns {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
        Entry::hashed(Kind::Results, step, &bytes)
    }
}

/// What is evaluated: which lanes, how many episodes in all.
pub(crate) struct Match<'a> {
    pub(crate) arena: &'a Arena,
    /// Global lanes; episodes are dealt to them in order.
    pub(crate) lanes: Range<u32>,
    pub(crate) episodes: u64,
    /// Environment steps of training made so far, for the log.
    pub(crate) step: u64,
    /// Whether to end it early; an evaluation during training is short and [never](machine::never) does.
    pub(crate) stop: fn() -> bool,
    /// Whether to look where agents are when a costlier policy is called; that takes time.
    pub(crate) places: bool,
}

/// One group's episodes and log.
struct Group {
    evaluation: Evaluation,
    log: Vec<Entry>,
}

impl Match<'_> {
    /// Plays all episodes, or when told to stop those that have begun.
    ///
    /// The log of an interrupted evaluation is the beginning of a whole one's: it ends with the first group that did
    /// not play its quota.
    pub(crate) fn play(
        &self,
        policy: &dyn Policy,
        record: &mut Record,
        progress: &Progress,
    ) -> Result<Evaluation, DriverError> {
        let lanes = self.lanes.len() as u64;
        let quota = |lane: u32| {
            let (each, more) = (self.episodes / lanes, self.episodes % lanes);
            each + u64::from(u64::from(lane - self.lanes.start) < more)
        };
        let groups: Vec<_> = self
            .lanes
            .clone()
            .step_by(GROUP as usize)
            .map(|first| (first..(first + GROUP).min(self.lanes.end), policy.fork()))
            .collect();
        let played = groups
            .into_par_iter()
            .map(|(lanes, policy)| {
                let quotas = lanes.clone().map(quota).collect();
                self.group(lanes, quotas, policy, progress)
            })
            .collect::<Result<Vec<_>, DriverError>>()?;
        record.log.add(Entry {
            kind: Kind::Evaluation,
            group: 0,
            step: self.step,
            fields: [self.episodes, lanes, u64::from(self.lanes.start), 0, 0, 0],
        })?;
        let Arena { spec, env, .. } = self.arena;
        let mut whole = Evaluation {
            agents: spec.agents,
            common: spec.payoff == Payoff::Common,
            complete: true,
            tallied: spec.tallies.clone(),
            ..Evaluation::default()
        };
        for Group { evaluation, log } in played {
            if whole.complete {
                for entry in log {
                    record.log.add(entry)?;
                }
            }
            whole.episodes.extend(evaluation.episodes);
            whole.returns.extend(evaluation.returns);
            whole.tallies.extend(evaluation.tallies);
            if let Some(calls) = evaluation.calls {
                whole.calls.get_or_insert_with(|| Calls::new(env.board())).merge(&calls);
            }
            whole.complete &= evaluation.complete;
            whole.reels.extend(evaluation.reels);
        }
        if whole.complete {
            record.log.add(whole.entry(self.step))?;
        }
        Ok(whole)
    }

    fn group(
        &self,
        lanes: Range<u32>,
        mut quotas: Vec<u64>,
        mut policy: Box<dyn Policy>,
        progress: &Progress,
    ) -> Result<Group, DriverError> {
        let Arena { env, spec, shard, streams, .. } = self.arena;
        let (envs, agents) = (lanes.len(), spec.agents);
        if (self.stop)() {
            return Ok(Group { evaluation: Evaluation::default(), log: Vec::new() });
        }
        let group = lanes.start - self.lanes.start;
        let mut batch = env.build(lanes.clone(), *shard, *streams)?;
        let mut rngs = LaneRngs::new(*streams, Purpose::Evaluate, lanes.start, envs);
        let mut buffers = Buffers::new(spec, envs);
        let mut actions = ActionBuffer::new(spec, envs);
        let mut started = vec![true; envs];
        let mut hasher = StepHasher::default();
        let mut log = Vec::new();
        let mut running = vec![0.0_f64; envs * agents];
        let mut lengths = vec![0_u32; envs];
        // Episodes of each lane, and their returns and tallies one after the other.
        let mut ended: Vec<(Vec<Ended>, Vec<f64>, Vec<f32>)> = vec![<_>::default(); envs];
        batch.reset(0, buffers.outbox())?;
        log.push(StepHasher::start(Kind::GroupStart, group, &seen(&buffers)));
        // Only the first group's first episodes are kept for a replay.
        let mut camera = Camera::new(lanes.start, if group == 0 { &quotas } else { &[] }, agents);
        let mut open = quotas.iter().filter(|&&quota| quota > 0).count();
        let (mut step, mut complete, mut calls) = (0, true, None);
        while open > 0 {
            if complete && (self.stop)() {
                for (quota, (episodes, ..)) in quotas.iter_mut().zip(&ended) {
                    let begun = episodes.len() as u64 + 1;
                    complete &= begun >= *quota;
                    *quota = begun.min(*quota);
                }
            }
            step += 1;
            rngs.begin(&started);
            let view = View {
                envs,
                agents,
                observations: &buffers.observations,
                masks: &buffers.masks,
                state: &buffers.state,
                started: &started,
            };
            policy.act(&view, &mut rngs, &mut actions)?;
            for (lane, &called) in policy.called().iter().enumerate() {
                if (ended[lane].0.len() as u64) < quotas[lane] {
                    let calls = calls.get_or_insert_with(|| Calls::new(env.board()));
                    let described = self.places && env.board().is_some();
                    let description = described.then(|| batch.describe(lane)).transpose()?;
                    calls.count(called, description.and_then(|seen| env.moment(&seen)));
                }
            }
            let out = Outbox { last_state: &mut [], ..buffers.outbox() };
            batch.step(actions.as_actions(), out)?;
            let seen = seen(&buffers);
            log.push(hasher.step(Kind::GroupStep, group, step, actions.as_actions(), &seen));
            camera.take(actions.as_actions(), &buffers.rewards, &buffers.ends);
            for (sum, reward) in running.iter_mut().zip(&buffers.rewards) {
                *sum += f64::from(*reward);
            }
            let mut finished = 0;
            for (lane, end) in buffers.ends.iter().enumerate() {
                lengths[lane] += 1;
                started[lane] = end.is_over();
                if !end.is_over() {
                    continue;
                }
                let sums = &mut running[lane * agents..(lane + 1) * agents];
                let (episodes, returns, tallies) = &mut ended[lane];
                if (episodes.len() as u64) < quotas[lane] {
                    episodes.push(Ended {
                        lane: lanes.start + lane as u32,
                        length: lengths[lane],
                        terminated: *end == End::Terminated,
                    });
                    returns.extend_from_slice(sums);
                    let counted = spec.tallies.len();
                    tallies.extend_from_slice(&buffers.tallies[lane * counted..][..counted]);
                    finished += 1;
                    open -= usize::from(episodes.len() as u64 == quotas[lane]);
                }
                sums.fill(0.0);
                lengths[lane] = 0;
            }
            progress.advance(finished);
        }
        let reels = camera.reels();
        let mut evaluation = Evaluation { agents, calls, complete, reels, ..Evaluation::default() };
        for (episodes, returns, tallies) in ended {
            evaluation.episodes.extend(episodes);
            evaluation.returns.extend(returns);
            evaluation.tallies.extend(tallies);
        }
        Ok(Group { evaluation, log })
    }
}

fn seen(buffers: &Buffers) -> Seen<'_> {
    Seen {
        observations: &buffers.observations,
        masks: &buffers.masks,
        rewards: &buffers.rewards,
        ends: &buffers.ends,
        last_observations: &buffers.last_observations,
    }
}

impl Evaluate {
    pub(crate) fn check(&self) -> Vec<(&'static str, String)> {
        if (1..=MOST_EPISODES).contains(&self.episodes) {
            Vec::new()
        } else {
            let why = format!("{}, there must be 1 to {MOST_EPISODES}", self.episodes);
            vec![("episodes", why)]
        }
    }

    pub(crate) fn run(&self, plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
        let arena = plan.arena.as_ref().ok_or(DriverError::Missing("env"))?;
        let player = plan.player.as_ref().ok_or(DriverError::Missing("agent"))?;
        let policy = match player.build(arena)? {
            Agent::Policy(policy) => policy,
            Agent::Learner(learner) => learner.policy(true)?,
        };
        let lanes = u64::from(arena.envs).min(self.episodes) as u32;
        let game = Match {
            arena,
            lanes: 0..lanes,
            episodes: self.episodes,
            step: 0,
            stop: machine::stopping,
            places: true,
        };
        let progress = record.progress(self.episodes, "episodes");
        let evaluation = game.play(policy.as_ref(), record, &progress)?;
        progress.finish();
        record.evaluation(arena, &player.name, plan.seed, 0, &evaluation)?;
        Ok(Outcome { complete: evaluation.complete, results: evaluation.summary() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU32, Ordering};

    use gambol_agents::Device;

    use super::*;
    use crate::Registries;
    use crate::record::Record;
    use crate::scenario::Scenario;
    use crate::sources::Sources;

    /// Rounds that pay 1 and are the last with probability 0.1: the return is the length, 10 on average.
    const GEOMETRIC: &str = "(
        version: 1, seed: 3, agent: Random,
        env: Matrix(game: Tensors(actions: [1], payoffs: [[1]]), rounds: 100000, stop: 0.1),
        batch: (envs: 256), run: Evaluate(episodes: 256000),
    )";

    static STEPS: AtomicU32 = AtomicU32::new(0);

    fn after_15_steps() -> bool {
        STEPS.fetch_add(1, Ordering::Relaxed) >= 15
    }

    #[test]
    fn an_interrupted_evaluation_does_not_favour_short_episodes() {
        let scenario =
            Scenario::parse(Path::new("s.ron"), GEOMETRIC, &[], &Registries::standard()).unwrap();
        let plan = Plan::new(scenario, Sources::folder(Path::new("")), Device::Cpu).unwrap();
        let (arena, player) = (plan.arena.as_ref().unwrap(), plan.player.as_ref().unwrap());
        let Agent::Policy(policy) = player.build(arena).unwrap() else { panic!("it is random") };
        let play = |episodes, stop| {
            let mut record = Record::digest_only();
            let game = Match { arena, lanes: 0..256, episodes, step: 0, stop, places: false };
            let evaluation = game.play(policy.as_ref(), &mut record, &Progress::none()).unwrap();
            (evaluation, record.log.entries())
        };
        let (cut, entries) = play(256_000, after_15_steps);
        assert!(!cut.complete);
        // The steps up to the stop, those that ended the last episodes, no results.
        let longest = cut.episodes.iter().map(|episode| episode.length).max().unwrap();
        assert!((16..=17 + 15 + u64::from(longest)).contains(&entries), "{entries}");
        // About 15 / 10 + 1 episodes a lane; only the finished ones would have a mean of about 6.
        let Mean { mean, error } = cut.mean();
        assert!((512..800).contains(&cut.episodes()), "{}", cut.episodes());
        assert!((mean - 10.0).abs() < 4.0 * error, "{mean} +- {error}");
        assert!(error < 0.6, "{error}");

        let (whole, _) = play(512, machine::never);
        assert!(whole.complete);
        assert_eq!(whole.episodes(), 512);
        // What was cut is the beginning of what is whole, lane by lane.
        for lane in 0..256 {
            let of = |evaluation: &Evaluation| -> Vec<Ended> {
                evaluation.episodes.iter().filter(|ended| ended.lane == lane).copied().collect()
            };
            let common = of(&cut).len().min(2);
            assert_eq!(of(&cut)[..common], of(&whole)[..common]);
        }
        let (nothing, entries) = play(512, || true);
        assert_eq!((nothing.complete, nothing.episodes(), entries), (false, 0, 1));
        assert!(nothing.summary()["return"]["mean"].is_null());
    }
}
