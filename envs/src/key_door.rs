//! Key-door maze: rooms in a row, each door locked, its key somewhere in the room before it, the goal in the last room.
//! A task of any length in which only the end is paid.
//!
//! **Rules.** The agent goes one cell at a time; whoever steps on a key holds it; with the key the next door opens when
//! it is walked into, and the key is used up. Without it the door is a wall.
//!
//! **Layout**, drawn for each episode: the agent in the first room, the keys, the goal, and the row of each door.
//!
//! **Observation**: own row and column, whether a key is held, then for each door the key's row and column and the
//! door's, and the goal's; (-1, -1) for a key that was taken, a door that is open, and with `sight` for what is farther
//! away in rows or columns. The global state is the observation without `sight`: with it, one observation stands for
//! several states.
//!
//! **Actions**: UP, DOWN, LEFT, RIGHT. Masks forbid those that lead nowhere.
//!
//! **Rewards**, by default only `goal: 1.0`.
//!
//! **End.** At the goal the episode terminates; after `steps` steps, by default 8 (rows + columns) for each room, it is
//! truncated.
//!
//! **Tallies.** Whether the goal was reached (`solved`), and the doors opened (`doors`).
//!
//! **Version history.** 1: first.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::batch::{BatchEnv, BatchError};
use crate::ecs::Plugin;
use crate::puzzle::{self, Puzzle};
use crate::registry::Registered;
use crate::seed::{Streams, below};
use crate::snapshot::{Reader, Writer};
use crate::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use crate::{BuildError, EnvFactory, finite};

/// Raised when the same seed and actions give another trajectory.
const VERSION: u32 = 1;

/// Names of the actions.
pub const ACTIONS: [&str; 4] = ["UP", "DOWN", "LEFT", "RIGHT"];

/// Most rooms.
const MOST: usize = 12;

/// The key-door maze as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyDoor {
    /// Rooms in a row, 1 to 12; there is one door fewer.
    pub rooms: usize,
    /// Rows and columns of a room, 2 to 9 each.
    pub room: (u8, u8),
    /// Steps after which an episode is cut; by default 8 (rows + columns) for each room.
    pub steps: Option<u32>,
    /// How far the agent sees, in rows and in columns; everything by default.
    pub sight: Option<u8>,
    /// Paid at the goal.
    pub goal: f32,
    /// Paid for a key.
    pub key: f32,
    /// Paid for a door.
    pub door: f32,
    /// Paid for every step.
    pub step: f32,
}

impl Default for KeyDoor {
    fn default() -> Self {
        Self {
            rooms: 3,
            room: (4, 4),
            steps: None,
            sight: None,
            goal: 1.0,
            key: 0.0,
            door: 0.0,
            step: 0.0,
        }
    }
}

/// Row and column.
type Cell = (u8, u8);

/// Where everything is. Doors open in order, so counting them tells which are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Maze {
    agent: Cell,
    goal: Cell,
    keys: [Cell; MOST],
    /// Row of each door.
    doors: [u8; MOST],
    /// Keys taken so far.
    taken: u8,
    /// Doors opened so far; as many as the keys taken, or one fewer.
    opened: u8,
}

/// A validated configuration.
#[derive(Debug)]
struct Rules {
    config: KeyDoor,
    /// Of one room.
    rows: u8,
    cols: u8,
    doors: usize,
    steps: u32,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Deed {
    key: bool,
    door: bool,
}

impl Rules {
    /// Columns of the whole maze: the rooms and the walls between them.
    fn width(&self) -> u8 {
        (self.doors as u8 + 1) * (self.cols + 1) - 1
    }

    /// Column of the wall in which a door is.
    fn wall(&self, door: usize) -> u8 {
        (door as u8 + 1) * (self.cols + 1) - 1
    }

