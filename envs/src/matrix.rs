//! Matrix games: any game in normal form, one-shot or repeated, for any number of players.
//!
//! **Rules.** In each round every player chooses one of its actions; the payoff tensors of the game say what each
//! receives. The players see what was chosen in the last `memory` rounds.
//!
//! **Observation.** For each of the last `memory` rounds, most recent first, one one-hot block of as many entries as the
//! largest number of actions for each player: the agent's own choice first, then the others' in index order; zeros for
//! rounds not yet played. With `memory: 0` a single 1.
//!
//! **Actions.** As many as the player with the most actions has; for a player with fewer, the mask rules the rest out
//! and they count as its last action.
//!
//! **Rewards.** The payoffs of the round, as the game file has them.
//!
//! **State.** The observation of the first player.
//!
//! **End.** With `stop` above 0 each round is the last with that probability, which terminates the episode.
//! After `rounds` rounds a one-shot game terminates; a repeated one is truncated, for its players, who do not see the
//! number of the round, play as if it went on.
//!
//! **Tallies.** How often each profile of actions was played, such as `(Stag, Hare)`, in a game of at most 64 profiles.
//!
//! **Version history.** 1: first.

use std::ops::Range;
use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemState;
use gambol_solvers::game::{NormalForm, catalogue, nfg};
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::batch::{Actions, BatchEnv, BatchError, End};
use crate::ecs::{
    Clock, Dice, EcsGame, Frame, Phase, Reward, Scope, Sharded, Stages, column, whole,
};
use crate::registry::Registered;
use crate::seed::{Streams, unit_f64};
use crate::snapshot::{Reader, Writer};
use crate::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use crate::{BuildError, EnvFactory};

/// Raised when the same seed and actions give another trajectory.
const VERSION: u32 = 1;

/// Where the payoffs come from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Source {
    /// A game of the catalogue in `assets/games`, by name, such as `"prisoners_dilemma"`.
    Catalogue(String),
    /// A Gambit `.nfg` file; the runner reads it, relative to the scenario.
    File(String),
    /// Two players, one matrix each; rows are the first player's actions.
    Bimatrix {
        /// The first player's payoffs.
        row: Vec<Vec<f64>>,
        /// The second player's payoffs.
        column: Vec<Vec<f64>>,
    },
    /// Any number of players.
    Tensors {
        /// Number of actions of each player.
        actions: Vec<usize>,
        /// One list for each player: its payoffs with the last player's action moving fastest.
        payoffs: Vec<Vec<f64>>,
    },
}

/// A matrix game as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The payoffs.
    pub game: Source,
    /// Rounds of an episode, at least 1; 1 is the one-shot game.
    #[serde(default = "one")]
    pub rounds: u32,
    /// Rounds that the players remember.
    #[serde(default)]
    pub memory: usize,
    /// Probability that a round is the last, 0 to 1.
    #[serde(default)]
    pub stop: f64,
    /// The text of `File`, once the runner has read it.
    #[serde(skip)]
    text: Option<String>,
}

fn one() -> u32 {
    1
}

/// Most numbers of one observation: above it a batch of a few instances would fill the memory.
const MOST_OBSERVED: usize = 1 << 20;

/// Most profiles that are counted one by one.
const MOST_COUNTED: usize = 64;

/// Nothing was chosen yet.
const NOTHING: u16 = u16::MAX;

/// A validated configuration.
#[derive(Debug)]
struct Rules {
    /// Number of actions of each player.
    shape: Vec<usize>,
    /// Number of actions of the player with the most.
    most: usize,
    /// `[profile, player]`, the last player's action moving fastest.
    payoffs: Vec<f32>,
    rounds: u32,
    memory: usize,
    stop: f64,
}

impl Rules {
    fn players(&self) -> usize {
        self.shape.len()
    }

    /// Rows of past choices of one instance.
    fn past(&self) -> usize {
        self.memory.max(1) * self.players()
    }

