//! The learner: two learners and a Global agent, each of which learns from what is its own.

use gambol_envs::spec::{EnvSpec, Payoff};

use super::act::{self, Seat};
use super::global::{Global, Log};
use super::steps::{Collector, Share, Turns};
use super::switch::{Decider, Decision};
use crate::learner::{Checkpoint, LearnError, Learner, Report};
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use crate::rollout::Rollout;

/// Environment steps over which the recent share of calls is averaged.
const RECENT: f64 = 10_000.0;

/// One of the two that act.
pub(super) enum Base {
    /// It does not learn.
    Policy(Box<dyn Policy>),
    /// It learns.
    Learner(Box<dyn Learner>),
}

impl Base {
    fn policy(&self) -> &dyn Policy {
        match self {
            Self::Policy(policy) => &**policy,
            Self::Learner(learner) => &**learner,
        }
    }

    fn policy_mut(&mut self) -> &mut dyn Policy {
        match self {
            Self::Policy(policy) => &mut **policy,
            Self::Learner(learner) => &mut **learner,
        }
    }

    pub(super) fn learner(&self) -> Option<&dyn Learner> {
        match self {
            Self::Policy(_) => None,
            Self::Learner(learner) => Some(&**learner),
        }
    }

    pub(super) fn learner_mut(&mut self) -> Option<&mut dyn Learner> {
        match self {
            Self::Policy(_) => None,
            Self::Learner(learner) => Some(&mut **learner),
        }
    }

    fn frozen(&self, greedy: bool) -> Result<Box<dyn Policy>, LearnError> {
        match self {
            Self::Policy(policy) => Ok(policy.fork()),
            Self::Learner(learner) => learner.policy(greedy),
        }
    }
}

/// One of the two, with its place at the table and the steps that it will learn from.
pub(super) struct Player {
    name: &'static str,
    /// The value of a decision that gives it the turn.
    turn: bool,
    base: Base,
    seat: Seat,
    collector: Option<Collector>,
    /// `[moments, envs, ..]`: what it remembered before each moment since it was last given something.
    memory: Vec<f32>,
}

impl Player {
    fn new(name: &'static str, turn: bool, base: Base, share: Share, table: &Table<'_>) -> Self {
        let collector = base
            .learner()
            .map(|learner| Collector::new(share, table.spec, table.envs, learner.rollout_steps()));
        Self { name, turn, base, seat: Seat::default(), collector, memory: Vec::new() }
    }
}

/// What the learner is built for.
pub(super) struct Table<'a> {
    pub(super) spec: &'a EnvSpec,
    pub(super) global_spec: &'a EnvSpec,
    pub(super) envs: usize,
    pub(super) cost: f64,
    /// What the two learners are given.
    pub(super) share: Share,
    /// Whether they act with the same networks.
    pub(super) joined: bool,
}

/// Numbers of calls and steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    calls: u64,
    steps: u64,
    /// Share of calls, averaged over about [`RECENT`] steps.
    recent: f64,
}

impl Counts {
    fn add(&mut self, called: &[bool]) {
        let calls = called.iter().filter(|&&called| called).count();
        let share = calls as f64 / called.len().max(1) as f64;
        // The first share stands for all that was before it.
        let weight =
            if self.steps == 0 { 1.0 } else { 1.0 - libm::exp(-(called.len() as f64) / RECENT) };
        self.recent += (share - self.recent) * weight;
        self.calls += calls as u64;
        self.steps += called.len() as u64;
    }
}

fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// The learner with its whole state.
///
/// When a member fails to learn, that member is as it was before; those that learned before it in the same call have
/// learned, for learners need not be able to go back.
pub(super) struct MansaLearner {
    steps: usize,
    cost: f32,
    common: bool,
    joined: bool,
    decider: Decider,
    global: Option<Global>,
    players: [Player; 2],
    log: Log,
    /// Whether the newest decision of the log is for the moment that is acted at next.
    decided: bool,
    counts: Counts,
}

impl MansaLearner {
    pub(super) fn new(
        table: &Table<'_>,
        decider: Decider,
        independent: Base,
        centralised: Base,
        global: Option<Box<dyn Learner>>,
    ) -> Self {
        let players = [
            Player::new("independent", false, independent, table.share, table),
            Player::new("centralised", true, centralised, table.share, table),
        ];
        // Each learns as soon as it has what it asks for, so that alone it learns when it would without a switch.
        let learners = players.iter().filter_map(|player| player.base.learner());
        let asked = learners.chain(global.as_deref()).map(Learner::rollout_steps);
        let steps = asked.fold(0, divisor).max(1);
        let global = global.map(|learner| Global::new(learner, table, steps));
        Self {
            steps,
            cost: table.cost as f32,
            common: table.spec.payoff == Payoff::Common,
            joined: table.joined,
            decider,
            global,
            players,
            log: Log::default(),
            decided: false,
            counts: Counts::default(),
        }
    }

