//! Recorded episodes, played again: as text, and as a page that a browser shows without a server.
//!
//! An evaluation keeps the actions of its first episodes in `replay.json` of the run directory.
//! They are played again in the recorded environment, one lane at a time, and each episode must end as it did then, with
//! the same returns; so what is shown is what happened.

use gambol_envs::BuildError;
use gambol_envs::batch::{Actions, BatchEnv, BatchError, Buffers, End};
use gambol_envs::spec::{ActionSpace, EnvSpec};
use serde_json::{Value, json};
use thiserror::Error;

use crate::plan::Arena;

mod page;
mod tape;
mod terminal;

pub(crate) use page::page;
pub(crate) use tape::{Camera, Reel, Tape};
pub(crate) use terminal::Screen;

use tape::{FORMAT, Steps};

/// Why an episode could not be played again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ReplayError {
    /// The environment cannot be built.
    #[error("environment: {0}")]
    Build(#[from] BuildError),
    /// The environment refused a call.
    #[error("environment: {0}")]
    Batch(#[from] BatchError),
    /// The recording has another form.
    #[error("it has format {found}, this build knows {FORMAT}")]
    Format {
        /// The recording's.
        found: u32,
    },
    /// The environment does something else than it did.
    #[error(
        "episode {episode} of lane {lane} does not end as recorded (recorded {recorded}; played {played}): \
         the environment has changed since the run"
    )]
    Differs {
        /// Global number of the lane.
        lane: u32,
        /// Number of the episode within the lane.
        episode: usize,
        /// How it ended then.
        recorded: String,
        /// How it ends now.
        played: String,
    },
}

/// One moment and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    /// The environment's own description.
    pub(crate) state: Value,
    /// What each agent did to get here; nothing at the start.
    pub(crate) actions: Vec<Vec<f64>>,
    /// What each agent received for it.
    pub(crate) rewards: Vec<f32>,
    /// The sum of that so far.
    pub(crate) returns: Vec<f64>,
}

/// One episode, moment by moment; the first is the start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Episode {
    pub(crate) lane: u32,
    /// Its number within the lane, from 0.
    pub(crate) number: usize,
    pub(crate) moments: Vec<Moment>,
    /// How it ended, in words.
    pub(crate) end: &'static str,
}

/// Episodes with all that is needed to show them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replay {
    /// The scenario's name.
    pub(crate) scenario: String,
    /// The environment's name in its registry, which decides how it is drawn.
    pub(crate) family: String,
    pub(crate) spec: EnvSpec,
    pub(crate) agent: Option<String>,
    pub(crate) seed: u64,
    /// Environment steps of training before.
    pub(crate) step: u64,
    /// What never changes.
    pub(crate) scenery: Value,
    pub(crate) episodes: Vec<Episode>,
}

/// One lane that is played again.
struct Player {
    env: Box<dyn BatchEnv>,
    spec: EnvSpec,
    out: Buffers,
}

impl Player {
    fn moment(&mut self, action: Vec<Vec<f64>>, before: &[f64]) -> Result<Moment, ReplayError> {
        let state = match (self.out.ends[0].is_over(), self.env.describe_last(0)) {
            (true, Some(state)) => state.clone(),
            _ => self.env.describe(0)?,
        };
        let rewards = self.out.rewards.clone();
        let returns = before.iter().zip(&rewards).map(|(sum, &reward)| sum + f64::from(reward));
        Ok(Moment { state, actions: action, returns: returns.collect(), rewards })
    }

    /// The start of an episode: what the agents find.
    fn start(&mut self) -> Result<Moment, ReplayError> {
        let state = self.env.describe(0)?;
        let agents = self.spec.agents;
        let (rewards, returns) = (vec![0.0; agents], vec![0.0; agents]);
        Ok(Moment { state, actions: Vec::new(), rewards, returns })
    }

    fn step(&mut self, steps: &Steps, step: usize) -> Result<Vec<Vec<f64>>, ReplayError> {
        Ok(match steps {
            Steps::Discrete(steps) => {
                self.env.step(Actions::Discrete(&steps[step]), self.out.outbox())?;
                steps[step].iter().map(|&action| vec![f64::from(action)]).collect()
            }
            Steps::Continuous(steps) => {
                let row: Vec<f32> = steps[step].iter().map(|&value| value as f32).collect();
                self.env.step(Actions::Continuous(&row), self.out.outbox())?;
                let size = self.spec.action.action_size().max(1);
                steps[step].chunks(size).map(<[f64]>::to_vec).collect()
            }
        })
    }
}