    /// Number of the profile.
    fn profile(&self, choices: impl Iterator<Item = u16>) -> usize {
        choices.zip(&self.shape).fold(0, |profile, (choice, &actions)| {
            profile * actions + (choice as usize).min(actions - 1)
        })
    }

    fn payoffs(&self, profile: usize) -> &[f32] {
        &self.payoffs[profile * self.players()..][..self.players()]
    }

    /// Profiles that are counted.
    fn counted(&self) -> usize {
        let profiles = self.payoffs.len() / self.players();
        if profiles <= MOST_COUNTED { profiles } else { 0 }
    }

    /// Rows of counts of one instance.
    fn counts(&self) -> usize {
        self.counted().max(1)
    }
}

fn tensor(actions: &[usize], values: &[f64], player: usize) -> Result<ArrayD<f64>, String> {
    ArrayD::from_shape_vec(IxDyn(actions), values.to_vec()).map_err(|_| {
        format!(
            "`game`: player {player} has {} payoffs, the actions {actions:?} make {} profiles",
            values.len(),
            // Not `product`: a scenario may name sizes beyond any number.
            actions.iter().fold(1_usize, |profiles, &count| profiles.saturating_mul(count))
        )
    })
}

fn matrix(rows: &[Vec<f64>], player: usize) -> Result<ArrayD<f64>, String> {
    let cols = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != cols) {
        return Err(format!("`game`: the rows of player {player}'s matrix differ in length"));
    }
    tensor(&[rows.len(), cols], &rows.concat(), player)
}

impl Source {
    /// The game; `text` is that of a `File`.
    ///
    /// # Errors
    /// When the game is unknown, unreadable, or its payoffs do not make a game.
    pub fn normal_form(&self, text: Option<&str>) -> Result<NormalForm, BuildError> {
        let wrong = |why: String| BuildError { problems: vec![why] };
        match self {
            Source::Catalogue(name) => {
                let names = || {
                    let names: Vec<_> = catalogue::GAMES.iter().map(|entry| entry.name).collect();
                    names.join(", ")
                };
                let entry = catalogue::find(name).ok_or_else(|| {
                    wrong(format!("`game`: the catalogue has no `{name}`; it has {}", names()))
                })?;
                entry.game().map_err(|error| wrong(format!("`game`: `{name}`: {error}")))
            }
            Source::File(path) => {
                let text =
                    text.ok_or_else(|| wrong(format!("`game`: the file `{path}` was not read")))?;
                nfg::read(text).map_err(|error| wrong(format!("`game`: {path}, {error}")))
            }
            Source::Bimatrix { row, column } => {
                let tensors =
                    vec![matrix(row, 0).map_err(wrong)?, matrix(column, 1).map_err(wrong)?];
                NormalForm::new(tensors).map_err(|error| wrong(format!("`game`: {error}")))
            }
            Source::Tensors { actions, payoffs } => {
                let tensors = payoffs.iter().enumerate();
                let tensors = tensors
                    .map(|(player, values)| tensor(actions, values, player))
                    .collect::<Result<_, _>>()
                    .map_err(wrong)?;
                NormalForm::new(tensors).map_err(|error| wrong(format!("`game`: {error}")))
            }
        }
    }
}

impl Matrix {
    /// The game that is played.
    ///
    /// # Errors
    /// When the game is unknown, unreadable, or its payoffs do not make a game.
    pub fn normal_form(&self) -> Result<NormalForm, BuildError> {
        self.game.normal_form(self.text.as_deref())
    }

    fn name(&self, game: &NormalForm) -> String {
        let source = match &self.game {
            Source::Catalogue(name) => name.clone(),
            Source::File(path) => {
                let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
                file.trim_end_matches(".nfg").to_owned()
            }
            _ if game.title().is_empty() => "inline".to_owned(),
            _ => game.title().to_owned(),
        };
        format!("Matrix-{source}-{}r-{}m", self.rounds, self.memory)
    }