    /// Decides for a moment that comes next.
    fn decide(&mut self, view: &View<'_>, begun: bool) -> Result<(), PolicyError> {
        if let Some(global) = &mut self.global {
            let before = global.learner.memory();
            self.decider.decide(view, begun, Some(&mut *global.learner))?;
            global.noted(before);
        } else {
            self.decider.decide(view, begun, None)?;
        }
        self.log.push(&self.decider.last);
        Ok(())
    }

    fn report(&self, members: Vec<(&'static str, Report)>) -> Report {
        let Counts { calls, steps, recent } = self.counts;
        let values = vec![
            ("calls", calls as f64),
            ("call_fraction", calls as f64 / steps.max(1) as f64),
            ("recent_call_fraction", recent),
        ];
        Report { values, members }
    }

    /// Everybody who learns, by name.
    fn learners(&self) -> Vec<(&'static str, &dyn Learner)> {
        let players = self.players.iter();
        let players = players.filter_map(|player| Some((player.name, player.base.learner()?)));
        players.chain(self.global.as_ref().map(|global| ("global", &*global.learner))).collect()
    }

    fn load_members(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        for player in &mut self.players {
            if let Some(learner) = player.base.learner_mut() {
                learner.load(&checkpoint.part(player.name))?;
            }
        }
        match &mut self.global {
            Some(global) => global.learner.load(&checkpoint.part("global")),
            None => Ok(()),
        }
    }

    fn save_members(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = Checkpoint::default();
        for (name, learner) in self.learners() {
            checkpoint.put_part(name, learner.save()?);
        }
        Ok(checkpoint)
    }
}

/// The name under which the calls paid so far stand among the parameters: a policy with a budget for the whole training
/// run sees what is left of it.
pub(super) const SPENT: &str = "switch.spent";

impl Policy for MansaLearner {
    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let begun = self.decider.meet(view.envs, rngs)?;
        if !std::mem::take(&mut self.decided) {
            // Nobody learned from what was before.
            if self.log.moments > self.steps {
                self.log = Log::default();
                self.global.iter_mut().for_each(Global::forget);
                self.players.iter_mut().for_each(|player| player.memory.clear());
            }
            self.decide(view, begun)?;
        }
        let called = &self.decider.last.called;
        for Player { turn, base, seat, memory, .. } in &mut self.players {
            seat.act(base.policy_mut(), view, rngs, (called, *turn), actions)?;
            memory.extend_from_slice(&seat.before);
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Policy> {
        let [independent, centralised] = &self.players;
        Box::new(act::Switching::new(
            self.decider.fork(),
            self.global.as_ref().map(|global| global.learner.fork()),
            independent.base.policy().fork(),
            centralised.base.policy().fork(),
        ))
    }

    fn memory(&self) -> Vec<f32> {
        let mut policies: Vec<_> = self.players.iter().map(|player| player.base.policy()).collect();
        policies.extend(self.global.as_ref().map(|global| &*global.learner as &dyn Policy));
        act::memory(&self.decider, &policies)
    }

    fn remember(&mut self, memory: &[f32]) {
        let Self { decider, global, players, .. } = self;
        let mut policies: Vec<_> =
            players.iter_mut().map(|player| player.base.policy_mut()).collect();
        policies.extend(global.as_mut().map(|global| &mut *global.learner as &mut dyn Policy));
        act::remember(decider, &mut policies, memory);
    }

    fn called(&self) -> &[bool] {
        &self.decider.last.called
    }
}

impl Learner for MansaLearner {
    fn rollout_steps(&self) -> usize {
        self.steps
    }

    fn learn(&mut self, rollout: &Rollout) -> Result<Report, LearnError> {
        let Rollout { steps, envs, .. } = *rollout;
        if self.log.moments != steps {
            let (what, found) = ("steps that the switch decided for", steps);
            return Err(LearnError::Shape { what, expected: self.log.moments, found });
        }
        // A learner's step lasts until its next own moment, so it has to be known who acts next.
        self.decide(&rollout.view(steps), false)?;
        self.decided = true;
        let called = &self.log.decisions.called;
        self.counts.add(&called[..steps * envs]);
        let turns = [called.iter().map(|&called| !called).collect(), called.clone()];
        let mut members = Vec::new();
        let mut adopted = None;
        for (at, own) in turns.iter().enumerate() {
            let Player { name, base, collector, memory, .. } = &mut self.players[at];
            let memory = std::mem::take(memory);
            let (Some(learner), Some(collector)) = (base.learner_mut(), collector) else {
                continue;
            };
            let turns = Turns { own, memory: &memory };
            if let Some(report) = collector.feed(rollout, turns, learner)? {
                members.push((*name, report));
                adopted = self.joined.then(|| learner.parameters()).transpose()?;
            }
            if let (Some(parameters), Some(other)) =
                (adopted.take(), self.players[1 - at].base.learner_mut())
            {
                other.adopt(&parameters)?;
            }
        }
        if let Some(global) = &mut self.global
            && let Some(report) = global.learn(rollout, &self.log, self.cost, self.common)?
        {
            members.push(("global", report));
        }
        self.log.keep(1);
        Ok(self.report(members))
    }

