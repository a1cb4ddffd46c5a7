//! Training: collect a rollout, learn from it, evaluate at fixed intervals, keep checkpoints.
//!
//! Steps are **environment steps**: batch steps times instances, never times agents.
//! Everything happens between rollouts: the run ends, evaluates, reports and saves at the first rollout boundary at or
//! past the step that the scenario names.

use gambol_agents::Agent;
use gambol_agents::learner::{Checkpoint, Learner, Report};
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy};
use gambol_agents::rollout::Rollout;
use gambol_envs::batch::BatchEnv;
use gambol_envs::seed::Purpose;
use gambol_envs::spec::Payoff;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::digest::{self, Kind, Seen, StepHasher};
use crate::drivers::calls::Calls;
use crate::drivers::evaluate::{MOST_EPISODES, Match};
use crate::drivers::{DriverError, Outcome};
use crate::machine;
use crate::plan::{Arena, Plan, Player};
use crate::record::progress::Progress;
use crate::record::{Record, RecordError};

/// First global lane of evaluations during training; every evaluation uses lanes of its own after it.
const EVALUATION_LANES: u32 = 1 << 31;

/// Most lanes of one evaluation during training.
const MOST_LANES: u32 = 512;

/// The evaluation of the best parameters at the end has this many times the episodes of the others, as `marl-eval`
/// asks.
const ABSOLUTE: u64 = 10;

/// When and how to evaluate during training.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluations {
    /// Environment steps between evaluations, at least 1; the first is before training; 50,000.
    pub every: u64,
    /// Greedy episodes of one evaluation, at least 1; 100.
    pub episodes: u64,
}

impl Default for Evaluations {
    fn default() -> Self {
        Self { every: 50_000, episodes: 100 }
    }
}

/// An interval in environment steps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Environment steps, at least 1.
    pub every: u64,
}

/// `run: Train(..)`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Environment steps to train for, at least 1.
    pub steps: u64,
    /// Evaluations.
    #[serde(default)]
    pub evaluate: Evaluations,
    /// Checkpoints; every 100,000 environment steps.
    #[serde(default = "Train::checkpoints")]
    pub checkpoint: Interval,
    /// Lines of metrics; every 10,000 environment steps.
    #[serde(default = "Train::lines")]
    pub metrics: Interval,
}

impl Train {
    fn checkpoints() -> Interval {
        Interval { every: 100_000 }
    }

    fn lines() -> Interval {
        Interval { every: 10_000 }
    }

    pub(crate) fn check(&self) -> Vec<(&'static str, String)> {
        let positive = [
            ("steps", self.steps),
            ("evaluate.every", self.evaluate.every),
            ("evaluate.episodes", self.evaluate.episodes),
            ("checkpoint.every", self.checkpoint.every),
            ("metrics.every", self.metrics.every),
        ];
        let zero = positive.into_iter().filter(|(_, value)| *value == 0);
        let mut problems: Vec<_> =
            zero.map(|(field, _)| (field, "0, it must be at least 1".to_owned())).collect();
        let most = u64::from(u32::MAX - EVALUATION_LANES) / u64::from(MOST_LANES);
        if self.evaluate.every > 0 && self.steps / self.evaluate.every >= most {
            problems
                .push(("evaluate.every", format!("there would be more than {most} evaluations")));
        }
        let most = MOST_EPISODES / ABSOLUTE;
        if self.evaluate.episodes > most {
            let why = format!("{}, there may be at most {most}", self.evaluate.episodes);
            problems.push(("evaluate.episodes", why));
        }
        if self.steps > i64::MAX as u64 {
            problems.push(("steps", format!("{}, that many cannot be counted", self.steps)));
        }
        problems
    }
}

/// Returns and lengths of training episodes since the last line of metrics, and of those that are under way.
#[derive(Clone, Debug, Default)]
struct Tally {
    agents: usize,
    common: bool,
    /// `[envs, agents]`: return so far of the episode under way.
    running: Vec<f64>,
    /// `[envs]`: its length so far.
    lengths: Vec<i64>,
    /// `[envs]`: lanes of groups whose episode is over; what they do until the others' are is not counted.
    waiting: Vec<bool>,
    /// Sum of team returns, sum of lengths, number of episodes.
    window: [f64; 3],
}

impl Tally {
    fn new(arena: &Arena) -> Self {
        let (envs, agents) = (arena.envs as usize, arena.spec.agents);
        Self {
            agents,
            common: arena.spec.payoff == Payoff::Common,
            running: vec![0.0; envs * agents],
            lengths: vec![0; envs],
            waiting: vec![false; envs],
            window: [0.0; 3],
        }
    }