    fn rules(&self) -> Result<(EnvSpec, Rules), BuildError> {
        let mut problems = Vec::new();
        if self.rounds == 0 {
            problems.push("`rounds`: 0, there must be at least 1".to_owned());
        }
        if self.memory > 1000 {
            problems.push(format!("`memory`: {}, there may be at most 1000", self.memory));
        }
        if !(0.0..=1.0).contains(&self.stop) {
            problems.push(format!("`stop`: {}, it must be a probability from 0 to 1", self.stop));
        }
        let game = match self.normal_form() {
            Ok(game) => game,
            Err(error) => {
                problems.extend(error.problems);
                return Err(BuildError { problems });
            }
        };
        let shape = game.shape().to_vec();
        let most = shape.iter().copied().max().unwrap_or(1);
        if most >= NOTHING as usize {
            problems
                .push(format!("`game`: a player has {most} actions, at most 65534 are possible"));
        }
        let players = game.players();
        let length = self.memory.saturating_mul(players * most).max(1);
        if length > MOST_OBSERVED {
            problems.push(format!(
                "`memory`: {} rounds of {players} players with up to {most} actions make an observation of {length} \
                 numbers, at most {MOST_OBSERVED} are possible",
                self.memory
            ));
        }
        BuildError::check(problems)?;
        let tensors: Vec<_> = (0..players).map(|player| game.payoff_tensor(player)).collect();
        let mut payoffs = Vec::with_capacity(game.profiles() * players);
        for profile in 0..game.profiles() {
            // Tensors are kept row-major, so that the flat index is the profile's number.
            let at = |tensor: &&ArrayD<f64>| {
                tensor.as_slice().map_or(f32::NAN, |values| values[profile] as f32)
            };
            payoffs.extend(tensors.iter().map(at));
        }
        let common = tensors.iter().all(|tensor| *tensor == tensors[0]);
        let payoff = if common {
            Payoff::Common
        } else if game.constant_sum() == Some(0.0) {
            Payoff::ZeroSum
        } else {
            Payoff::General
        };
        let rules = Rules {
            shape,
            most,
            payoffs,
            rounds: self.rounds,
            memory: self.memory,
            stop: self.stop,
        };
        let spec = EnvSpec {
            name: self.name(&game),
            version: VERSION,
            agents: players,
            roles: game.player_labels().to_vec(),
            observation: ObservationSpace {
                shape: vec![length],
                low: vec![0.0; length],
                high: vec![1.0; length],
            },
            action: ActionSpace::Discrete {
                names: (0..most)
                    .map(|action| {
                        let named = |player: usize| game.action_labels(player).get(action).cloned();
                        (0..players).find_map(named).unwrap_or_default()
                    })
                    .collect(),
            },
            state: length,
            turns: Turns::Simultaneous,
            payoff,
            horizon: Some(self.rounds),
            tallies: (0..rules.counted()).map(|profile| named(&game, profile)).collect(),
        };
        Ok((spec, rules))
    }
}

impl EnvFactory for Matrix {
    fn files(&self) -> Vec<String> {
        match &self.game {
            Source::File(path) => vec![path.clone()],
            _ => Vec::new(),
        }
    }

    fn take_file(&mut self, _path: &str, text: &str) {
        self.text = Some(text.to_owned());
    }

    fn spec(&self) -> Result<EnvSpec, BuildError> {
        Ok(self.rules()?.0)
    }

    fn build(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        let (spec, rules) = self.rules()?;
        let game = Game { spec: Arc::new(spec), rules: Arc::new(rules) };
        Ok(Box::new(Sharded::new(game, lanes, shard, streams, Vec::new())?))
    }
}

impl Registered<dyn EnvFactory> for Matrix {
    const NAME: &'static str = "Matrix";
    const SUMMARY: &'static str =
        "normal-form games, one-shot or repeated with memory (.nfg or inline)";

    fn examples() -> Vec<Self> {
        let named = |name: &str, rounds, memory, stop| Self {
            game: Source::Catalogue(name.to_owned()),
            rounds,
            memory,
            stop,
            text: None,
        };
        let common = Self {
            game: Source::Tensors {
                actions: vec![2, 3, 1],
                payoffs: vec![vec![4.0, 0.0, 1.0, 0.0, 2.0, 3.0]; 3],
            },
            ..named("", 4, 1, 0.2)
        };
        vec![
            named("rock_paper_scissors", 1, 0, 0.0),
            named("prisoners_dilemma", 10, 2, 0.0),
            common,
        ]
    }