    fn policy(&self, greedy: bool) -> Result<Box<dyn Policy>, LearnError> {
        let [independent, centralised] = &self.players;
        let global =
            self.global.as_ref().map(|global| global.learner.policy(greedy)).transpose()?;
        Ok(Box::new(act::Switching::new(
            self.decider.fork(),
            global,
            independent.base.frozen(greedy)?,
            centralised.base.frozen(greedy)?,
        )))
    }

    fn save(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = self.save_members()?;
        for Player { name, collector, .. } in &self.players {
            if let Some(collector) = collector {
                collector.save(&format!("switch.{name}"), &mut checkpoint);
            }
        }
        if let Some(global) = &self.global {
            global.save(&mut checkpoint);
        }
        let Counts { calls, steps, recent } = self.counts;
        let decided = if self.decided { self.log.decisions.called.len() } else { 0 };
        let counters = [calls, steps, self.decider.purse.spent, decided as u64];
        checkpoint.put_i64("switch.counters", counters.map(|counter| counter as i64).to_vec());
        checkpoint.put_f64("switch.recent", &[1], vec![recent]);
        if self.decided {
            // Between two rollouts the log holds one moment, which is decided and still to come.
            let Decision { called, seen, masks, left, open, penalty } = &self.log.decisions;
            let bytes = [called, masks, open].into_iter().flatten().map(|&set| u8::from(set));
            checkpoint.put_u8("switch.decided", bytes.collect());
            let penalty = penalty.iter().map(|penalty| penalty.unwrap_or(f32::NEG_INFINITY));
            let numbers: Vec<f32> = seen.iter().chain(left).copied().chain(penalty).collect();
            checkpoint.put_f32("switch.decided_on", &[numbers.len()], numbers);
        }
        Ok(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        let misfit = || LearnError::Checkpoint("`switch.counters` does not fit".to_owned());
        let &[calls, steps, spent, decided] = checkpoint.i64("switch.counters")? else {
            return Err(misfit());
        };
        let recent = checkpoint.f64("switch.recent", &[1])?[0];
        let envs = usize::try_from(decided).map_err(|_| misfit())?;
        let mut decision = Decision::default();
        if envs > 0 {
            let bytes = checkpoint.u8("switch.decided")?;
            let count = checkpoint
                .tensors
                .get("switch.decided_on")
                .map_or(0, |saved| saved.shape.iter().product::<usize>());
            let numbers = checkpoint.f32("switch.decided_on", &[count])?;
            let seen = count.checked_sub(2 * envs).ok_or_else(misfit)?;
            if bytes.len() != 4 * envs {
                return Err(misfit());
            }
            let bools = |from: usize, to: usize| {
                bytes[from..to].iter().map(|&byte| byte != 0).collect::<Vec<_>>()
            };
            let penalty = |&penalty: &f32| penalty.is_finite().then_some(penalty);
            decision = Decision {
                called: bools(0, envs),
                masks: bools(envs, 3 * envs),
                open: bools(3 * envs, 4 * envs),
                seen: numbers[..seen].to_vec(),
                left: numbers[seen..seen + envs].to_vec(),
                penalty: numbers[seen + envs..].iter().map(penalty).collect(),
            };
        }
        let read = |name: &str, collector: &Collector| {
            collector.load(&format!("switch.{name}"), checkpoint)
        };
        let mut collectors = Vec::new();
        for Player { name, collector, .. } in &self.players {
            collectors.push(collector.as_ref().map(|own| read(name, own)).transpose()?);
        }
        let global = self.global.as_ref().map(|global| global.read(checkpoint)).transpose()?;
        // The members one by one; if one refuses, those before it go back.
        let before = self.save_members()?;
        if let Err(error) = self.load_members(checkpoint) {
            self.load_members(&before)?;
            return Err(error);
        }
        for (player, collector) in self.players.iter_mut().zip(collectors) {
            player.collector = collector;
        }
        if let (Some(global), Some(read)) = (&mut self.global, global) {
            (global.collector, global.memory) = read;
        }
        self.counts = Counts { calls: calls as u64, steps: steps as u64, recent };
        self.decider.purse.spent = spent as u64;
        self.decided = envs > 0;
        self.decider.last = decision.clone();
        self.log = Log { moments: usize::from(self.decided), decisions: decision };
        Ok(())
    }

    fn parameters(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = Checkpoint::default();
        for (name, learner) in self.learners() {
            checkpoint.put_part(name, learner.parameters()?);
        }
        checkpoint.put_i64(SPENT, vec![self.decider.purse.spent as i64]);
        Ok(checkpoint)
    }
}
