//! A finite game of one agent whose two actions are two Markov chains with rewards.

use std::ops::Range;

use gambol_agents::mansa::exact::Chain;
use gambol_envs::batch::{Actions, BatchEnv, BatchError, End, Outbox};
use gambol_envs::seed::{Purpose, Streams, below, unit_f64};
use gambol_envs::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use gambol_envs::{BuildError, EnvFactory};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Which chain moves is the agent's action; episodes begin at one of the first `starts` states, all alike.
#[derive(Clone, Debug)]
pub struct ChainGame {
    chains: [Chain; 2],
    starts: u32,
    horizon: u32,
}

impl ChainGame {
    pub fn new(chains: [Chain; 2], starts: u32, horizon: u32) -> Self {
        Self { chains, starts, horizon }
    }
}

impl EnvFactory for ChainGame {
    fn build(
        &self,
        lanes: Range<u32>,
        _: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        let states = self.chains[0].rewards.len();
        let spec = EnvSpec {
            name: "Chains".to_owned(),
            version: 1,
            agents: 1,
            roles: vec!["team".to_owned()],
            observation: ObservationSpace {
                shape: vec![states],
                low: vec![0.0; states],
                high: vec![1.0; states],
            },
            action: ActionSpace::Discrete { names: vec!["one".to_owned(), "other".to_owned()] },
            state: states,
            turns: Turns::Simultaneous,
            payoff: Payoff::Common,
            horizon: Some(self.horizon),
            tallies: Vec::new(),
        };
        let lane = |lane| Lane {
            number: lane,
            episode: 0,
            state: 0,
            step: 0,
            rng: streams.at(Purpose::Episode, lane, 0),
        };
        Ok(Box::new(Batch { game: self.clone(), spec, streams, lanes: lanes.map(lane).collect() }))
    }
}

struct Lane {
    number: u32,
    episode: u32,
    state: usize,
    step: u32,
    rng: ChaCha8Rng,
}

struct Batch {
    game: ChainGame,
    spec: EnvSpec,
    streams: Streams,
    lanes: Vec<Lane>,
}

impl Batch {
    fn begin(&mut self, lane: usize, episode: u32) {
        let own = &mut self.lanes[lane];
        self.streams.readdress(&mut own.rng, Purpose::Episode, own.number, episode);
        own.state = below(&mut own.rng, self.game.starts) as usize;
        (own.episode, own.step) = (episode, 0);
    }

    fn write(&self, out: &mut Outbox<'_>) {
        let states = self.spec.state;
        out.masks.fill(true);
        for list in [&mut *out.observations, &mut *out.state] {
            list.fill(0.0);
            for (row, lane) in list.chunks_exact_mut(states).zip(&self.lanes) {
                row[lane.state] = 1.0;
            }
        }
    }
}

impl BatchEnv for Batch {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn envs(&self) -> usize {
        self.lanes.len()
    }

    fn reset(&mut self, episode: u32, mut out: Outbox<'_>) -> Result<(), BatchError> {
        for lane in 0..self.lanes.len() {
            self.begin(lane, episode);
        }
        self.observe(Outbox { ..std::mem::take(&mut out) })
    }

    fn step(&mut self, actions: Actions<'_>, mut out: Outbox<'_>) -> Result<(), BatchError> {
        let Actions::Discrete(actions) = actions else { panic!("discrete") };
        let states = self.spec.state;
        for (lane, &action) in actions.iter().enumerate() {
            let own = &mut self.lanes[lane];
            let chain = &self.game.chains[action as usize];
            out.rewards[lane] = chain.rewards[own.state] as f32;
            let mut left = unit_f64(&mut own.rng);
            let next = &chain.next[own.state];
            let to = next.iter().find(|(_, p)| {
                left -= p;
                left < 0.0
            });
            own.state = to.or(next.last()).unwrap().0;
            own.step += 1;
            let end = if chain.next[own.state].is_empty() {
                End::Terminated
            } else if own.step == self.game.horizon {
                End::Truncated
            } else {
                End::Running
            };
            out.ends[lane] = end;
            if end.is_over() {
                for list in [&mut *out.last_observations, &mut *out.last_state] {
                    if let Some(row) = list.get_mut(lane * states..(lane + 1) * states) {
                        row.fill(0.0);
                        row[own.state] = 1.0;
                    }
                }
                if let Some(masks) = out.last_masks.get_mut(2 * lane..2 * lane + 2) {
                    masks.fill(true);
                }
                let episode = self.lanes[lane].episode + 1;
                self.begin(lane, episode);
            }
        }
        self.write(&mut out);
        Ok(())
    }

    fn observe(&mut self, mut out: Outbox<'_>) -> Result<(), BatchError> {
        out.rewards.fill(0.0);
        out.ends.fill(End::Running);
        self.write(&mut out);
        Ok(())
    }

    fn save(&mut self, lane: usize) -> Result<Vec<u8>, BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }

    fn restore(&mut self, lane: usize, _: &[u8]) -> Result<(), BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }

    fn watch(&mut self, lane: usize) -> Result<(), BatchError> {
        Err(BatchError::Lane { lane, envs: 0 })
    }

    fn describe_last(&self, _: usize) -> Option<&Value> {
        None
    }

    fn describe(&mut self, lane: usize) -> Result<Value, BatchError> {
        Ok(json!({ "state": self.lanes[lane].state }))
    }
}