    fn boxed(self) -> Box<dyn EnvFactory> {
        Box::new(self)
    }
}

/// A profile in words, such as `(Stag, Hare)`.
fn named(game: &NormalForm, profile: usize) -> String {
    let mut rest = profile;
    let mut words: Vec<_> = (0..game.players())
        .rev()
        .map(|player| {
            let labels = game.action_labels(player);
            let choice = rest % labels.len();
            rest /= labels.len();
            labels[choice].as_str()
        })
        .collect();
    words.reverse();
    format!("({})", words.join(", "))
}

/// On each player's row: what it chose in the present round.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
struct Choice(u16);

/// One row for each remembered round, most recent first, and player.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
struct Past(u16);

/// One row for each profile that is counted: how often it was played in this episode.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
struct Count(u32);

#[derive(Resource, Clone)]
struct Setup(Arc<Rules>);

const TABLE: &str = "components of matrix games are stored in tables";

fn play(
    setup: Res<Setup>,
    mut players: Query<(&Choice, &mut Reward)>,
    mut past: Query<&mut Past>,
    mut counts: Query<&mut Count>,
) {
    let rules = &*setup.0;
    let (choices, rewards) = whole(players.contiguous_iter_mut().expect(TABLE));
    let past = column(whole(past.contiguous_iter_mut().expect(TABLE)));
    let count = rules.players();
    let counts = column(whole(counts.contiguous_iter_mut().expect(TABLE)));
    let instances = choices.chunks_exact(count).zip(column(rewards).chunks_exact_mut(count));
    let memories = past.chunks_exact_mut(rules.past()).zip(counts.chunks_exact_mut(rules.counts()));
    for ((choices, rewards), (past, counts)) in instances.zip(memories) {
        let profile = rules.profile(choices.iter().map(|choice| choice.0));
        for (reward, &payoff) in rewards.iter_mut().zip(rules.payoffs(profile)) {
            reward.0 = payoff;
        }
        if let Some(count) = counts.get_mut(profile) {
            count.0 += 1;
        }
        past.rotate_right(count);
        for (player, (past, choice)) in past.iter_mut().zip(choices).enumerate() {
            past.0 = choice.0.min(rules.shape[player] as u16 - 1);
        }
    }
}

fn judge(setup: Res<Setup>, mut instances: Query<(&mut Clock, &mut Dice)>) {
    let (clocks, dice) = whole(instances.contiguous_iter_mut().expect(TABLE));
    let limit = if setup.0.rounds == 1 { End::Terminated } else { End::Truncated };
    for (clock, dice) in column(clocks).iter_mut().zip(column(dice)) {
        let stops = setup.0.stop > 0.0 && unit_f64(&mut dice.0) < setup.0.stop;
        clock.end = if stops {
            End::Terminated
        } else if clock.step >= setup.0.rounds {
            limit
        } else {
            End::Running
        };
    }
}

fn forget(
    setup: Res<Setup>,
    clocks: Query<&Clock>,
    mut past: Query<&mut Past>,
    mut counts: Query<&mut Count>,
) {
    let clocks = whole(clocks.contiguous_iter().expect(TABLE));
    let past = column(whole(past.contiguous_iter_mut().expect(TABLE)));
    let counts = column(whole(counts.contiguous_iter_mut().expect(TABLE)));
    let counts = counts.chunks_exact_mut(setup.0.counts());
    for ((clock, past), counts) in
        clocks.iter().zip(past.chunks_exact_mut(setup.0.past())).zip(counts)
    {
        if clock.end.is_over() {
            past.fill(Past(NOTHING));
            counts.fill(Count(0));
        }
    }
}