impl Reel {
    /// Plays the lane's episodes again.
    fn play(&self, arena: &Arena) -> Result<(Value, Vec<Episode>), ReplayError> {
        let lanes = self.lane..self.lane + 1;
        let env = arena.env.build(lanes, 1, arena.streams)?;
        let mut player =
            Player { env, spec: arena.spec.clone(), out: Buffers::new(&arena.spec, 1) };
        player.env.watch(0)?;
        player.env.reset(0, player.out.outbox())?;
        let (mut episodes, mut step) = (Vec::new(), 0);
        for (number, ending) in self.episodes.iter().enumerate() {
            let mut moments = vec![player.start()?];
            let mut end = End::Running;
            for _ in 0..ending.length {
                if end.is_over() || step >= self.actions.len() {
                    break;
                }
                let action = player.step(&self.actions, step)?;
                step += 1;
                end = player.out.ends[0];
                let before = moments.last().map_or(Vec::new(), |moment| moment.returns.clone());
                moments.push(player.moment(action, &before)?);
            }
            let played = tape::Ending {
                length: moments.len() as u32 - 1,
                end: tape::How::of(end),
                returns: moments.last().map_or(Vec::new(), |moment| moment.returns.clone()),
            };
            if played != *ending {
                let words = |ending: &tape::Ending| {
                    let tape::Ending { length, end, returns } = ending;
                    format!("{} after {length} steps with returns {returns:?}", end.word())
                };
                return Err(ReplayError::Differs {
                    lane: self.lane,
                    episode: number,
                    recorded: words(ending),
                    played: words(&played),
                });
            }
            episodes.push(Episode { lane: self.lane, number, moments, end: ending.end.word() });
        }
        Ok((player.env.scenery(), episodes))
    }
}

impl Replay {
    /// Plays everything on a tape again.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub(crate) fn of(
        tape: &Tape,
        arena: &Arena,
        scenario: &str,
        agent: Option<&str>,
        seed: u64,
    ) -> Result<Self, ReplayError> {
        if tape.format != FORMAT {
            return Err(ReplayError::Format { found: tape.format });
        }
        let (mut scenery, mut episodes) = (Value::Null, Vec::new());
        for reel in &tape.reels {
            let (found, more) = reel.play(arena)?;
            scenery = found;
            episodes.extend(more);
        }
        Ok(Self {
            scenario: scenario.to_owned(),
            family: arena.name.clone(),
            spec: arena.spec.clone(),
            agent: agent.map(str::to_owned),
            seed,
            step: tape.step,
            scenery,
            episodes,
        })
    }

    /// The names of the actions, or none where they are vectors.
    fn names(&self) -> &[String] {
        match &self.spec.action {
            ActionSpace::Discrete { names } => names,
            _ => &[],
        }
    }

    /// An agent's action in words.
    fn word(&self, action: &[f64]) -> String {
        let names = self.names();
        match action {
            [number] if !names.is_empty() => {
                names.get(*number as usize).cloned().unwrap_or_else(|| number.to_string())
            }
            values => {
                let values: Vec<String> =
                    values.iter().map(|value| format!("{value:.3}")).collect();
                values.join(" ")
            }
        }
    }

    /// Everything as one JSON object, as the page takes it.
    pub(crate) fn json(&self) -> Value {
        let episodes: Vec<Value> = self
            .episodes
            .iter()
            .map(|episode| {
                let moments: Vec<Value> = episode
                    .moments
                    .iter()
                    .map(|moment| {
                        let words: Vec<String> =
                            moment.actions.iter().map(|action| self.word(action)).collect();
                        json!({
                            "state": moment.state,
                            "actions": moment.actions,
                            "words": words,
                            "rewards": moment.rewards,
                            "returns": moment.returns,
                        })
                    })
                    .collect();
                json!({
                    "lane": episode.lane,
                    "number": episode.number,
                    "end": episode.end,
                    "moments": moments,
                })
            })
            .collect();
        json!({
            "scenario": self.scenario,
            "family": self.family,
            "environment": self.spec.name,
            "agent": self.agent,
            "seed": self.seed,
            "step": self.step,
            "roles": self.spec.roles,
            "actions": self.names(),
            "scenery": self.scenery,
            "episodes": episodes,
        })
    }
}
