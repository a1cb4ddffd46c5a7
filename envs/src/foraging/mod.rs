//! Level-based foraging: players on a grid must stand beside a food together, with enough summed level, to load it.
//!
//! **Rules.** Actions are NONE, NORTH, SOUTH, WEST, EAST, LOAD; coordinates are (row, column) from the top left.
//! All players move at once: a cell that two players want is entered by neither.
//! Then the players that chose LOAD beside a food join their levels: enough, and the food is shared in proportion to
//! level; too little, and each pays `penalty`.
//! Reference: package `lbforaging` 2.0.0 (Christianos, Schäfer, Albrecht 2020; Papoudakis et al. 2021), whose every
//! rule is listed in the project's fact sheet `mansa-lbf.md`, part 2; rule sets v0 to v2 were read, not run.
//!
//! **Modes.** [`Mode::Reference`] reproduces the package to the bit, from its seed alone, with its defects.
//! [`Mode::Clean`] mends them:
//!
//! | defect of the reference | `Clean` |
//! |---|---|
//! | A player may enter the cell of another that is blocked in the same step, and they overlap | the follower is blocked too |
//! | A new board depends on where the players stood before | it depends on the seed and the episode only |
//! | Near the top and left edges players are seen beyond `sight` | players are seen within `sight`, like foods |
//! | The time limit is reported as a termination | it is a truncation |
//! | Boards that are not square, grid observations and some tasks cannot be built | they can |
//! | A food on the first row or column raises an exception when loaded | it is loaded |
//! | A player beside two foods helps whichever is looked at first | the first in the order N, S, W, E |
//!
//! **Observation** (vector): one triple (row, col, level) for each food in view, in row-major order, then the own
//! triple, then the other players in view in index order; missing ones are (-1, -1, 0). Positions count from the top
//! left corner of the window of `sight` cells around the agent, cut at the board's edge; with full sight that is
//! the board. Without levels the players' entries are pairs.
//! Observation (grid): layers agents, foods and free cells of `2 sight + 1` squared cells around the agent.
//!
//! **Rewards.** `level * food / (joined levels * levels of all foods at the start)`, so that a cleared board pays the
//! team 1; raw with `normalize: false`; `reward: Common` pays the sum to every agent.
//!
//! **End.** Terminated when no food is left, truncated after `steps` steps.
//!
//! **Version history.** 1: first.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batch::BatchEnv;
use crate::ecs::{Plugin, Sharded};
use crate::registry::Registered;
use crate::seed::Streams;
use crate::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use crate::{BuildError, EnvFactory, Moment};

mod game;
mod observe;
mod pcg64;
mod place;
mod systems;
mod task;

pub use game::{Cell, Field, Food, Game, Intent, Legal, Level, Loads, Sight, Target};
pub use pcg64::Pcg64;
pub use systems::System;
pub use task::{RuleSet, Task, TaskError};

/// Raised when the same seed and actions give another trajectory.
const VERSION: u32 = 1;

/// Names of the actions, in the reference's order.
pub const ACTIONS: [&str; 6] = ["NONE", "NORTH", "SOUTH", "WEST", "EAST", "LOAD"];

/// Whether the reference's defects are kept; see the module's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Mode {
    /// As `lbforaging` 2.0.0, to the bit; lane `i` is its environment seeded with the run's seed plus `i`.
    Reference,
    /// Every known defect mended; boards from Gambol's own streams.
    #[default]
    Clean,
}

/// Who receives what was earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum RewardMode {
    /// Each player its own share.
    #[default]
    Individual,
    /// Every player the team's sum, as `EPyMARL` trains.
    Common,
    /// Every player 1 in the step that takes the last food, and nothing before: a task of one distant reward.
    Completed,
}

/// What an agent sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum View {
    /// Triples of foods and players.
    #[default]
    Vector,
    /// Three layers around the agent.
    Grid,
}

/// What the global state holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum StateMode {
    /// All agents' observations, one after the other, as `EPyMARL` has it.
    #[default]
    Observations,
    /// `[3 players + 3 foods + 1]`: triples of all players and foods on the board, and the elapsed share of the episode.
    Board,
}