/// Access to one shard's columns from outside its schedule.
struct Columns {
    see: SystemState<(
        Query<'static, 'static, &'static Past>,
        Query<'static, 'static, &'static Clock>,
        Query<'static, 'static, &'static Count>,
    )>,
    counts: QueryState<&'static mut Count>,
    choices: QueryState<&'static mut Choice>,
    past: QueryState<&'static mut Past>,
}

#[derive(Clone)]
struct Game {
    spec: Arc<EnvSpec>,
    rules: Arc<Rules>,
}

impl Game {
    /// One agent's observation of the past choices of its instance.
    fn see(&self, agent: usize, past: &[Past], out: &mut [f32]) {
        let Rules { most, memory, .. } = *self.rules;
        if memory == 0 {
            out.fill(1.0);
            return;
        }
        let players = self.rules.players();
        out.fill(0.0);
        for (round, choices) in past.chunks_exact(players).enumerate() {
            for (player, choice) in choices.iter().enumerate().filter(|(_, past)| past.0 != NOTHING)
            {
                let place = match player.cmp(&agent) {
                    std::cmp::Ordering::Less => player + 1,
                    std::cmp::Ordering::Equal => 0,
                    std::cmp::Ordering::Greater => player,
                };
                out[(round * players + place) * most + choice.0 as usize] = 1.0;
            }
        }
    }
}

impl EcsGame for Game {
    type Columns = Columns;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn spawn(&self, world: &mut World, rows: Vec<(Clock, Dice)>) -> Columns {
        let envs = rows.len();
        world.insert_resource(Setup(self.rules.clone()));
        world.spawn_batch(rows);
        let player = (Choice(0), Reward(0.0));
        world.spawn_batch(std::iter::repeat_n(player, envs * self.rules.players()));
        world.spawn_batch(std::iter::repeat_n(Past(NOTHING), envs * self.rules.past()));
        world.spawn_batch(std::iter::repeat_n(Count(0), envs * self.rules.counts()));
        Columns {
            see: SystemState::new(world),
            counts: world.query(),
            choices: world.query(),
            past: world.query(),
        }
    }

    fn systems(&self, stages: &mut Stages) {
        stages.step.add_systems((play.in_set(Phase::Interact), judge.in_set(Phase::Reward)));
        stages.reset.add_systems(forget.in_set(Phase::Reset));
    }

    fn act(&self, columns: &mut Columns, world: &mut World, actions: Actions<'_>) {
        let Actions::Discrete(actions) = actions else { return };
        let choices = column(whole(columns.choices.contiguous_iter_mut(world).expect(TABLE)));
        for (choice, &action) in choices.iter_mut().zip(actions) {
            choice.0 = action;
        }
    }

    fn observe(&self, columns: &mut Columns, world: &mut World, scope: Scope, frame: Frame<'_>) {
        let (past, clocks, counts) = columns.see.get(world).expect("queries need no resource");
        let past = whole(past.contiguous_iter().expect(TABLE));
        let clocks = whole(clocks.contiguous_iter().expect(TABLE));
        let counts = whole(counts.contiguous_iter().expect(TABLE));
        let counted = self.rules.counted();
        let players = self.rules.players();
        let size = self.spec.observation.size();
        let Frame { observations, masks, state, tallies } = frame;
        for (lane, clock) in clocks.iter().enumerate() {
            if scope == Scope::Ended && !clock.end.is_over() {
                continue;
            }
            let past = &past[lane * self.rules.past()..][..self.rules.past()];
            for agent in 0..players {
                let row = lane * players + agent;
                if let Some(out) = observations.get_mut(row * size..(row + 1) * size) {
                    self.see(agent, past, out);
                }
                let most = self.rules.most;
                if let Some(mask) = masks.get_mut(row * most..(row + 1) * most) {
                    let (open, closed) = mask.split_at_mut(self.rules.shape[agent]);
                    open.fill(true);
                    closed.fill(false);
                }
            }
            if let Some(out) = state.get_mut(lane * size..(lane + 1) * size) {
                self.see(0, past, out);
            }
            if let Some(out) = tallies.get_mut(lane * counted..(lane + 1) * counted) {
                for (out, count) in out.iter_mut().zip(&counts[lane * self.rules.counts()..]) {
                    *out = count.0 as f32;
                }
            }
        }
    }

