//! Episodes between mixtures over populations, of one run or of several.

use std::collections::BTreeMap;
use std::path::Path;

use gambol_agents::learner::Checkpoint;
use gambol_envs::seed::{Purpose, Streams, pick, unit_f64};
use gambol_solvers::psro::{Meta, State, WorldError, tail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::learned::{Learn, Learned, Played, World, derived};
use super::{Kept, Responses, report};
use crate::drivers::evaluate::Mean;
use crate::drivers::{DriverError, Run};
use crate::plan::Plan;
use crate::record::{RecordError, checkpoint};

/// Name of the file of a run's policies, without its ending.
pub(super) const FILE: &str = "population";

/// Share of the worst episodes that the tail is the mean of.
const TAIL: f64 = 0.05;

/// Episodes that are played in one piece.
const PIECE: u64 = 256;

/// Policies of every role and what every player plays.
pub(crate) struct Population {
    pub(super) about: About,
    policies: Vec<Vec<Learned>>,
}

/// `population.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    roles: Vec<usize>,
    sizes: Vec<usize>,
    meta: Meta,
}

/// Name of a policy's tensors.
fn name(role: usize, place: usize) -> String {
    format!("policy.{role}.{place}")
}

impl Population {
    /// Where a run has come to; none before its first meta-strategy.
    pub(super) fn of(state: &State<Learned>) -> Option<Self> {
        let forget = |policy: &Learned| policy.without_learner();
        let policies = state.populations.iter().map(|all| all.iter().map(forget).collect());
        Some(Self {
            about: About {
                roles: state.table.roles().to_vec(),
                sizes: state.sizes(),
                meta: state.meta.clone()?,
            },
            policies: policies.collect(),
        })
    }

    /// The policies as they are saved.
    pub(super) fn saved(&self) -> Checkpoint {
        let mut saved = Checkpoint::default();
        for (role, population) in self.policies.iter().enumerate() {
            for (place, policy) in population.iter().enumerate() {
                policy.put(&name(role, place), &mut saved);
            }
        }
        saved
    }

    /// What a run directory keeps.
    pub(crate) fn read(run: &Path) -> Result<Self, DriverError> {
        let path = run.join(format!("{FILE}.json"));
        let damaged = |why: String| {
            let path = path.display();
            let why = format!("{path}: {why}; it must be a complete run of `Psro` with Learn(..)");
            DriverError::Record(RecordError::Directory(why))
        };
        let text = std::fs::read_to_string(&path).map_err(|error| damaged(error.to_string()))?;
        let about: About =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let saved = checkpoint::read(&run.join(format!("{FILE}.safetensors")))?;
        let get = |(role, &size): (usize, &usize)| -> Result<Vec<Learned>, DriverError> {
            (0..size).map(|place| Ok(Learned::get(&name(role, place), &saved)?)).collect()
        };
        let policies = about.sizes.iter().enumerate().map(get).collect::<Result<_, _>>()?;
        Ok(Self { about, policies })
    }

    /// Its policy for a player.
    fn policy(&self, player: usize, place: usize) -> Option<&Learned> {
        self.policies.get(*self.about.roles.get(player)?)?.get(place)
    }
}

/// Plays episodes in which player `p`'s policy is drawn from `sides[p]` anew for each.
///
/// Where all are one population with a joint distribution, choices are drawn from that.
pub(super) fn play(
    world: &World<'_>,
    sides: &[&Population],
    streams: Streams,
    episodes: u64,
) -> Result<Played, WorldError> {
    let one = sides.first().filter(|first| sides.iter().all(|side| std::ptr::eq(*side, **first)));
    let together = one.filter(|side| side.about.meta.joint.is_some());
    let together = together.map(|side| report::joint(&side.about.meta));
    let shares: Vec<f64> = together.iter().flatten().map(|(weight, _)| *weight).collect();
    let mut counts: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
    let mut rng = streams.at(Purpose::Evaluate, 0, 0);
    for episode in 0..episodes {
        streams.readdress(&mut rng, Purpose::Evaluate, 0, u32::try_from(episode)?);
        let choice = match &together {
            Some(joint) => joint[pick(&shares, unit_f64(&mut rng))].1.clone(),
            None => sides
                .iter()
                .enumerate()
                .map(|(player, side)| pick(&side.about.meta.profile[player], unit_f64(&mut rng)))
                .collect(),
        };
        *counts.entry(choice).or_insert(0) += 1;
    }
    let mut pieces = Vec::new();
    for (number, (choice, count)) in counts.iter().enumerate() {
        for first in (0..*count).step_by(PIECE as usize) {
            pieces.push((number as u32 + 1, choice, first, PIECE.min(count - first)));
        }
    }
    let played: Vec<Result<Played, WorldError>> = pieces
        .par_iter()
        .map(|&(number, choice, first, count)| {
            let policies: Option<Vec<&Learned>> = sides
                .iter()
                .zip(choice)
                .enumerate()
                .map(|(player, (side, &place))| side.policy(player, place))
                .collect();
            let policies = policies.ok_or("a population lacks a policy that it plays")?;
            let streams = derived(streams, Purpose::Evaluate, number, 0);
            world.episodes(&policies, streams, first, count)
        })
        .collect();
    let mut all = Played::default();
    for played in played {
        let played = played?;
        all.returns.extend(played.returns);
        all.tallies.extend(played.tallies);
    }
    Ok(all)
}