/// Smallest and largest level, both possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Smallest level, at least 1.
    pub min: u8,
    /// Largest level; for foods it may be left out, and is then what the rule set says.
    #[serde(default)]
    pub max: Option<u8>,
}

/// A player or a food of a fixed board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Row from the top, 0 first.
    pub row: u8,
    /// Column from the left, 0 first.
    pub col: u8,
    /// Level, at least 1.
    pub level: u8,
}

/// Where players and foods are when an episode begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Layout {
    /// Drawn anew for every episode.
    #[default]
    Random,
    /// The same board for every episode.
    Fixed {
        /// The players, in index order.
        players: Vec<Item>,
        /// The foods, in any order.
        foods: Vec<Item>,
    },
}

/// Level-based foraging as a scenario file configures it: a published task's name, single settings, or both,
/// where a setting overrides what the name says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Foraging {
    /// A task's name, such as `Foraging-8x8-2p-2f-coop-v3`.
    pub task: Option<String>,
    /// Whether the reference's defects are kept.
    pub mode: Mode,
    /// Rule set; v3 unless the task says otherwise.
    pub rules: Option<RuleSet>,
    /// Rows and columns, 3 to 127 each; 8 by 8.
    pub size: Option<(u8, u8)>,
    /// Number of players, 1 to 64; 2.
    pub players: Option<usize>,
    /// Largest number of foods, 1 to 255; 2.
    pub foods: Option<usize>,
    /// How far an agent sees, in cells along each axis; the whole board.
    pub sight: Option<u8>,
    /// Steps after which an episode is cut; 50.
    pub steps: u32,
    /// Whether every food has its largest level.
    pub coop: Option<bool>,
    /// What each participant of a failed load pays; 0.
    pub penalty: Option<f32>,
    /// Levels of the players: one entry for all, or one each.
    pub player_levels: Vec<Levels>,
    /// Levels of the foods: one entry for all, or one each.
    pub food_levels: Option<Vec<Levels>>,
    /// Whether a cleared board pays 1 in all.
    pub normalize: bool,
    /// Who receives what was earned.
    pub reward: RewardMode,
    /// What an agent sees.
    pub observation: Option<View>,
    /// Whether observations tell the players' levels.
    pub observe_levels: bool,
    /// What the global state holds.
    pub state: StateMode,
    /// Where an episode begins.
    pub layout: Layout,
}

impl Default for Foraging {
    fn default() -> Self {
        Self {
            task: None,
            mode: Mode::default(),
            rules: None,
            size: None,
            players: None,
            foods: None,
            sight: None,
            steps: 50,
            coop: None,
            penalty: None,
            player_levels: vec![Levels { min: 1, max: Some(2) }],
            food_levels: None,
            normalize: true,
            reward: RewardMode::default(),
            observation: None,
            observe_levels: true,
            state: StateMode::default(),
            layout: Layout::default(),
        }
    }
}

/// A validated configuration, with nothing left open.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) mode: Mode,
    pub(crate) set: RuleSet,
    pub(crate) rows: u8,
    pub(crate) cols: u8,
    pub(crate) players: usize,
    pub(crate) foods: usize,
    pub(crate) sight: u8,
    pub(crate) steps: u32,
    pub(crate) coop: bool,
    pub(crate) penalty: f32,
    pub(crate) player_levels: Vec<Levels>,
    pub(crate) food_levels: Vec<Levels>,
    pub(crate) normalize: bool,
    pub(crate) reward: RewardMode,
    pub(crate) view: View,
    pub(crate) observe_levels: bool,
    pub(crate) state: StateMode,
    pub(crate) fixed: Option<(Vec<Item>, Vec<Item>)>,
}

impl Rules {
    /// Whether every agent sees the whole board wherever it stands.
    pub(crate) fn full_sight(&self) -> bool {
        self.sight >= self.rows.max(self.cols) - 1
    }

    /// Numbers that describe one player in a vector observation.
    pub(crate) fn player_size(&self) -> usize {
        if self.observe_levels { 3 } else { 2 }
    }

