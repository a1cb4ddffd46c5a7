//! The decision at every moment of every instance: is the centralised policy called?

use gambol_envs::seed::{Purpose, unit_f64};
use gambol_envs::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use serde::{Deserialize, Serialize};

use super::budget::Purse;
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};

/// What decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub enum Switch {
    /// The Global agent, which learns.
    #[default]
    Learned,
    /// A call with this probability at every step: the control that shows what the number of calls alone is worth.
    Random(f64),
    /// A call every so many steps, at least 1 and not only whole ones, from a point that is drawn anew for each
    /// episode: the mean share of calls is one over this number, also in episodes that are shorter.
    Periodic(f64),
    /// Calls wherever the budget allows it.
    Always,
    /// Never calls.
    Never,
}

impl Switch {
    pub(super) fn check(self, problems: &mut Vec<String>) {
        match self {
            Self::Random(share) if !(0.0..=1.0).contains(&share) => {
                problems.push(format!("`switch`: Random({share}), it must be 0 to 1"));
            }
            Self::Periodic(every) if !(every.is_finite() && every >= 1.0) => {
                problems
                    .push(format!("`switch`: Periodic({every}), it must be finite and at least 1"));
            }
            _ => {}
        }
    }
}

/// Numbers of the Global agent's two actions.
const CALL: usize = 1;

/// The game as the Global agent plays it: one agent that sees the state and what is left of the budget.
pub(super) fn global_spec(spec: &EnvSpec, purse: &Purse) -> EnvSpec {
    // What the environment calls its state, or else all that the agents see.
    let state = if spec.state > 0 { spec.state } else { spec.agents * spec.observation.size() };
    let size = state + usize::from(purse.is_seen());
    EnvSpec {
        name: format!("the switch of {}", spec.name),
        version: spec.version,
        agents: 1,
        roles: vec!["global".to_owned()],
        observation: ObservationSpace {
            shape: vec![size],
            low: vec![f32::MIN; size],
            high: vec![f32::MAX; size],
        },
        action: ActionSpace::Discrete {
            names: vec!["independent".to_owned(), "centralised".to_owned()],
        },
        state: 0,
        turns: Turns::Simultaneous,
        payoff: Payoff::General,
        horizon: spec.horizon,
        tallies: Vec::new(),
    }
}

/// What is remembered of one instance during an episode.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// What is left of the episode's budget, as the purse counts it.
    held: f64,
    /// Steps made.
    step: u64,
    /// Where in a period the episode began.
    phase: f64,
}

/// Decides for a batch, and keeps what the decisions were made of until the next one.
#[derive(Clone, Debug)]
pub(super) struct Decider {
    switch: Switch,
    pub(super) purse: Purse,
    lanes: Vec<Lane>,
    draws: Option<LaneRngs>,
    /// Positions for `draws` as soon as they are there.
    restored: Option<Vec<(u32, u64)>>,
    pub(super) last: Decision,
    actions: ActionBuffer,
}

/// One moment's decisions.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    /// `[envs]`.
    pub(super) called: Vec<bool>,
    /// `[envs, seen]`: what the Global agent saw.
    pub(super) seen: Vec<f32>,
    /// `[envs, 2]`: what it might do.
    pub(super) masks: Vec<bool>,
    /// `[envs]`: the share of the budget that was left afterwards.
    pub(super) left: Vec<f32>,
    /// `[envs]`: whether another call was allowed afterwards.
    pub(super) open: Vec<bool>,
    /// `[envs]`: the penalty of a budget that was overspent afterwards.
    pub(super) penalty: Vec<Option<f32>>,
}

impl Decider {
    pub(super) fn new(switch: Switch, purse: Purse) -> Self {
        Self {
            switch,
            purse,
            lanes: Vec::new(),
            draws: None,
            restored: None,
            last: Decision::default(),
            actions: ActionBuffer::Discrete(Vec::new()),
        }
    }

    /// The same switch with fresh memory, for other lanes.
    pub(super) fn fork(&self) -> Self {
        Self::new(self.switch, self.purse.clone())
    }

    pub(super) fn is_learned(&self) -> bool {
        self.switch == Switch::Learned
    }

    /// Takes note of the lanes that are acted for, whose own generators are these. The switch draws from generators of
    /// its own, so that the policies draw what they would draw without it.
    ///
    /// Gives whether the switch's generators already stand at the episodes of this moment.
    ///
    /// # Errors
    /// [`PolicyError::Rows`] when restored positions are those of another number of lanes.
    pub(super) fn meet(&mut self, envs: usize, rngs: &LaneRngs) -> Result<bool, PolicyError> {
        if self.lanes.len() != envs {
            self.lanes = vec![Lane::default(); envs];
            self.draws = None;
        }
        if self.draws.is_some() {
            return Ok(false);
        }
        let mut draws = rngs.beside(Purpose::Switch);
        let restored = self.restored.take();
        if let Some(positions) = &restored {
            draws.restore(positions)?;
        }
        self.draws = Some(draws);
        Ok(restored.is_none())
    }