/// Numbers of one quantity over episodes.
fn numbers(values: &[f64]) -> Value {
    let mean = Mean::of(values.iter().copied());
    let count = values.len() as f64;
    let outcomes: Vec<(f64, f64)> = values.iter().map(|&value| (value, 1.0 / count)).collect();
    json!({
        "mean": mean.mean,
        "interval_95": mean.interval(),
        "variance": mean.error * mean.error * count,
        "worst_5_percent": tail(&outcomes, TAIL),
    })
}

/// What episodes gave: returns of each player, and the mean of everything that the environment counts.
pub(super) fn summary(played: &Played, agents: usize, tallies: &[String]) -> Value {
    let player = |agent: usize| -> Value {
        let own: Vec<f64> = played.returns.iter().skip(agent).step_by(agents).copied().collect();
        numbers(&own)
    };
    let counted = |(place, name): (usize, &String)| -> (String, Value) {
        let own = played.tallies.iter().skip(place).step_by(tallies.len());
        let mean = Mean::of(own.map(|&count| f64::from(count)));
        (name.clone(), json!({ "mean": mean.mean, "interval_95": mean.interval() }))
    };
    json!({
        "episodes": played.returns.len() / agents.max(1),
        "players": (0..agents).map(player).collect::<Vec<_>>(),
        "tallies": tallies.iter().enumerate().map(counted).collect::<serde_json::Map<_, _>>(),
    })
}

/// Every run's first player against every run's other players: one object a pair.
///
/// # Errors
/// [`DriverError`] when a run has no population or the runs are of different environments.
pub(crate) fn all_pairs(
    plans: &[Plan],
    populations: &[Population],
    seed: u64,
    episodes: u64,
) -> Result<Vec<(usize, usize, Value)>, DriverError> {
    let mut found = Vec::new();
    let facts = |plan: &Plan| plan.summary()["arena"].clone();
    if let Some(other) = plans.iter().find(|plan| facts(plan) != facts(&plans[0])) {
        let why = format!("{} is of another environment than {}", other.name, plans[0].name);
        return Err(DriverError::Solve(why));
    }
    for (row, (plan, own)) in plans.iter().zip(populations).enumerate() {
        let arena = plan.arena.as_ref().ok_or(DriverError::Missing("env"))?;
        let player = plan.player.as_ref().ok_or(DriverError::Missing("agent"))?;
        let Some(Run::Psro(psro)) = &plan.run else {
            return Err(DriverError::Missing("run: Psro"));
        };
        let learn = match psro.responses {
            Responses::Learn(learn) => learn,
            Responses::Best | Responses::TabularQ(_) => Learn::default(),
        };
        let world = World::new(arena, player, learn);
        for (column, others) in populations.iter().enumerate() {
            let mut sides = vec![others; arena.spec.agents];
            sides[0] = own;
            let streams = derived(Streams::new(seed), Purpose::Evaluate, row as u32, column as u32);
            let failed = |error: WorldError| DriverError::Solve(error.to_string());
            let played = play(&world, &sides, streams, episodes).map_err(failed)?;
            found.push((row, column, summary(&played, arena.spec.agents, &arena.spec.tallies)));
        }
    }
    Ok(found)
}
