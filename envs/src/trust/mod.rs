//! Trust dilemmas on a grid: what two earn together is worth most, and whoever relies on the other risks most.
//!
//! **Rules.** Agents walk at once and may share a cell; a step off the board is no step. What they meet is each
//! environment's own: [`MonsterHunt`] and [`Escalation`].
//! The rules follow the published grid worlds of Tang et al. 2021 ("Discovering Diverse Multi-Agent Strategic Behavior
//! via Reward Randomization", arXiv 2103.04564), read in their code and generalised to N agents; rewards are not
//! scaled by 0.1 as there.
//!
//! **Observation**: own cell (row, column), the others' in index order, the things' ((-1, -1) for one that is gone);
//! in Escalation the present run of steps together, as a share of the longest possible one; with `memory: true` the
//! others' last actions, one-hot, all zero at the start.
//! The global state is the first agent's view without the memory.
//!
//! **Actions**: LEFT, RIGHT, UP, DOWN, STAY. Masks forbid steps off the board.
//!
//! **Tallies.** Over an episode: what was done together (`together`), who was left alone with the risk (`betrayed`), and
//! in Monster-Hunt who played safe (`safe`); [`describe`](crate::batch::BatchEnv::describe) tells them so far.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batch::BatchEnv;
use crate::ecs::{Plugin, Sharded};
use crate::registry::Registered;
use crate::seed::Streams;
use crate::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use crate::{BuildError, EnvFactory, finite};

mod game;

pub use game::{Intent, Past, Place, System, Tally, Thing};

/// Raised when the same seed and actions give another trajectory.
const VERSION: u32 = 1;

/// Names of the actions.
pub const ACTIONS: [&str; 5] = ["LEFT", "RIGHT", "UP", "DOWN", "STAY"];

/// Where an episode begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Layout {
    /// On random cells, no two alike.
    #[default]
    Random,
    /// On these cells, each (row, column) from the upper left corner.
    Fixed {
        /// One for each agent; several may share a cell.
        agents: Vec<(u8, u8)>,
        /// In Monster-Hunt the monster, then the apples; in Escalation the light. No two alike.
        things: Vec<(u8, u8)>,
    },
}

/// Monster-Hunt: together the monster is prey, alone one is its prey; apples are safe.
///
/// In each step the monster goes one cell towards the closest agent (the first of equals; where both offsets differ,
/// along a random axis, or the other one if an apple is in the way), then the agents walk, then all who stand on the
/// monster are paid, and one agent on each apple (drawn at random among several) eats it.
/// What was met or eaten comes back on a random free cell, the monster first, then the apples in order.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonsterHunt {
    /// Rows and columns, 2 to 127 each.
    pub size: (u8, u8),
    /// Number of agents, 1 to 16.
    pub agents: usize,
    /// Number of apples, at most 64.
    pub apples: usize,
    /// Steps after which an episode is cut.
    pub steps: u32,
    /// Agents that it takes to hunt the monster.
    pub needed: usize,
    /// Paid to each of those who hunt it together.
    pub together: f32,
    /// Paid to each of those whom it meets in too small a number.
    pub alone: f32,
    /// Paid for an apple.
    pub apple: f32,
    /// Whether the monster moves.
    pub chases: bool,
    /// Whether what was met or eaten comes back.
    pub respawn: bool,
    /// Whether the others' last actions are observed.
    pub memory: bool,
    /// Where an episode begins.
    pub layout: Layout,
}

impl Default for MonsterHunt {
    fn default() -> Self {
        Self {
            size: (5, 5),
            agents: 2,
            apples: 2,
            steps: 50,
            needed: 2,
            together: 5.0,
            alone: -2.0,
            apple: 2.0,
            chases: true,
            respawn: true,
            memory: false,
            layout: Layout::Random,
        }
    }
}