    /// Decides for every instance; the result is [`last`](Self::last). `begun` is what [`meet`](Self::meet) gave.
    ///
    /// # Errors
    /// What the Global agent's policy says, or that nobody was met.
    pub(super) fn decide(
        &mut self,
        view: &View<'_>,
        begun: bool,
        global: Option<&mut dyn Policy>,
    ) -> Result<(), PolicyError> {
        let Self { switch, purse, lanes, draws, last, actions, .. } = self;
        let Some(draws) = draws.as_mut().filter(|_| lanes.len() == view.envs) else {
            return Err(PolicyError::Rows { expected: lanes.len(), found: view.envs });
        };
        if !begun {
            draws.begin(view.started);
        }
        let envs = view.envs;
        let state = if view.state.is_empty() { view.observations } else { view.state };
        let size = state.len() / envs.max(1);
        last.seen.clear();
        last.masks.clear();
        for (env, lane) in lanes.iter_mut().enumerate() {
            if view.started[env] {
                *lane = Lane { held: purse.full(), ..Lane::default() };
                if matches!(switch, Switch::Periodic(_)) {
                    lane.phase = unit_f64(draws.lane(env));
                }
            }
            last.seen.extend_from_slice(&state[env * size..(env + 1) * size]);
            if purse.is_seen() {
                last.seen.push(purse.share(lane.held) as f32);
            }
            last.masks.extend([true, purse.allows(env, lane.held)]);
        }
        last.called.clear();
        if *switch == Switch::Learned {
            let Some(global) = global else {
                return Err(PolicyError::Other("the switch has no Global agent".to_owned()));
            };
            if !matches!(actions, ActionBuffer::Discrete(all) if all.len() == envs) {
                *actions = ActionBuffer::Discrete(vec![0; envs]);
            }
            let view = View {
                envs,
                agents: 1,
                observations: &last.seen,
                masks: &last.masks,
                state: &[],
                started: view.started,
            };
            global.act(&view, draws, actions)?;
            last.called.extend(actions.discrete()?.iter().map(|&action| action as usize == CALL));
        } else {
            last.called.extend(lanes.iter().enumerate().map(|(env, lane)| match *switch {
                Switch::Random(share) => unit_f64(draws.lane(env)) < share,
                Switch::Periodic(every) => {
                    let at = lane.step as f64 / every + lane.phase;
                    (at + 1.0 / every).floor() > at.floor()
                }
                Switch::Always => true,
                Switch::Never | Switch::Learned => false,
            }));
        }
        last.left.clear();
        last.open.clear();
        last.penalty.clear();
        for (env, lane) in lanes.iter_mut().enumerate() {
            // Whatever a Global agent from outside chose, the budget holds.
            last.called[env] &= last.masks[2 * env + CALL];
            purse.pay(&mut lane.held, last.called[env]);
            lane.step += 1;
            last.left.push(purse.share(lane.held) as f32);
            last.penalty.push(purse.penalty(lane.held).map(|penalty| penalty as f32));
        }
        last.open.extend(lanes.iter().enumerate().map(|(env, lane)| purse.allows(env, lane.held)));
        Ok(())
    }

    /// Everything that is remembered of the lanes, in whole numbers.
    pub(super) fn words(&self) -> Vec<u64> {
        let positions = match (&self.draws, &self.restored) {
            (Some(draws), _) => draws.positions(),
            (None, Some(restored)) => restored.clone(),
            (None, None) => return Vec::new(),
        };
        let lanes = self.lanes.iter().zip(positions);
        lanes
            .flat_map(|(lane, (episode, word))| {
                let Lane { held, step, phase } = *lane;
                [held.to_bits(), step, phase.to_bits(), u64::from(episode), word]
            })
            .collect()
    }

    /// Takes back what [`words`](Self::words) gave.
    pub(super) fn set_words(&mut self, words: &[u64]) {
        let lanes = words.as_chunks::<5>().0;
        let lane = |&[held, step, phase, _, _]: &[u64; 5]| Lane {
            held: f64::from_bits(held),
            step,
            phase: f64::from_bits(phase),
        };
        self.lanes = lanes.iter().map(lane).collect();
        self.draws = None;
        let position = |&[_, _, _, episode, word]: &[u64; 5]| (episode as u32, word);
        self.restored = (!lanes.is_empty()).then(|| lanes.iter().map(position).collect());
    }
}