    fn save(&self, columns: &mut Columns, world: &mut World, lane: usize, to: &mut Writer) {
        let past = whole(columns.past.contiguous_iter_mut(world).expect(TABLE));
        for past in &column(past)[lane * self.rules.past()..][..self.rules.past()] {
            to.u32(u32::from(past.0));
        }
        let counts = whole(columns.counts.contiguous_iter_mut(world).expect(TABLE));
        for count in &column(counts)[lane * self.rules.counts()..][..self.rules.counted()] {
            to.u32(count.0);
        }
    }

    fn restore(
        &self,
        columns: &mut Columns,
        world: &mut World,
        lane: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), BatchError> {
        let past = column(whole(columns.past.contiguous_iter_mut(world).expect(TABLE)));
        let rows = &mut past[lane * self.rules.past()..][..self.rules.past()];
        for (row, past) in rows.iter_mut().enumerate() {
            let choice = from.u32()?;
            let actions = self.rules.shape[row % self.rules.players()];
            if choice != u32::from(NOTHING) && choice as usize >= actions {
                let why = format!("a past choice is {choice} of {actions} actions");
                return Err(BatchError::Snapshot { why });
            }
            past.0 = choice as u16;
        }
        let counts = column(whole(columns.counts.contiguous_iter_mut(world).expect(TABLE)));
        for count in &mut counts[lane * self.rules.counts()..][..self.rules.counted()] {
            count.0 = from.u32()?;
        }
        Ok(())
    }

    fn describe(&self, columns: &mut Columns, world: &mut World, lane: usize) -> Value {
        let (past, clocks, _) = columns.see.get(world).expect("queries need no resource");
        let past = whole(past.contiguous_iter().expect(TABLE));
        let clock = whole(clocks.contiguous_iter().expect(TABLE))[lane];
        let rounds = past[lane * self.rules.past()..][..self.rules.past()]
            .chunks_exact(self.rules.players())
            .filter(|round| round[0].0 != NOTHING)
            .map(|round| round.iter().map(|past| past.0).collect::<Vec<_>>());
        json!({ "round": clock.step, "recent": rounds.collect::<Vec<_>>() })
    }