/// Escalation: a lit cell pays those who step on it together, and after each time a cell beside it lights up.
/// Whoever is on it without all the others pays more, the longer it went well.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Escalation {
    /// Rows and columns, 2 to 127 each.
    pub size: (u8, u8),
    /// Number of agents, 1 to 16.
    pub agents: usize,
    /// Steps after which an episode is cut.
    pub steps: u32,
    /// Paid to each when all are on the lit cell.
    pub together: f32,
    /// Paid to each of those who are there without the others, times the steps together so far in a row.
    pub alone: f32,
    /// Whether such a betrayal ends the episode; otherwise a random free cell lights up and the count begins anew.
    pub ends: bool,
    /// Whether the others' last actions are observed.
    pub memory: bool,
    /// Where an episode begins.
    pub layout: Layout,
}

impl Default for Escalation {
    fn default() -> Self {
        Self {
            size: (5, 5),
            agents: 2,
            steps: 50,
            together: 1.0,
            alone: -0.9,
            ends: true,
            memory: false,
            layout: Layout::Random,
        }
    }
}

/// What happens on the board.
#[derive(Clone, Debug)]
enum Kind {
    Hunt(MonsterHunt),
    Escalation(Escalation),
}

impl Kind {
    /// What [`Tally::counts`] counts.
    fn tallies(&self) -> &'static [&'static str] {
        match self {
            Self::Hunt(_) => &["together", "betrayed", "safe"],
            Self::Escalation(_) => &["together", "betrayed"],
        }
    }
}

/// A validated configuration.
#[derive(Clone, Debug)]
struct Rules {
    rows: u8,
    cols: u8,
    agents: usize,
    /// Monster and apples, or the light.
    things: usize,
    steps: u32,
    memory: bool,
    layout: Layout,
    kind: Kind,
}

impl Rules {
    /// Numbers before the memory.
    fn places(&self) -> usize {
        2 * (self.agents + self.things) + usize::from(matches!(self.kind, Kind::Escalation(_)))
    }

    fn check(self, rewards: &[(&str, f32)]) -> Result<Self, BuildError> {
        let mut problems = Vec::new();
        for (field, side) in [("rows", self.rows), ("columns", self.cols)] {
            if !(2..=127).contains(&side) {
                problems.push(format!("`size`: {side} {field}, there must be 2 to 127"));
            }
        }
        if !(1..=16).contains(&self.agents) {
            problems.push(format!("`agents`: {}, there must be 1 to 16", self.agents));
        }
        if self.agents + self.things > self.rows as usize * self.cols as usize / 2 {
            problems.push(format!(
                "`size`: {} agents and {} things fill more than half of the {} by {} board",
                self.agents, self.things, self.rows, self.cols
            ));
        }
        if self.steps == 0 {
            problems.push("`steps`: 0, an episode has at least 1 step".to_owned());
        }
        finite(rewards, &mut problems);
        if let Kind::Hunt(hunt) = &self.kind {
            if hunt.apples > 64 {
                problems.push(format!("`apples`: {}, there may be at most 64", hunt.apples));
            }
            if !(1..=hunt.agents).contains(&hunt.needed) {
                problems.push(format!(
                    "`needed`: {} of {} agents, it must be 1 to all",
                    hunt.needed, hunt.agents
                ));
            }
        }
        if let Layout::Fixed { agents, things } = &self.layout {
            for (what, cells, count) in
                [("agents", agents, self.agents), ("things", things, self.things)]
            {
                if cells.len() != count {
                    problems.push(format!("`layout`: {} cells for {count} {what}", cells.len()));
                }
                let off = |&&(row, col): &&(u8, u8)| row >= self.rows || col >= self.cols;
                for cell in cells.iter().filter(off) {
                    problems.push(format!(
                        "`layout`: {cell:?} is outside the {} by {} board",
                        self.rows, self.cols
                    ));
                }
            }
            for (index, cell) in things.iter().enumerate() {
                if things[..index].contains(cell) {
                    problems.push(format!("`layout`: two things on {cell:?}"));
                }
            }
        }
        BuildError::check(problems)?;
        Ok(self)
    }