    /// Forgets the episodes under way: all lanes begin anew.
    fn begin(&mut self) {
        self.running.fill(0.0);
        self.lengths.fill(0);
        self.waiting.fill(false);
    }

    /// Counts a step; in groups each lane counts for one episode.
    fn count(&mut self, seen: &Seen<'_>, grouped: bool) {
        for (sum, reward) in self.running.iter_mut().zip(seen.rewards) {
            *sum += f64::from(*reward);
        }
        for (lane, end) in seen.ends.iter().enumerate() {
            if self.waiting[lane] {
                continue;
            }
            self.waiting[lane] = grouped && end.is_over();
            self.lengths[lane] += 1;
            if end.is_over() {
                let sums = &mut self.running[lane * self.agents..(lane + 1) * self.agents];
                self.window[0] += if self.common { sums[0] } else { sums.iter().sum() };
                self.window[1] += self.lengths[lane] as f64;
                self.window[2] += 1.0;
                sums.fill(0.0);
                self.lengths[lane] = 0;
            }
        }
    }

    fn take(&mut self) -> Option<[(&'static str, f64); 3]> {
        let [returns, lengths, episodes] = std::mem::take(&mut self.window);
        (episodes > 0.0).then(|| {
            [
                ("train/return", returns / episodes),
                ("train/episode_length", lengths / episodes),
                ("train/episodes", episodes),
            ]
        })
    }
}

/// The best evaluation so far.
struct Best {
    mean: f64,
    step: u64,
    /// `None` after a resume: then the parameters are in the run directory.
    policy: Option<Box<dyn Policy>>,
}

/// The evaluation at the end.
#[derive(Default)]
struct Absolute {
    summary: Value,
    /// The other ways in which the policy can play, each with its summary.
    modes: Map<String, Value>,
    /// Files that were written, with their hashes.
    files: Map<String, Value>,
}

/// A training run between two rollouts.
struct Training<'a> {
    train: &'a Train,
    plan: &'a Plan,
    arena: &'a Arena,
    player: &'a Player,
    learner: Box<dyn Learner>,
    env: Box<dyn BatchEnv>,
    rngs: LaneRngs,
    rollout: Rollout,
    actions: ActionBuffer,
    hasher: StepHasher,
    tally: Tally,
    batch_steps: u64,
    /// Rollouts made, by which episodes of groups are numbered.
    rollouts: u64,
    evaluations: u64,
    next_evaluation: u64,
    next_checkpoint: u64,
    next_metrics: u64,
    best: Option<Best>,
    last: Value,
}

fn seen_at(rollout: &Rollout, t: usize) -> Seen<'_> {
    let (rows, envs) = (rollout.rows(), rollout.envs);
    let last = rows * rollout.obs;
    let view = rollout.view(t + 1);
    Seen {
        observations: view.observations,
        masks: view.masks,
        rewards: &rollout.rewards[t * rows..(t + 1) * rows],
        ends: &rollout.ends[t * envs..(t + 1) * envs],
        last_observations: &rollout.last_observations[t * last..(t + 1) * last],
    }
}

/// What is seen before the first step.
fn first_seen(rollout: &Rollout) -> Seen<'_> {
    let view = rollout.view(0);
    Seen {
        observations: view.observations,
        masks: view.masks,
        rewards: &[],
        ends: &[],
        last_observations: &[],
    }
}

/// The first multiple of `every` after `step`.
fn after(step: u64, every: u64) -> u64 {
    (step / every + 1).saturating_mul(every)
}

impl Train {
    pub(crate) fn run(&self, plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
        let arena = plan.arena.as_ref().ok_or(DriverError::Missing("env"))?;
        let player = plan.player.as_ref().ok_or(DriverError::Missing("agent"))?;
        let Agent::Learner(learner) = player.build(arena)? else {
            return Err(DriverError::Missing("agent that learns"));
        };
        let envs = arena.envs as usize;
        let steps = learner.rollout_steps().max(1);
        let mut training = Training {
            train: self,
            plan,
            arena,
            player,
            learner,
            env: arena.env.build(0..arena.envs, arena.shard, arena.streams)?,
            rngs: LaneRngs::new(arena.streams, Purpose::Explore, 0, envs),
            rollout: Rollout::new(&arena.spec, envs, steps),
            actions: ActionBuffer::new(&arena.spec, envs),
            hasher: StepHasher::default(),
            tally: Tally::new(arena),
            batch_steps: 0,
            rollouts: 0,
            evaluations: 0,
            next_evaluation: 0,
            next_checkpoint: self.checkpoint.every,
            next_metrics: self.metrics.every,
            best: None,
            last: Value::Null,
        };
        match record.take_resumed() {
            Some((_, checkpoint)) => training.load(&checkpoint)?,
            None => {
                training.env.reset(0, training.rollout.first())?;
                let seen = first_seen(&training.rollout);
                record.log.add(StepHasher::start(Kind::Start, 0, &seen))?;
            }
        }
        training.run(record)
    }
}