    fn max_player_level(&self) -> f32 {
        let fixed = self.fixed.iter().flat_map(|(players, _)| players).map(|item| item.level);
        let drawn = self.player_levels.iter().filter_map(|levels| levels.max);
        f32::from(fixed.chain(drawn).max().unwrap_or(1))
    }

    fn max_food_level(&self) -> f32 {
        if let Some((_, foods)) = &self.fixed {
            return f32::from(foods.iter().map(|item| item.level).max().unwrap_or(1));
        }
        let mut players: Vec<u16> = (0..self.players)
            .map(|player| u16::from(place::levels_of(&self.player_levels, player).max.unwrap_or(1)))
            .collect();
        players.sort_unstable();
        let joined = place::joined(self.set, &players);
        let most = self.food_levels.iter().map(|levels| levels.max.map_or(joined, u16::from)).max();
        f32::from(most.unwrap_or(joined))
    }
}

/// Checks one list of level bounds.
fn check_levels(
    problems: &mut Vec<String>,
    field: &str,
    list: &[Levels],
    count: usize,
    open: bool,
) {
    if list.len() != 1 && list.len() != count {
        problems.push(format!("`{field}` has {} entries, it takes 1 or {count}", list.len()));
    }
    for levels in list {
        match levels.max {
            None if !open => problems.push(format!("`{field}` needs a `max`")),
            Some(max) if max < levels.min => {
                problems.push(format!("`{field}` has min {} above max {max}", levels.min));
            }
            _ => {}
        }
        if levels.min < 1 {
            problems.push(format!("`{field}` has min 0, levels begin at 1"));
        }
    }
}

fn check_items(problems: &mut Vec<String>, kind: &str, items: &[Item], (rows, cols): (u8, u8)) {
    for (index, item) in items.iter().enumerate() {
        let Item { row, col, level } = *item;
        if row >= rows || col >= cols {
            problems.push(format!(
                "`layout.{kind}[{index}]` is at ({row}, {col}), outside the board of {rows} rows and {cols} columns"
            ));
        }
        if level == 0 {
            problems.push(format!("`layout.{kind}[{index}]` has level 0, levels begin at 1"));
        }
    }
}

impl Foraging {
    /// A published task in the given mode.
    pub fn task(name: &str, mode: Mode) -> Self {
        Self { task: Some(name.to_owned()), mode, ..Self::default() }
    }