    fn cell(&self, room: usize, rng: &mut ChaCha8Rng) -> Cell {
        let row = below(rng, u32::from(self.rows)) as u8;
        (row, room as u8 * (self.cols + 1) + below(rng, u32::from(self.cols)) as u8)
    }

    /// A cell of the room other than `taken`.
    fn other(&self, room: usize, taken: Cell, rng: &mut ChaCha8Rng) -> Cell {
        loop {
            let cell = self.cell(room, rng);
            if cell != taken {
                return cell;
            }
        }
    }

    /// Where an action leads; the same cell where a wall or a locked door is in the way.
    fn next(&self, maze: &Maze, action: u8) -> Cell {
        let (row, col) = maze.agent;
        let (to_row, to_col) = match action {
            0 => (row.saturating_sub(1), col),
            1 => ((row + 1).min(self.rows - 1), col),
            2 => (row, col.saturating_sub(1)),
            _ => (row, (col + 1).min(self.width() - 1)),
        };
        let to = (to_row, to_col);
        if !(to_col + 1).is_multiple_of(self.cols + 1) {
            return to;
        }
        let door = usize::from(to_col / (self.cols + 1));
        let passable = door < usize::from(maze.taken) && maze.doors[door] == to_row;
        if passable { to } else { maze.agent }
    }

    fn walk(&self, maze: &mut Maze, action: u8) -> Deed {
        maze.agent = self.next(maze, action);
        let (taken, opened) = (usize::from(maze.taken), usize::from(maze.opened));
        let key = taken == opened && taken < self.doors && maze.keys[taken] == maze.agent;
        let door = opened < taken && maze.agent == (maze.doors[opened], self.wall(opened));
        maze.taken += u8::from(key);
        maze.opened += u8::from(door);
        Deed { key, door }
    }

    fn see(&self, maze: &Maze, sight: Option<u8>, out: &mut [f32]) {
        let seen = |cell: Cell| {
            let near = sight.is_none_or(|sight| {
                maze.agent.0.abs_diff(cell.0).max(maze.agent.1.abs_diff(cell.1)) <= sight
            });
            if near { [f32::from(cell.0), f32::from(cell.1)] } else { [-1.0; 2] }
        };
        out[0] = f32::from(maze.agent.0);
        out[1] = f32::from(maze.agent.1);
        out[2] = f32::from(maze.taken - maze.opened);
        let (pairs, _) = out[3..].as_chunks_mut::<2>();
        for door in 0..self.doors {
            let gone = [-1.0; 2];
            let there = |left: bool, cell| if left { seen(cell) } else { gone };
            pairs[2 * door] = there(door >= usize::from(maze.taken), maze.keys[door]);
            let place = (maze.doors[door], self.wall(door));
            pairs[2 * door + 1] = there(door >= usize::from(maze.opened), place);
        }
        pairs[2 * self.doors] = seen(maze.goal);
    }
}

impl Puzzle for Rules {
    type State = Maze;