impl Training<'_> {
    /// Environment steps made so far.
    fn steps(&self) -> u64 {
        self.batch_steps * u64::from(self.arena.envs)
    }

    fn run(mut self, record: &mut Record) -> Result<Outcome, DriverError> {
        let progress = record.progress(self.train.steps, "steps");
        progress.set(self.steps());
        if self.steps() >= self.next_evaluation {
            self.evaluate(record, &progress)?;
        }
        while self.steps() < self.train.steps && !machine::stopping() {
            self.collect(record)?;
            let report = self.learner.learn(&self.rollout)?;
            progress.advance(self.rollout.steps as u64 * u64::from(self.arena.envs));
            self.rollout.carry_on();
            let (steps, over) = (self.steps(), self.steps() >= self.train.steps);
            if steps >= self.next_metrics || over {
                self.report(record, &report)?;
            }
            if steps >= self.next_evaluation || over {
                self.evaluate(record, &progress)?;
            }
            if steps >= self.next_checkpoint || over {
                self.checkpoint(record)?;
            }
        }
        progress.finish();
        if self.steps() < self.train.steps {
            self.checkpoint(record)?;
            let results = self.results(None);
            return Ok(Outcome { results, complete: false });
        }
        let absolute = self.absolute(record)?;
        record.parameters("parameters", &self.learner.parameters()?)?;
        Ok(Outcome { results: self.results(Some(absolute)), complete: true })
    }

    /// Begins a new episode in every lane, the same in all lanes of a group.
    fn begin_groups(&mut self, group: usize, record: &mut Record) -> Result<(), DriverError> {
        // Episode 0 was begun before there was a rollout.
        self.env.reset(1 + self.rollouts as u32, self.rollout.first())?;
        for first in (0..self.rollout.envs).step_by(group) {
            let saved = self.env.save(first)?;
            for lane in first + 1..first + group {
                self.env.restore(lane, &saved)?;
            }
        }
        self.env.observe(self.rollout.first())?;
        self.tally.begin();
        record.log.add(StepHasher::start(Kind::Start, 0, &first_seen(&self.rollout)))?;
        Ok(())
    }

    /// Fills the rollout.
    fn collect(&mut self, record: &mut Record) -> Result<(), DriverError> {
        let group = self.learner.group();
        let grouped = group > 1;
        if grouped {
            self.begin_groups(group, record)?;
        }
        self.rollouts += 1;
        for t in 0..self.rollout.capacity() {
            let view = self.rollout.view(t);
            self.rngs.begin(view.started);
            self.learner.act(&view, &mut self.rngs, &mut self.actions)?;
            self.rollout.put_actions(t, &self.actions);
            self.env.step(self.actions.as_actions(), self.rollout.outbox(t))?;
            self.rollout.finish(t);
            self.batch_steps += 1;
            let seen = seen_at(&self.rollout, t);
            self.tally.count(&seen, grouped);
            let actions = self.actions.as_actions();
            record.log.add(self.hasher.step(Kind::Step, 0, self.batch_steps, actions, &seen))?;
            if grouped && self.tally.waiting.iter().all(|&waiting| waiting) {
                break;
            }
        }
        Ok(())
    }

    fn report(&mut self, record: &mut Record, report: &Report) -> Result<(), DriverError> {
        let learner: Vec<_> = report
            .named()
            .into_iter()
            .map(|(name, value)| (format!("learner/{name}"), value))
            .collect();
        let mut values: Vec<(&str, f64)> = self.tally.take().into_iter().flatten().collect();
        values.extend(learner.iter().map(|(name, value)| (name.as_str(), *value)));
        record.metrics(self.steps(), &values)?;
        self.next_metrics = after(self.steps(), self.train.metrics.every);
        Ok(())
    }

    fn lanes(episodes: u64) -> u32 {
        u64::from(MOST_LANES).min(episodes) as u32
    }

    fn evaluate(&mut self, record: &mut Record, progress: &Progress) -> Result<(), DriverError> {
        let step = self.steps();
        let parameters = self.learner.parameters()?;
        record.log.add(digest::parameters(step, &parameters))?;
        let policy = self.learner.policy(true)?;
        let episodes = self.train.evaluate.episodes;
        let lanes = Self::lanes(episodes);
        // Fresh boards every time: an evaluation that repeats its boards repeats its luck.
        let first = EVALUATION_LANES + self.evaluations as u32 * MOST_LANES;
        let lanes = first..first + lanes;
        let game =
            Match { arena: self.arena, lanes, episodes, step, stop: machine::never, places: false };
        let evaluation = game.play(policy.as_ref(), record, &Progress::none())?;
        let mean = evaluation.mean();
        record.evaluation(self.arena, &self.player.name, self.plan.seed, step, &evaluation)?;
        let tallies: Vec<_> = evaluation
            .tallies()
            .map(|(name, mean)| (format!("evaluate/{name}"), mean.mean))
            .collect();
        let mut metrics = vec![
            ("evaluate/return", mean.mean),
            ("evaluate/return_standard_error", mean.error),
            ("evaluate/episodes", evaluation.episodes() as f64),
        ];
        metrics.extend(tallies.iter().map(|(name, mean)| (name.as_str(), *mean)));
        if let Some(calls) = &evaluation.calls {
            metrics.push(("evaluate/call_fraction", calls.fraction()));
        }
        record.metrics(step, &metrics)?;
        progress.say(format!("return {:.3}", mean.mean));
        self.last = evaluation.summary();
        // The later of two equals: it has seen more.
        if self.best.as_ref().is_none_or(|best| mean.mean >= best.mean) {
            record.parameters("best", &parameters)?;
            self.best = Some(Best { mean: mean.mean, step, policy: Some(policy) });
        }
        self.evaluations += 1;
        self.next_evaluation = after(step, self.train.evaluate.every);
        Ok(())
    }

    /// Evaluates the best parameters once more, on boards that did not choose them.
    ///
    /// A policy that can play in several ways is evaluated in each of them, on the same boards.
    fn absolute(&mut self, record: &mut Record) -> Result<Absolute, DriverError> {
        let policy = match self.best.as_mut().and_then(|best| best.policy.take()) {
            Some(policy) => policy,
            None => self.player.frozen(self.arena, &record.read_parameters("best")?)?,
        };
        let episodes = self.train.evaluate.episodes.saturating_mul(ABSOLUTE);
        let first = EVALUATION_LANES + self.evaluations as u32 * MOST_LANES;
        let lanes = first..first + Self::lanes(episodes);
        let step = self.steps();
        let game =
            Match { arena: self.arena, lanes, episodes, step, stop: machine::never, places: true };
        let evaluation = game.play(policy.as_ref(), record, &Progress::none())?;
        record.absolute(self.arena, &self.player.name, self.plan.seed, step, &evaluation)?;
        let mut modes = Map::new();
        for (name, policy) in policy.modes() {
            let evaluation = game.play(policy.as_ref(), record, &Progress::none())?;
            modes.insert(name.to_owned(), evaluation.summary());
        }
        let mut files = Map::new();
        if let Some(drawn) = evaluation.calls.as_ref().and_then(Calls::heat_map) {
            let name = "calls.svg";
            let hash = record.file(name, drawn.map_err(DriverError::Plot)?.as_bytes())?;
            files.insert(name.to_owned(), hash.into());
        }
        Ok(Absolute { summary: evaluation.summary(), modes, files })
    }

    fn results(&self, absolute: Option<Absolute>) -> Value {
        let mut results = json!({
            "environment_steps": self.steps(),
            "complete": absolute.is_some(),
            "evaluations": self.evaluations,
            "last": self.last,
            "best": self.best.as_ref().map(|best| json!({ "step": best.step, "mean": best.mean })),
            "absolute": absolute.as_ref().map(|absolute| &absolute.summary),
        });
        let Absolute { modes, files, .. } = absolute.unwrap_or_default();
        for (name, map) in [("modes", modes), ("files", files)] {
            if !map.is_empty() {
                results[name] = map.into();
            }
        }
        results
    }

    /// Everything that decides how training goes on.
    fn checkpoint(&mut self, record: &mut Record) -> Result<(), DriverError> {
        self.next_checkpoint = after(self.steps(), self.train.checkpoint.every);
        if !record.keeps_checkpoints() {
            return Ok(());
        }
        let mut saved = Checkpoint::default();
        saved.put_part("learner", self.learner.save()?);
        let memory = self.learner.memory();
        saved.put_f32("run.memory", &[memory.len()], memory);
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for lane in 0..self.arena.envs as usize {
            bytes.extend_from_slice(&self.env.save(lane)?);
            ends.push(bytes.len() as i64);
        }
        saved.put_u8("run.lanes", bytes);
        saved.put_i64("run.lane_ends", ends);
        let positions = self.rngs.positions();
        let episodes = positions.iter().map(|(episode, _)| i64::from(*episode)).collect();
        // Word positions are counted modulo 2^64; only their bits matter.
        let words = positions.iter().map(|(_, word)| *word as i64).collect();
        saved.put_i64("run.explore_episodes", episodes);
        saved.put_i64("run.explore_words", words);
        let started = self.rollout.view(0).started;
        saved.put_u8("run.started", started.iter().map(|&started| u8::from(started)).collect());
        let running = self.tally.running.clone();
        saved.put_f64("run.running_returns", &[running.len()], running);
        saved.put_i64("run.running_lengths", self.tally.lengths.clone());
        saved.put_f64("run.window", &[3], self.tally.window.to_vec());
        let best = self.best.as_ref().map_or((f64::NEG_INFINITY, 0), |best| (best.mean, best.step));
        saved.put_f64("run.best_mean", &[1], vec![best.0]);
        saved.put_i64(
            "run.counters",
            [
                self.batch_steps,
                self.rollouts,
                self.evaluations,
                self.next_evaluation,
                self.next_checkpoint,
                self.next_metrics,
                best.1,
            ]
            .map(|counter| counter as i64)
            .to_vec(),
        );
        saved.put_u8("run.last", self.last.to_string().into_bytes());
        Ok(record.checkpoint(self.steps(), &saved)?)
    }

    fn load(&mut self, saved: &Checkpoint) -> Result<(), DriverError> {
        self.learner.load(&saved.part("learner"))?;
        let misfit = |what: &str| {
            DriverError::Record(RecordError::Directory(format!(
                "the checkpoint does not fit the scenario: {what}"
            )))
        };
        let bytes = saved.u8("run.lanes")?;
        let mut start = 0;
        let ends = saved.i64("run.lane_ends")?;
        if ends.len() != self.arena.envs as usize {
            return Err(misfit("it has another number of instances"));
        }
        for (lane, &end) in ends.iter().enumerate() {
            let lane_bytes = bytes.get(start..end as usize).ok_or_else(|| misfit("saved lanes"))?;
            self.env.restore(lane, lane_bytes)?;
            start = end as usize;
        }
        self.env.observe(self.rollout.first())?;
        let started = saved.u8("run.started")?;
        let envs = self.rollout.envs;
        if started.len() != envs {
            return Err(misfit("`run.started`"));
        }
        for (to, &from) in self.rollout.started[..envs].iter_mut().zip(started) {
            *to = from != 0;
        }
        let episodes = saved.i64("run.explore_episodes")?;
        let words = saved.i64("run.explore_words")?;
        let positions: Vec<_> = episodes
            .iter()
            .zip(words)
            .map(|(&episode, &word)| (episode as u32, word as u64))
            .collect();
        self.rngs.restore(&positions)?;
        let (rows, tally) = (self.rollout.rows(), &mut self.tally);
        tally.running.copy_from_slice(saved.f64("run.running_returns", &[rows])?);
        let lengths = saved.i64("run.running_lengths")?;
        if lengths.len() != envs {
            return Err(misfit("`run.running_lengths`"));
        }
        tally.lengths.copy_from_slice(lengths);
        tally.window.copy_from_slice(saved.f64("run.window", &[3])?);
        let counters = saved.i64("run.counters")?;
        let &[
            batch_steps,
            rollouts,
            evaluations,
            next_evaluation,
            next_checkpoint,
            next_metrics,
            best,
        ] = counters
        else {
            return Err(misfit("`run.counters`"));
        };
        self.batch_steps = batch_steps as u64;
        self.rollouts = rollouts as u64;
        self.evaluations = evaluations as u64;
        self.next_evaluation = next_evaluation as u64;
        self.next_checkpoint = next_checkpoint as u64;
        self.next_metrics = next_metrics as u64;
        let mean = saved.f64("run.best_mean", &[1])?[0];
        self.best =
            (self.evaluations > 0).then_some(Best { mean, step: best as u64, policy: None });
        self.last =
            serde_json::from_slice(saved.u8("run.last")?).map_err(|_| misfit("`run.last`"))?;
        // Last, because restoring the environment's lanes starts new episodes of memory.
        let memory =
            saved.tensors.get("run.memory").map_or(0, |tensor| tensor.shape.iter().product());
        self.learner.remember(saved.f32("run.memory", &[memory])?);
        Ok(())
    }
}