    /// Resolves and validates everything.
    fn rules(&self) -> Result<(String, Rules), BuildError> {
        let mut problems = Vec::new();
        let named = match self.task.as_deref().map(str::parse::<Task>) {
            None => None,
            Some(Ok(task)) => Some(task),
            Some(Err(error)) => {
                return Err(BuildError { problems: vec![format!("`task`: {error}")] });
            }
        };
        let from_name = named.as_ref();
        let fixed = match &self.layout {
            Layout::Random => None,
            Layout::Fixed { players, foods } => Some((players.clone(), foods.clone())),
        };
        let size = self.size.or(from_name.map(|task| task.size)).unwrap_or((8, 8));
        let (rows, cols) = size;
        let counted = |own: Option<usize>, named: Option<usize>, items: Option<usize>| {
            own.or(named).or(items).unwrap_or(2)
        };
        let players = counted(
            self.players,
            from_name.map(|task| task.players),
            fixed.as_ref().map(|(players, _)| players.len()),
        );
        let foods = counted(
            self.foods,
            from_name.map(|task| task.foods),
            fixed.as_ref().map(|(_, foods)| foods.len()),
        );
        for (field, side) in [("rows", rows), ("columns", cols)] {
            if !(3..=127).contains(&side) {
                problems.push(format!("`size`: {side} {field}, there must be 3 to 127"));
            }
        }
        if self.mode == Mode::Reference && rows != cols {
            problems.push(format!(
                "`size`: the reference cannot build a board of {rows} by {cols}; use `mode: Clean`"
            ));
        }
        if !(1..=64).contains(&players) {
            problems.push(format!("`players`: {players}, there must be 1 to 64"));
        }
        if !(1..=255).contains(&foods) {
            problems.push(format!("`foods`: {foods}, there must be 1 to 255"));
        }
        // A scenario may name any number.
        if players.saturating_add(foods) > rows as usize * cols as usize / 2 {
            problems.push(format!(
                "`players` and `foods`: {players} and {foods} fill more than half of the {rows} by {cols} board"
            ));
        }
        let given = self.sight.or(from_name.and_then(|task| task.sight));
        let sight = given.unwrap_or(rows.max(cols));
        // A board that is too large is one problem, not two.
        if given.is_some() && !(1..=127).contains(&sight) {
            problems.push(format!("`sight`: {sight}, it must be 1 to 127"));
        }
        if self.steps == 0 {
            problems.push("`steps`: 0, an episode has at least 1 step".to_owned());
        }
        let penalty = self.penalty.unwrap_or(if from_name.is_some_and(|task| task.penalty) {
            0.1
        } else {
            0.0
        });
        if !(penalty.is_finite() && penalty >= 0.0) {
            problems.push(format!("`penalty`: {penalty}, it must be a finite number from 0 on"));
        }
        let individual = from_name.is_some_and(|task| task.individual);
        let food_levels = self.food_levels.clone().unwrap_or_else(|| {
            vec![Levels { min: 1, max: if individual { Some(1) } else { None } }]
        });
        check_levels(&mut problems, "player_levels", &self.player_levels, players, false);
        check_levels(&mut problems, "food_levels", &food_levels, foods, true);
        if let Some((fixed_players, fixed_foods)) = &fixed {
            self.check_layout(&mut problems, fixed_players, fixed_foods, players, foods, size);
        }
        BuildError::check(problems)?;
        let rules = Rules {
            mode: self.mode,
            set: self.rules.or(from_name.map(|task| task.rules)).unwrap_or_default(),
            rows,
            cols,
            players,
            foods,
            sight,
            steps: self.steps,
            coop: self.coop.or(from_name.map(|task| task.coop)).unwrap_or(false),
            penalty,
            player_levels: self.player_levels.clone(),
            food_levels,
            normalize: self.normalize,
            reward: self.reward,
            view: self.observation.unwrap_or(if from_name.is_some_and(|task| task.grid) {
                View::Grid
            } else {
                View::Vector
            }),
            observe_levels: self.observe_levels,
            state: self.state,
            fixed,
        };
        let name = Task {
            sight: (!rules.full_sight()).then_some(sight),
            grid: rules.view == View::Grid,
            size,
            players,
            foods,
            coop: rules.coop,
            individual,
            penalty: penalty > 0.0,
            rules: rules.set,
        };
        Ok((name.to_string(), rules))
    }

    fn check_layout(
        &self,
        problems: &mut Vec<String>,
        players: &[Item],
        foods: &[Item],
        player_count: usize,
        food_count: usize,
        size: (u8, u8),
    ) {
        if players.len() != player_count {
            problems.push(format!(
                "`layout.players` has {} entries, the task has {player_count} players",
                players.len()
            ));
        }
        if foods.len() > food_count {
            problems.push(format!(
                "`layout.foods` has {} entries, the task has at most {food_count} foods",
                foods.len()
            ));
        }
        check_items(problems, "players", players, size);
        check_items(problems, "foods", foods, size);
        let cells: Vec<_> = players.iter().chain(foods).map(|item| (item.row, item.col)).collect();
        for (index, &(row, col)) in cells.iter().enumerate() {
            if cells[..index].contains(&(row, col)) {
                problems.push(format!("`layout` puts two things at ({row}, {col})"));
            }
        }
        if self.mode == Mode::Reference {
            for (index, food) in foods.iter().enumerate() {
                if food.row == 0 || food.col == 0 {
                    problems.push(format!(
                        "`layout.foods[{index}]` is on the first row or column, where the reference raises an exception \
                         when it is loaded; use `mode: Clean`"
                    ));
                }
            }
        }
    }

    /// Like [`EnvFactory::build`], with systems from outside added to every shard.
    ///
    /// # Errors
    /// Every problem of the configuration, or a schedule that the plugins made ambiguous.
    pub fn build_with(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
        plugins: Vec<Box<dyn Plugin>>,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        let (name, rules) = self.rules()?;
        let game = Game::new(spec(name, &rules), rules);
        Ok(Box::new(Sharded::new(game, lanes, shard, streams, plugins)?))
    }
}