    fn scenery(&self) -> Value {
        let rules = &*self.rules;
        // Larger games are not drawn as a table.
        let payoffs: Vec<_> = (0..rules.counted()).map(|profile| rules.payoffs(profile)).collect();
        json!({ "actions": rules.shape, "payoffs": payoffs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Buffers;

    fn run(config: &Matrix, actions: &[&[u16]]) -> (EnvSpec, Buffers, Vec<Vec<f32>>, Vec<End>) {
        let mut env = config.build(0..1, 1, Streams::new(1)).unwrap();
        let spec = env.spec().clone();
        let mut out = Buffers::new(&spec, 1);
        env.reset(0, out.outbox()).unwrap();
        let (mut rewards, mut ends) = (Vec::new(), Vec::new());
        for team in actions {
            env.step(Actions::Discrete(team), out.outbox()).unwrap();
            rewards.push(out.rewards.clone());
            ends.push(out.ends[0]);
        }
        (spec, out, rewards, ends)
    }

    fn bimatrix(rounds: u32, memory: usize) -> Matrix {
        Matrix {
            game: Source::Bimatrix {
                row: vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]],
                column: vec![vec![10.0, 20.0, 30.0], vec![40.0, 50.0, 60.0]],
            },
            rounds,
            memory,
            stop: 0.0,
            text: None,
        }
    }

    #[test]
    fn payoffs_are_the_tables() {
        let (spec, out, rewards, ends) = run(&bimatrix(1, 0), &[&[0, 2], &[1, 0], &[2, 1]]);
        assert_eq!(
            rewards,
            [[3.0, 30.0], [4.0, 40.0], [5.0, 50.0]],
            "an action too many is the last"
        );
        assert_eq!(ends, [End::Terminated; 3]);
        assert_eq!(out.masks, [true, true, false, true, true, true]);
        assert_eq!((spec.agents, spec.payoff), (2, Payoff::General));
        let tensors = Matrix {
            game: Source::Tensors {
                actions: vec![2, 2, 2],
                payoffs: (0..3).map(|p| (0..8).map(|i| f64::from(10 * p + i)).collect()).collect(),
            },
            ..bimatrix(1, 0)
        };
        let (_, _, rewards, _) = run(&tensors, &[&[1, 0, 1]]);
        assert_eq!(rewards, [[5.0, 15.0, 25.0]]);
    }

    #[test]
    fn memory_shows_recent_rounds_own_choice_first() {
        let (_, out, _, ends) = run(&bimatrix(5, 2), &[&[1, 2], &[0, 1]]);
        #[rustfmt::skip]
        let (first, second) = (
            [1., 0., 0.,  0., 1., 0.,  0., 1., 0.,  0., 0., 1.],
            [0., 1., 0.,  1., 0., 0.,  0., 0., 1.,  0., 1., 0.],
        );
        assert_eq!(out.observations, [first, second].concat());
        assert_eq!(out.state, first);
        assert_eq!(ends, [End::Running; 2]);
        let (_, out, _, ends) = run(&bimatrix(2, 1), &[&[1, 2], &[0, 1]]);
        assert_eq!(ends, [End::Running, End::Truncated]);
        assert_eq!(out.observations, [0.0; 12], "a new episode has no past");
        assert_eq!(out.last_observations[..6], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_stopped_game_lasts_as_long_as_its_law_says() {
        let config = Matrix { stop: 0.25, ..bimatrix(1000, 0) };
        let mut env = config.build(0..500, 256, Streams::new(1)).unwrap();
        let mut out = Buffers::new(env.spec(), 500);
        env.reset(0, out.outbox()).unwrap();
        let mut over = 0;
        for _ in 0..40 {
            env.step(Actions::Discrete(&[0; 1000]), out.outbox()).unwrap();
            over += out.ends.iter().filter(|end| **end == End::Terminated).count();
        }
        let (expected, deviation) = (0.25 * 20_000.0, (20_000.0_f64 * 0.25 * 0.75).sqrt());
        assert!((over as f64 - expected).abs() < 4.0 * deviation, "{over}");
    }

    #[test]
    fn facts_come_from_the_payoffs() {
        let fact = |game: &str| {
            let config = Matrix { game: Source::Catalogue(game.to_owned()), ..bimatrix(1, 0) };
            config.spec().unwrap()
        };
        assert_eq!(fact("matching_pennies").payoff, Payoff::ZeroSum);
        assert_eq!(fact("prisoners_dilemma").payoff, Payoff::General);
        let error = Matrix { game: Source::Catalogue("chess".to_owned()), ..bimatrix(0, 0) };
        let problems = error.spec().unwrap_err().problems;
        assert!(problems[0].contains("`rounds`: 0") && problems[1].contains("no `chess`; it has"));
    }

    #[test]
    fn a_memory_that_no_machine_could_hold_is_refused() {
        let game = Source::Tensors { actions: vec![1100], payoffs: vec![vec![0.0; 1100]] };
        let error = Matrix { game, ..bimatrix(1, 1000) }.spec().unwrap_err().to_string();
        assert!(error.starts_with("`memory`: 1000 rounds of 1 players with up to 1100"), "{error}");
        assert!(error.contains("1100000 numbers, at most 1048576"), "{error}");
    }

    #[test]
    fn a_file_is_read_by_the_caller() {
        let mut config = Matrix { game: Source::File("games/mp.nfg".to_owned()), ..bimatrix(1, 0) };
        assert!(config.spec().unwrap_err().to_string().contains("was not read"));
        assert_eq!(config.files(), ["games/mp.nfg"]);
        config.take_file("games/mp.nfg", catalogue::find("matching_pennies").unwrap().text);
        assert_eq!(config.spec().unwrap().name, "Matrix-mp-1r-0m");
    }
}
