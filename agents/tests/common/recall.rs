//! A task that nobody solves without memory: each agent is shown a sign at the first moment and has to name it later,
//! when nothing is to be seen but that it is time.

use std::ops::Range;

use gambol_envs::batch::{Actions, BatchEnv, BatchError, End, Outbox};
use gambol_envs::seed::{Purpose, Streams, below};
use gambol_envs::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use gambol_envs::{BuildError, EnvFactory};

/// Steps from the sign to the last chance to name it.
const STEPS: u32 = 4;
const AGENTS: usize = 2;

#[derive(Clone, Copy, Debug)]
pub struct Recall;

struct Lanes {
    spec: EnvSpec,
    streams: Streams,
    first: u32,
    episodes: Vec<u32>,
    times: Vec<u32>,
    /// `[envs, agents]`.
    signs: Vec<u16>,
}

impl EnvFactory for Recall {
    fn build(
        &self,
        lanes: Range<u32>,
        _shard: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        let spec = EnvSpec {
            name: "Recall".to_owned(),
            version: 1,
            agents: AGENTS,
            roles: vec!["player".to_owned(); AGENTS],
            observation: ObservationSpace {
                shape: vec![2],
                low: vec![-1.0, 0.0],
                high: vec![1.0, 1.0],
            },
            action: ActionSpace::Discrete { names: vec!["minus".into(), "plus".into()] },
            state: 2 * AGENTS,
            turns: Turns::Simultaneous,
            payoff: Payoff::General,
            horizon: Some(STEPS),
            tallies: Vec::new(),
        };
        let envs = lanes.len();
        let (episodes, times, signs) = (vec![0; envs], vec![0; envs], vec![0; envs * AGENTS]);
        Ok(Box::new(Lanes { spec, streams, first: lanes.start, episodes, times, signs }))
    }
}

impl Lanes {
    fn begin(&mut self, lane: usize) {
        let address = (self.first + lane as u32, self.episodes[lane]);
        let mut rng = self.streams.at(Purpose::Episode, address.0, address.1);
        self.times[lane] = 0;
        for sign in &mut self.signs[lane * AGENTS..(lane + 1) * AGENTS] {
            *sign = below(&mut rng, 2) as u16;
        }
    }

    fn look(&self, lane: usize, out: &mut Outbox<'_>) {
        let wide = lane * 2 * AGENTS;
        let seen = &mut out.observations[wide..wide + 2 * AGENTS];
        for (agent, own) in seen.chunks_exact_mut(2).enumerate() {
            let sign = 2.0 * f32::from(self.signs[lane * AGENTS + agent]) - 1.0;
            own[0] = if self.times[lane] == 0 { sign } else { 0.0 };
            own[1] = if self.times[lane] + 1 == STEPS { 1.0 } else { 0.0 };
        }
        if !out.state.is_empty() {
            out.state[wide..wide + 2 * AGENTS].copy_from_slice(seen);
        }
        if !out.masks.is_empty() {
            out.masks[wide..wide + 2 * AGENTS].fill(true);
        }
    }
}

impl BatchEnv for Lanes {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn envs(&self) -> usize {
        self.times.len()
    }

    fn reset(&mut self, episode: u32, out: Outbox<'_>) -> Result<(), BatchError> {
        self.episodes.fill(episode);
        (0..self.envs()).for_each(|lane| self.begin(lane));
        self.observe(out)
    }

    fn step(&mut self, actions: Actions<'_>, mut out: Outbox<'_>) -> Result<(), BatchError> {
        let Actions::Discrete(actions) = actions else {
            return Err(BatchError::ActionKind { expected: "discrete" });
        };
        for lane in 0..self.envs() {
            self.times[lane] += 1;
            let over = self.times[lane] == STEPS;
            let team = lane * AGENTS..(lane + 1) * AGENTS;
            let named = actions[team.clone()].iter().zip(&self.signs[team.clone()]);
            for (reward, (action, sign)) in out.rewards[team].iter_mut().zip(named) {
                *reward = if over && action == sign { 0.5 } else { 0.0 };
            }
            out.ends[lane] = if over { End::Terminated } else { End::Running };
            if over {
                self.episodes[lane] += 1;
                self.begin(lane);
            }
            self.look(lane, &mut out);
        }
        Ok(())
    }

    fn observe(&mut self, mut out: Outbox<'_>) -> Result<(), BatchError> {
        out.rewards.fill(0.0);
        out.ends.fill(End::Running);
        (0..self.envs()).for_each(|lane| self.look(lane, &mut out));
        Ok(())
    }

    fn save(&mut self, lane: usize) -> Result<Vec<u8>, BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }

    fn restore(&mut self, lane: usize, _saved: &[u8]) -> Result<(), BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }

    fn watch(&mut self, lane: usize) -> Result<(), BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }

    fn describe_last(&self, _lane: usize) -> Option<&serde_json::Value> {
        None
    }

    fn describe(&mut self, lane: usize) -> Result<serde_json::Value, BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }
}