fn spec(name: String, rules: &Rules) -> EnvSpec {
    let Rules { players, foods, .. } = *rules;
    let (last_row, last_col) = (f32::from(rules.rows - 1), f32::from(rules.cols - 1));
    let (player_level, food_level) = (rules.max_player_level(), rules.max_food_level());
    let observation = match rules.view {
        View::Vector => {
            let mut high = [last_row, last_col, food_level].repeat(foods);
            let mut low = [-1.0, -1.0, 0.0].repeat(foods);
            let player = [last_row, last_col, player_level];
            high.extend_from_slice(&player[..rules.player_size()].repeat(players));
            low.extend_from_slice(&[-1.0, -1.0, 0.0][..rules.player_size()].repeat(players));
            ObservationSpace { shape: vec![low.len()], low, high }
        }
        View::Grid => {
            let side = 2 * usize::from(rules.sight) + 1;
            let player = if rules.observe_levels { player_level } else { 1.0 };
            ObservationSpace {
                shape: vec![3, side, side],
                low: vec![0.0; 3 * side * side],
                high: [player, food_level, 1.0]
                    .into_iter()
                    .flat_map(|top| vec![top; side * side])
                    .collect(),
            }
        }
    };
    let state = match rules.state {
        StateMode::Observations => players * observation.size(),
        StateMode::Board => 3 * players + 3 * foods + 1,
    };
    EnvSpec {
        name,
        version: VERSION,
        agents: players,
        roles: vec!["forager".to_owned(); players],
        observation,
        action: ActionSpace::Discrete { names: ACTIONS.map(str::to_owned).to_vec() },
        state,
        turns: Turns::Simultaneous,
        payoff: match rules.reward {
            RewardMode::Individual => Payoff::General,
            RewardMode::Common | RewardMode::Completed => Payoff::Common,
        },
        horizon: Some(rules.steps),
        tallies: Vec::new(),
    }
}

impl EnvFactory for Foraging {
    fn spec(&self) -> Result<EnvSpec, BuildError> {
        let (name, rules) = self.rules()?;
        Ok(spec(name, &rules))
    }

    fn build(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        self.build_with(lanes, shard, streams, Vec::new())
    }

    fn board(&self) -> Option<(usize, usize)> {
        let (_, rules) = self.rules().ok()?;
        Some((rules.rows.into(), rules.cols.into()))
    }

    fn moment(&self, description: &Value) -> Option<Moment> {
        let place = |thing: &Value| {
            let at = |key: &str| Some(thing[key].as_u64()? as usize);
            Some((at("row")?, at("col")?))
        };
        let places = |key: &str| -> Option<Vec<_>> {
            description[key].as_array()?.iter().map(place).collect()
        };
        let (cells, foods) = (places("players")?, places("foods")?);
        let beside = |&food: &(usize, usize)| {
            let near =
                |cell: &&(usize, usize)| cell.0.abs_diff(food.0) + cell.1.abs_diff(food.1) == 1;
            cells.iter().filter(near).count()
        };
        let class = match foods.iter().map(beside).max().unwrap_or(0) {
            0 => "no agent beside a food",
            1 => "one agent beside a food",
            _ => "two agents beside one food",
        };
        Some(Moment { class, cells })
    }
}

impl Registered<dyn EnvFactory> for Foraging {
    const NAME: &'static str = "Foraging";
    const SUMMARY: &'static str =
        "level-based foraging: players join their levels to load food (lbforaging v0 to v3)";

    fn examples() -> Vec<Self> {
        vec![
            Self::task("Foraging-5x5-2p-1f-coop-v3", Mode::Clean),
            Self::task("Foraging-2s-8x8-2p-2f-coop-v3", Mode::Reference),
            Self {
                size: Some((6, 9)),
                players: Some(3),
                foods: Some(3),
                penalty: Some(0.1),
                observation: Some(View::Grid),
                sight: Some(2),
                state: StateMode::Board,
                reward: RewardMode::Common,
                ..Self::default()
            },
        ]
    }

    fn boxed(self) -> Box<dyn EnvFactory> {
        Box::new(self)
    }
}