    fn spec(&self) -> EnvSpec {
        let last = [f32::from(self.rows - 1), f32::from(self.width() - 1)];
        let things = 2 * self.doors + 1;
        let mut low = vec![0.0; 3];
        low.resize(3 + 2 * things, -1.0);
        let high = [&last[..], &[1.0], &last.repeat(things)].concat();
        EnvSpec {
            name: format!("KeyDoor-{}x{}x{}", self.doors + 1, self.rows, self.cols),
            version: VERSION,
            agents: 1,
            roles: vec!["walker".to_owned()],
            state: low.len(),
            observation: ObservationSpace { shape: vec![low.len()], low, high },
            action: ActionSpace::Discrete { names: ACTIONS.map(str::to_owned).to_vec() },
            turns: Turns::Simultaneous,
            payoff: Payoff::Common,
            horizon: Some(self.steps),
            tallies: ["solved", "doors"].map(str::to_owned).to_vec(),
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Maze {
        let mut maze = Maze { agent: self.cell(0, rng), ..Maze::default() };
        for door in 0..self.doors {
            maze.keys[door] = self.other(door, maze.agent, rng);
            maze.doors[door] = below(rng, u32::from(self.rows)) as u8;
        }
        maze.goal = self.other(self.doors, maze.agent, rng);
        maze
    }

    fn go(&self, maze: &mut Maze, action: u8) -> f32 {
        let KeyDoor { goal, key, door, step, .. } = self.config;
        let deed = self.walk(maze, action);
        let mut reward = step;
        for (done, worth) in [(deed.key, key), (deed.door, door), (self.solved(maze), goal)] {
            if done {
                reward += worth;
            }
        }
        reward
    }

    fn solved(&self, maze: &Maze) -> bool {
        maze.agent == maze.goal
    }

    fn can(&self, maze: &Maze, action: u8) -> bool {
        self.next(maze, action) != maze.agent
    }

    fn show(&self, maze: &Maze, out: &mut [f32]) {
        self.see(maze, None, out);
    }

    fn observe(&self, maze: &Maze, out: &mut [f32]) {
        self.see(maze, self.config.sight, out);
    }

    fn tallies(&self, maze: &Maze) -> [f32; 2] {
        [f32::from(u8::from(self.solved(maze))), f32::from(maze.opened)]
    }

    fn save(&self, maze: &Maze, to: &mut Writer) {
        let Maze { agent, goal, keys, doors, taken, opened } = *maze;
        for (row, col) in [agent, goal].iter().chain(&keys[..self.doors]) {
            to.u8(*row);
            to.u8(*col);
        }
        for row in &doors[..self.doors] {
            to.u8(*row);
        }
        to.u8(taken);
        to.u8(opened);
    }

    fn restore(&self, from: &mut Reader<'_>) -> Result<Maze, BatchError> {
        let mut maze = Maze::default();
        let [agent, goal] = [&mut maze.agent, &mut maze.goal];
        for (row, col) in [agent, goal].into_iter().chain(&mut maze.keys[..self.doors]) {
            (*row, *col) = (from.u8()?, from.u8()?);
            if *row >= self.rows || *col >= self.width() {
                let why = format!("({row}, {col}) is outside the maze");
                return Err(BatchError::Snapshot { why });
            }
        }
        for row in &mut maze.doors[..self.doors] {
            *row = from.u8()?;
        }
        (maze.taken, maze.opened) = (from.u8()?, from.u8()?);
        let most = self.doors as u8;
        if maze.taken > most || maze.opened > maze.taken || maze.taken - maze.opened > 1 {
            let (taken, opened) = (maze.taken, maze.opened);
            let why = format!("{taken} keys taken and {opened} doors opened of {most}");
            return Err(BatchError::Snapshot { why });
        }
        Ok(maze)
    }

    fn describe(&self, maze: &Maze) -> Value {
        let at = |(row, col): Cell| json!({ "row": row, "col": col });
        let key = |door: usize| (door >= usize::from(maze.taken)).then(|| at(maze.keys[door]));
        let door = |door: usize| {
            let open = door < usize::from(maze.opened);
            json!({ "row": maze.doors[door], "col": self.wall(door), "open": open })
        };
        json!({
            "agent": at(maze.agent),
            "holds_key": maze.taken > maze.opened,
            "keys": (0..self.doors).map(key).collect::<Vec<_>>(),
            "doors": (0..self.doors).map(door).collect::<Vec<_>>(),
            "goal": at(maze.goal),
        })
    }

    fn size(&self) -> (u8, u8) {
        (self.rows, self.width())
    }
}

impl KeyDoor {
    fn rules(&self) -> Result<Rules, BuildError> {
        let mut problems = Vec::new();
        if !(1..=MOST).contains(&self.rooms) {
            problems.push(format!("`rooms`: {}, there must be 1 to {MOST}", self.rooms));
        }
        for (what, side) in [("rows", self.room.0), ("columns", self.room.1)] {
            if !(2..=9).contains(&side) {
                problems.push(format!("`room`: {side} {what}, there must be 2 to 9"));
            }
        }
        if self.steps == Some(0) {
            problems.push("`steps`: 0, an episode has at least 1 step".to_owned());
        }
        finite(
            &[("goal", self.goal), ("key", self.key), ("door", self.door), ("step", self.step)],
            &mut problems,
        );
        BuildError::check(problems)?;
        let (rows, cols) = self.room;
        let usual = 8 * self.rooms as u32 * (u32::from(rows) + u32::from(cols));
        Ok(Rules {
            config: self.clone(),
            rows,
            cols,
            doors: self.rooms - 1,
            steps: self.steps.unwrap_or(usual),
        })
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
        let rules = self.rules()?;
        puzzle::build(rules, lanes, shard, streams, plugins)
    }
}

impl EnvFactory for KeyDoor {
    fn spec(&self) -> Result<EnvSpec, BuildError> {
        Ok(self.rules()?.spec())
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

impl Registered<dyn EnvFactory> for KeyDoor {
    const NAME: &'static str = "KeyDoor";
    const SUMMARY: &'static str = "find keys, open doors, reach the goal: sparse, of any length";

    fn examples() -> Vec<Self> {
        let paid = Self { key: 0.1, door: 0.1, step: -0.01, ..Self::default() };
        let long = Self { rooms: 5, room: (3, 2), sight: Some(1), steps: Some(60), ..paid };
        vec![Self { room: (2, 3), rooms: 2, ..Self::default() }, long]
    }

    fn boxed(self) -> Box<dyn EnvFactory> {
        Box::new(self)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "small whole numbers")]
mod tests {
    use super::*;
    use crate::batch::{Actions, Buffers, End};
    use crate::seed::Purpose;

    /// Two rooms of two by two; the door is in the lower row.
    fn small() -> (Rules, Maze) {
        let rules = KeyDoor { rooms: 2, room: (2, 2), ..KeyDoor::default() }.rules().unwrap();
        let mut maze = Maze { agent: (1, 1), goal: (0, 4), ..Maze::default() };
        maze.keys[0] = (0, 0);
        maze.doors[0] = 1;
        (rules, maze)
    }

    const NOTHING: Deed = Deed { key: false, door: false };
    const UP: u8 = 0;
    const DOWN: u8 = 1;
    const LEFT: u8 = 2;
    const RIGHT: u8 = 3;

    #[test]
    fn a_door_is_a_wall_without_its_key() {
        let (rules, mut maze) = small();
        assert_eq!(rules.width(), 5);
        assert_eq!(rules.walk(&mut maze, RIGHT), NOTHING);
        assert_eq!(maze.agent, (1, 1));
        for (action, to) in [(UP, (0, 1)), (UP, (0, 1)), (RIGHT, (0, 1)), (DOWN, (1, 1))] {
            assert_eq!(rules.walk(&mut maze, action), NOTHING);
            assert_eq!(maze.agent, to);
        }
    }

    #[test]
    fn the_key_opens_the_door_once_and_the_door_stays_open() {
        let (rules, mut maze) = small();
        rules.walk(&mut maze, UP);
        assert_eq!(rules.walk(&mut maze, LEFT), Deed { key: true, door: false });
        let mut seen = [0.0; 9];
        rules.see(&maze, None, &mut seen);
        assert_eq!(seen, [0.0, 0.0, 1.0, -1.0, -1.0, 1.0, 2.0, 0.0, 4.0]);
        rules.walk(&mut maze, DOWN);
        rules.walk(&mut maze, RIGHT);
        assert_eq!(rules.walk(&mut maze, RIGHT), Deed { key: false, door: true });
        assert_eq!(maze.agent, (1, 2));
        // In the doorway there is only left and right.
        assert_eq!((rules.next(&maze, UP), rules.next(&maze, DOWN)), ((1, 2), (1, 2)));
        rules.see(&maze, Some(1), &mut seen);
        assert_eq!(seen, [1.0, 2.0, 0.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]);
        assert_eq!(rules.walk(&mut maze, RIGHT), NOTHING);
        assert_eq!(rules.walk(&mut maze, LEFT), NOTHING);
        assert_eq!(rules.walk(&mut maze, LEFT), NOTHING);
        assert_eq!(maze.agent, (1, 1));
    }

    /// Walks to the next thing that matters, by the rules alone: a key, a door, the goal.
    fn solve(rules: &Rules, mut maze: Maze) -> u32 {
        let mut steps = 0;
        while maze.agent != maze.goal {
            let (taken, opened) = (usize::from(maze.taken), usize::from(maze.opened));
            let (row, col) = if opened < taken {
                // Along the door's row, from its left.
                if maze.agent.0 == maze.doors[opened] || maze.agent.1 + 1 == rules.wall(opened) {
                    (maze.doors[opened], rules.wall(opened))
                } else {
                    (maze.doors[opened], maze.agent.1)
                }
            } else if taken < rules.doors {
                maze.keys[taken]
            } else {
                maze.goal
            };
            let doorway = (maze.agent.1 + 1).is_multiple_of(rules.cols + 1);
            let action = match (row.cmp(&maze.agent.0), col.cmp(&maze.agent.1)) {
                (_, std::cmp::Ordering::Greater) if doorway => RIGHT,
                (std::cmp::Ordering::Less, _) if !doorway => UP,
                (std::cmp::Ordering::Greater, _) if !doorway => DOWN,
                (_, std::cmp::Ordering::Less) => LEFT,
                _ => RIGHT,
            };
            rules.walk(&mut maze, action);
            steps += 1;
            assert!(steps <= rules.steps, "{maze:?}");
        }
        assert_eq!((usize::from(maze.opened), usize::from(maze.taken)), (rules.doors, rules.doors));
        steps
    }

    #[test]
    fn every_drawn_maze_can_be_walked_within_its_time_and_takes_longer_with_more_rooms() {
        let mut before = 0;
        for rooms in [1, 2, 4, 8] {
            let rules = KeyDoor { rooms, ..KeyDoor::default() }.rules().unwrap();
            let mut sum = 0;
            for lane in 0..200 {
                let mut rng = Streams::new(2).at(Purpose::Episode, lane, 0);
                sum += solve(&rules, rules.draw(&mut rng));
            }
            assert!(sum > before + 200, "{rooms} rooms: {sum} steps");
            before = sum;
        }
    }

    #[test]
    fn only_the_goal_is_paid_unless_told_otherwise() {
        let config = KeyDoor { rooms: 1, room: (2, 2), steps: Some(5), ..KeyDoor::default() };
        let mut env = config.build(0..64, 64, Streams::new(1)).unwrap();
        let mut out = Buffers::new(env.spec(), 64);
        env.reset(0, out.outbox()).unwrap();
        let mut solved = 0;
        for step in 0..5_u16 {
            env.step(Actions::Discrete(&[step % 4; 64]), out.outbox()).unwrap();
            for lane in 0..64 {
                let there = out.ends[lane] == End::Terminated;
                assert_eq!(out.rewards[lane].to_bits(), f32::from(u8::from(there)).to_bits());
                assert_eq!(out.tallies[2 * lane + 1], 0.0);
                solved += u32::from(there);
            }
        }
        assert!(solved > 10, "{solved}");
    }

    #[test]
    fn bad_configurations_name_every_problem() {
        let config = KeyDoor {
            rooms: 13,
            room: (1, 10),
            steps: Some(0),
            goal: f32::NAN,
            ..KeyDoor::default()
        };
        let problems = config.spec().unwrap_err().problems;
        assert_eq!(problems.len(), 5, "{problems:?}");
    }
}