    fn spec(&self, family: &str) -> EnvSpec {
        let bounds =
            |low: f32, high: [f32; 2], count: usize| (vec![low; 2 * count], high.repeat(count));
        let last = [f32::from(self.rows - 1), f32::from(self.cols - 1)];
        let (mut low, mut high) = bounds(0.0, last, self.agents);
        let (things_low, things_high) = bounds(-1.0, last, self.things);
        low.extend(things_low);
        high.extend(things_high);
        low.resize(self.places(), 0.0);
        high.resize(self.places(), 1.0);
        if self.memory {
            let memory = (self.agents - 1) * ACTIONS.len();
            low.resize(low.len() + memory, 0.0);
            high.resize(high.len() + memory, 1.0);
        }
        EnvSpec {
            name: format!("{family}-{}x{}-{}p", self.rows, self.cols, self.agents),
            version: VERSION,
            agents: self.agents,
            roles: vec!["walker".to_owned(); self.agents],
            observation: ObservationSpace { shape: vec![low.len()], low, high },
            action: ActionSpace::Discrete { names: ACTIONS.map(str::to_owned).to_vec() },
            state: self.places(),
            turns: Turns::Simultaneous,
            payoff: Payoff::General,
            horizon: Some(self.steps),
            tallies: self.kind.tallies().iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

impl MonsterHunt {
    fn rules(&self) -> Result<Rules, BuildError> {
        let rules = Rules {
            rows: self.size.0,
            cols: self.size.1,
            agents: self.agents,
            things: 1 + self.apples,
            steps: self.steps,
            memory: self.memory,
            layout: self.layout.clone(),
            kind: Kind::Hunt(self.clone()),
        };
        rules.check(&[("together", self.together), ("alone", self.alone), ("apple", self.apple)])
    }
}

impl Escalation {
    fn rules(&self) -> Result<Rules, BuildError> {
        let rules = Rules {
            rows: self.size.0,
            cols: self.size.1,
            agents: self.agents,
            things: 1,
            steps: self.steps,
            memory: self.memory,
            layout: self.layout.clone(),
            kind: Kind::Escalation(self.clone()),
        };
        rules.check(&[("together", self.together), ("alone", self.alone)])
    }
}

/// Both environments differ in their rules only.
macro_rules! environment {
    ($config:ident, $summary:literal, $examples:expr) => {
        impl $config {
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
                let rules = self.rules()?;
                let spec = Arc::new(rules.spec(Self::NAME));
                let game = game::Game { spec, rules: Arc::new(rules) };
                Ok(Box::new(Sharded::new(game, lanes, shard, streams, plugins)?))
            }
        }

        impl EnvFactory for $config {
            fn spec(&self) -> Result<EnvSpec, BuildError> {
                Ok(self.rules()?.spec(Self::NAME))
            }

            fn build(
                &self,
                lanes: Range<u32>,
                shard: usize,
                streams: Streams,
            ) -> Result<Box<dyn BatchEnv>, BuildError> {
                self.build_with(lanes, shard, streams, Vec::new())
            }
        }

        impl Registered<dyn EnvFactory> for $config {
            const NAME: &'static str = stringify!($config);
            const SUMMARY: &'static str = $summary;

            fn examples() -> Vec<Self> {
                $examples
            }

            fn boxed(self) -> Box<dyn EnvFactory> {
                Box::new(self)
            }
        }
    };
}

environment!(MonsterHunt, "trust dilemma: hunt a monster together, or eat apples", {
    let few = Self { respawn: false, memory: true, steps: 20, ..Self::default() };
    let many = Self { size: (6, 4), agents: 4, needed: 3, apples: 1, ..Self::default() };
    let things = vec![(2, 2), (0, 4), (4, 0)];
    let layout = Layout::Fixed { agents: vec![(0, 0), (4, 4)], things };
    vec![Self::default(), few, many, Self { layout, ..Self::default() }]
});

environment!(Escalation, "trust dilemma: the longer together, the dearer a betrayal", {
    let goes_on = Self { ends: false, memory: true, agents: 3, steps: 30, ..Self::default() };
    vec![Self::default(), goes_on]
});
