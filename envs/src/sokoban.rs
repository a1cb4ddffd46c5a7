//! Sokoban: push every box onto a target; what was pushed into a corner stays there.
//!
//! **Rules.** The player goes one cell up, down, left or right; a box in the way is pushed one cell on if that cell is
//! neither wall nor box, else nothing moves. Boxes are never pulled, so a level can become unsolvable, which the game
//! does not tell.
//!
//! **Levels** are drawn anew for each episode: a random walk carves the room, boxes begin on the targets, and a player
//! that pulls at random for [`pulls`](Sokoban::pulls) moves takes them away. The moment at which the boxes were
//! farthest from the targets is where the episode begins, so every level can be solved by going back. (The idea is
//! that of `gym-sokoban`; its levels are others.) Levels given as text are played as they are.
//!
//! **Observation.** Four layers `[4, rows, cols]` of zeros and ones: wall, target, box, player. The global state is the
//! same.
//!
//! **Actions**: UP, DOWN, LEFT, RIGHT. Masks forbid those that move nothing.
//!
//! **Rewards**, by default only `solved: 1.0`; `gym-sokoban` has `step: -0.1, on: 1.0, off: -1.0, solved: 10.0`.
//!
//! **End.** With all boxes on targets the episode terminates, after `steps` steps it is truncated.
//!
//! **Tallies.** Whether it was solved (`solved`), and the boxes on targets at the end (`on_targets`).
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

/// Layers of an observation.
const LAYERS: usize = 4;

/// Most rows and columns, walls included: cells are numbered in a byte.
const MOST: u8 = 15;

/// Sokoban as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sokoban {
    /// Rows and columns with the outer walls, 5 to 15 each.
    pub size: (u8, u8),
    /// Boxes and targets, at least 1; at most a sixth of the cells inside.
    pub boxes: u8,
    /// Steps after which an episode is cut.
    pub steps: u32,
    /// Moves of the player who takes the boxes away from the targets.
    pub pulls: u32,
    /// Paid for every step.
    pub step: f32,
    /// Paid for a box pushed onto a target.
    pub on: f32,
    /// Paid for a box pushed off a target.
    pub off: f32,
    /// Paid for the last box.
    pub solved: f32,
    /// One level for every episode instead of drawn ones, row by row: `#` wall, `.` target, `$` box, `*` box on target,
    /// `@` player, `+` player on target, blank floor. It decides size and boxes.
    pub level: Option<Vec<String>>,
}

impl Default for Sokoban {
    fn default() -> Self {
        Self {
            size: (6, 6),
            boxes: 1,
            steps: 40,
            pulls: 300,
            step: 0.0,
            on: 0.0,
            off: 0.0,
            solved: 1.0,
            level: None,
        }
    }
}

/// A set of cells, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cells([u64; 4]);

impl Cells {
    fn has(self, cell: u8) -> bool {
        self.0[usize::from(cell >> 6)] >> (cell & 63) & 1 == 1
    }

    fn add(&mut self, cell: u8) {
        self.0[usize::from(cell >> 6)] |= 1 << (cell & 63);
    }

    fn remove(&mut self, cell: u8) {
        self.0[usize::from(cell >> 6)] &= !(1 << (cell & 63));
    }

    fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn common(self, other: Self) -> u32 {
        self.0.iter().zip(other.0).map(|(one, two)| (one & two).count_ones()).sum()
    }
}

/// The room. Cell numbers are `row * cols + col`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    walls: Cells,
    targets: Cells,
    boxes: Cells,
    player: u8,
}

impl Room {
    fn free(&self, cell: u8) -> bool {
        !self.walls.has(cell) && !self.boxes.has(cell)
    }

    fn solved(&self) -> bool {
        self.boxes == self.targets
    }
}

/// A validated configuration.
#[derive(Debug)]
struct Rules {
    rows: u8,
    cols: u8,
    boxes: u8,
    config: Sokoban,
    level: Option<Room>,
}

impl Rules {
    fn cells(&self) -> usize {
        usize::from(self.rows) * usize::from(self.cols)
    }

    /// The neighbour in the direction of an action; inside the outer walls there is always one.
    fn next(&self, cell: u8, action: u8) -> u8 {
        match action {
            0 => cell - self.cols,
            1 => cell + self.cols,
            2 => cell - 1,
            _ => cell + 1,
        }
    }

    /// One step; returns whether a box came onto a target, and whether one left one.
    fn push(&self, room: &mut Room, action: u8) -> (bool, bool) {
        if !self.can(room, action) {
            return (false, false);
        }
        let to = self.next(room.player, action);
        room.player = to;
        if !room.boxes.has(to) {
            return (false, false);
        }
        let beyond = self.next(to, action);
        room.boxes.remove(to);
        room.boxes.add(beyond);
        match (room.targets.has(to), room.targets.has(beyond)) {
            (false, true) => (true, false),
            (true, false) => (false, true),
            _ => (false, false),
        }
    }

    fn inside(&self, rng: &mut ChaCha8Rng) -> u8 {
        let row = 1 + below(rng, u32::from(self.rows - 2)) as u8;
        row * self.cols + 1 + below(rng, u32::from(self.cols - 2)) as u8
    }

    /// A floor cell without a box, all alike.
    fn floor(&self, room: &Room, rng: &mut ChaCha8Rng) -> u8 {
        loop {
            let cell = self.inside(rng);
            if room.free(cell) {
                return cell;
            }
        }
    }

    /// A level of its own.
    fn level(&self, rng: &mut ChaCha8Rng) -> Room {
        loop {
            let room = self.carve(rng);
            if let Some(room) = self.scatter(room, rng) {
                return room;
            }
        }
    }

    /// A room of connected floor, at least half of the inside, with boxes on their targets.
    fn carve(&self, rng: &mut ChaCha8Rng) -> Room {
        let mut room = Room::default();
        for cell in 0..self.cells() {
            room.walls.add(cell as u8);
        }
        let inside = u32::from(self.rows - 2) * u32::from(self.cols - 2);
        let floor = inside / 2 + below(rng, inside / 2 + 1);
        let mut at = self.inside(rng);
        room.walls.remove(at);
        let cut = |room: &Room| self.cells() as u32 - room.walls.count();
        while cut(&room) < floor {
            let to = self.next(at, below(rng, 4) as u8);
            let (row, col) = (to / self.cols, to % self.cols);
            if row > 0 && row + 1 < self.rows && col > 0 && col + 1 < self.cols {
                at = to;
                room.walls.remove(at);
            }
        }
        for _ in 0..self.boxes {
            let cell = self.floor(&room, rng);
            room.targets.add(cell);
            room.boxes.add(cell);
        }
        room.player = self.floor(&room, rng);
        room
    }

    /// Takes the boxes away by random pulls; `None` when no box ever left its target.
    fn scatter(&self, mut room: Room, rng: &mut ChaCha8Rng) -> Option<Room> {
        let mut best = None;
        let mut farthest = 0;
        for _ in 0..self.config.pulls {
            let action = below(rng, 4) as u8;
            let pulls = below(rng, 4) > 0;
            let to = self.next(room.player, action);
            if !room.free(to) {
                continue;
            }
            let behind = self.next(room.player, action ^ 1);
            if pulls && room.boxes.has(behind) {
                room.boxes.remove(behind);
                room.boxes.add(room.player);
            }
            room.player = to;
            let far = self.distance(&room);
            if far > farthest {
                (farthest, best) = (far, Some(room));
            }
        }
        best
    }

    /// Sum over boxes of the steps to the nearest target, walls aside.
    fn distance(&self, room: &Room) -> u32 {
        let mut sum = 0;
        for cell in (0..self.cells() as u8).filter(|&cell| room.boxes.has(cell)) {
            let (row, col) = (cell / self.cols, cell % self.cols);
            let near = (0..self.cells() as u8)
                .filter(|&target| room.targets.has(target))
                .map(|target| row.abs_diff(target / self.cols) + col.abs_diff(target % self.cols))
                .min();
            sum += u32::from(near.unwrap_or(0));
        }
        sum
    }
}

impl Puzzle for Rules {
    type State = Room;

    fn spec(&self) -> EnvSpec {
        let shape = vec![LAYERS, usize::from(self.rows), usize::from(self.cols)];
        let size = LAYERS * self.cells();
        let source = if self.level.is_some() { "level" } else { "drawn" };
        EnvSpec {
            name: format!("Sokoban-{}x{}-{}b-{source}", self.rows, self.cols, self.boxes),
            version: VERSION,
            agents: 1,
            roles: vec!["pusher".to_owned()],
            observation: ObservationSpace { shape, low: vec![0.0; size], high: vec![1.0; size] },
            action: ActionSpace::Discrete { names: ACTIONS.map(str::to_owned).to_vec() },
            state: size,
            turns: Turns::Simultaneous,
            payoff: Payoff::Common,
            horizon: Some(self.config.steps),
            tallies: ["solved", "on_targets"].map(str::to_owned).to_vec(),
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Room {
        self.level.unwrap_or_else(|| self.level(rng))
    }

    fn go(&self, room: &mut Room, action: u8) -> f32 {
        let Sokoban { step, on, off, solved, .. } = self.config;
        let (came, left) = self.push(room, action);
        let mut reward = step;
        for (done, worth) in [(came, on), (left, off), (room.solved(), solved)] {
            if done {
                reward += worth;
            }
        }
        reward
    }

    fn solved(&self, room: &Room) -> bool {
        room.solved()
    }

    fn can(&self, room: &Room, action: u8) -> bool {
        let to = self.next(room.player, action);
        if room.boxes.has(to) { room.free(self.next(to, action)) } else { !room.walls.has(to) }
    }

    fn show(&self, room: &Room, out: &mut [f32]) {
        let cells = self.cells();
        out.fill(0.0);
        for (layer, set) in [room.walls, room.targets, room.boxes].into_iter().enumerate() {
            for (cell, place) in out[layer * cells..][..cells].iter_mut().enumerate() {
                *place = f32::from(u8::from(set.has(cell as u8)));
            }
        }
        out[3 * cells + usize::from(room.player)] = 1.0;
    }

    fn tallies(&self, room: &Room) -> [f32; 2] {
        [f32::from(u8::from(room.solved())), room.boxes.common(room.targets) as f32]
    }

    fn save(&self, room: &Room, to: &mut Writer) {
        let Room { walls, targets, boxes, player } = *room;
        for word in [walls, targets, boxes].iter().flat_map(|set| set.0) {
            to.u64(word);
        }
        to.u8(player);
    }

    fn restore(&self, from: &mut Reader<'_>) -> Result<Room, BatchError> {
        let mut room = Room::default();
        for set in [&mut room.walls, &mut room.targets, &mut room.boxes] {
            for word in &mut set.0 {
                *word = from.u64()?;
            }
        }
        room.player = from.u8()?;
        let bad = |why: &str| Err(BatchError::Snapshot { why: why.to_owned() });
        let Self { rows, cols, .. } = *self;
        for cell in 0..=u8::MAX {
            let (row, col) = (cell / cols, cell % cols);
            let inside = row > 0 && row + 1 < rows && col > 0 && col + 1 < cols;
            let occupied = room.boxes.has(cell) || room.targets.has(cell) || room.player == cell;
            if occupied && (!inside || room.walls.has(cell)) {
                return bad("something stands in a wall or outside the room");
            }
            if !inside && row < rows && !room.walls.has(cell) {
                return bad("the room is open");
            }
        }
        if room.boxes.has(room.player) || room.boxes.count() != u32::from(self.boxes) {
            return bad("the player stands on a box, or a box is missing");
        }
        Ok(room)
    }

    fn describe(&self, room: &Room) -> Value {
        let symbol = |cell: u8| match (room.targets.has(cell), room.player == cell) {
            _ if room.walls.has(cell) => '#',
            (true, _) if room.boxes.has(cell) => '*',
            (false, _) if room.boxes.has(cell) => '$',
            (true, true) => '+',
            (true, false) => '.',
            (false, true) => '@',
            (false, false) => ' ',
        };
        let line = |row: u8| (0..self.cols).map(|col| symbol(row * self.cols + col)).collect();
        json!({ "room": (0..self.rows).map(line).collect::<Vec<String>>() })
    }

    fn size(&self) -> (u8, u8) {
        (self.rows, self.cols)
    }
}

impl Sokoban {
    fn rules(&self) -> Result<Rules, BuildError> {
        let mut problems = Vec::new();
        let (rows, cols, level) = match &self.level {
            None => (self.size.0, self.size.1, None),
            Some(text) => {
                let rows = text.len().min(255) as u8;
                let cols = text.iter().map(|row| row.chars().count()).max().unwrap_or(0);
                (rows, cols.min(255) as u8, Some(text))
            }
        };
        for (what, side) in [("rows", rows), ("columns", cols)] {
            let least = if level.is_some() { 3 } else { 5 };
            if !(least..=MOST).contains(&side) {
                let field = if level.is_some() { "level" } else { "size" };
                problems.push(format!("`{field}`: {side} {what}, there must be {least} to {MOST}"));
            }
        }
        if self.steps == 0 {
            problems.push("`steps`: 0, an episode has at least 1 step".to_owned());
        }
        finite(
            &[("step", self.step), ("on", self.on), ("off", self.off), ("solved", self.solved)],
            &mut problems,
        );
        if level.is_none() {
            let most = rows.saturating_sub(2) as u32 * cols.saturating_sub(2) as u32 / 6;
            if !(1..=most).contains(&u32::from(self.boxes)) {
                problems.push(format!(
                    "`boxes`: {}, a room of {rows} by {cols} takes 1 to {most}",
                    self.boxes
                ));
            }
            if !(10..=100_000).contains(&self.pulls) {
                problems.push(format!("`pulls`: {}, there must be 10 to 100000", self.pulls));
            }
        }
        BuildError::check(problems)?;
        let level = level.map(|text| read(text, cols)).transpose()?;
        let boxes = level.map_or(self.boxes, |room| room.boxes.count() as u8);
        Ok(Rules { rows, cols, boxes, config: self.clone(), level })
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

/// A level from its text.
fn read(text: &[String], cols: u8) -> Result<Room, BuildError> {
    let mut problems = Vec::new();
    let mut room = Room::default();
    let mut players = 0;
    let last = text.len() - 1;
    for (row, line) in text.iter().enumerate() {
        let padded = line.chars().chain(std::iter::repeat(' ')).take(usize::from(cols));
        for (col, symbol) in padded.enumerate() {
            let cell = row as u8 * cols + col as u8;
            match symbol {
                '#' => room.walls.add(cell),
                ' ' | '.' | '$' | '*' | '@' | '+' => {}
                other => problems.push(format!(
                    "`level`: {other:?} in row {row}, column {col}; a cell is one of `#.$*@+` or blank"
                )),
            }
            if matches!(symbol, '.' | '*' | '+') {
                room.targets.add(cell);
            }
            if matches!(symbol, '$' | '*') {
                room.boxes.add(cell);
            }
            if matches!(symbol, '@' | '+') {
                room.player = cell;
                players += 1;
            }
            let edge = row == 0 || row == last || col == 0 || col + 1 == usize::from(cols);
            if edge && symbol != '#' {
                problems.push(format!(
                    "`level`: row {row}, column {col} is at the edge and must be a wall"
                ));
            }
        }
    }
    if players != 1 {
        problems.push(format!("`level`: {players} players, there must be one"));
    }
    let (boxes, targets) = (room.boxes.count(), room.targets.count());
    if boxes != targets || boxes == 0 {
        problems
            .push(format!("`level`: {boxes} boxes and {targets} targets, there must be as many"));
    } else if room.solved() {
        problems.push("`level`: it is solved already".to_owned());
    }
    BuildError::check(problems)?;
    Ok(room)
}

impl EnvFactory for Sokoban {
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

impl Registered<dyn EnvFactory> for Sokoban {
    const NAME: &'static str = "Sokoban";
    const SUMMARY: &'static str = "push boxes onto targets: sparse reward, deadlocks";

    fn examples() -> Vec<Self> {
        let larger = Self {
            size: (8, 9),
            boxes: 3,
            step: -0.1,
            on: 1.0,
            off: -1.0,
            solved: 10.0,
            ..Self::default()
        };
        let level = ["#######", "#.$ @ #", "#  $  #", "#   . #", "#######"];
        let level = Some(level.map(str::to_owned).to_vec());
        vec![Self::default(), larger, Self { level, ..Self::default() }]
    }

    fn boxed(self) -> Box<dyn EnvFactory> {
        Box::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Actions, Buffers, End};

    struct Played {
        env: Box<dyn BatchEnv>,
        out: Buffers,
    }

    impl Played {
        fn new(config: &Sokoban) -> Self {
            let mut env = config.build(0..1, 1, Streams::new(4)).unwrap();
            let mut out = Buffers::new(env.spec(), 1);
            env.reset(0, out.outbox()).unwrap();
            env.watch(0).unwrap();
            Self { env, out }
        }

        fn step(&mut self, action: u16) -> (f32, End) {
            self.env.step(Actions::Discrete(&[action]), self.out.outbox()).unwrap();
            (self.out.rewards[0], self.out.ends[0])
        }

        fn room(&mut self) -> Vec<String> {
            let state = self.env.describe(0).unwrap();
            serde_json::from_value(state["room"].clone()).unwrap()
        }
    }

    const DOWN: u16 = 1;
    const LEFT: u16 = 2;
    const RIGHT: u16 = 3;

    fn level(rows: &[&str]) -> Sokoban {
        let level = Some(rows.iter().map(|&row| row.to_owned()).collect());
        Sokoban { level, step: -0.125, on: 1.0, off: -1.0, solved: 10.0, ..Sokoban::default() }
    }

    #[test]
    fn boxes_are_pushed_and_pay_when_they_come_and_go() {
        let mut game = Played::new(&level(&["########", "#@$.  .#", "#    $ #", "########"]));
        assert_eq!(game.out.masks, [false, true, false, true]);
        assert_eq!(game.step(RIGHT), (0.875, End::Running));
        assert_eq!(game.room()[1], "# @*  .#");
        assert_eq!(game.step(RIGHT), (-1.125, End::Running));
        assert_eq!(game.room()[1], "#  +$ .#");
        assert_eq!(game.step(RIGHT), (-0.125, End::Running));
        assert_eq!(game.step(RIGHT), (0.875, End::Running));
        assert_eq!(game.room()[1], "#  . @*#");
        // Against the wall nothing moves, but time does.
        assert_eq!(game.step(RIGHT), (-0.125, End::Running));
        assert_eq!(game.room()[1], "#  . @*#");
        // Down: the box is stuck at the wall.
        assert_eq!(game.out.masks, [false, false, true, false]);
    }

    #[test]
    fn the_last_box_ends_the_episode() {
        let mut game = Played::new(&level(&["#####", "#@$.#", "#####"]));
        assert_eq!(game.step(RIGHT), (-0.125 + 1.0 + 10.0, End::Terminated));
        assert_eq!(game.out.tallies, [1.0, 1.0]);
        let last = game.env.describe_last(0).unwrap();
        assert_eq!(last["room"][1], "# @*#");
        assert_eq!(game.room()[1], "#@$.#", "the next episode");
    }

    #[test]
    fn two_boxes_in_a_row_cannot_be_pushed() {
        let mut game = Played::new(&level(&["#######", "#@$$..#", "#######"]));
        assert_eq!(game.out.masks, [true; 4], "walled in, nothing is ruled out");
        game.step(RIGHT);
        assert_eq!(game.room()[1], "#@$$..#");
    }

    #[test]
    fn an_episode_is_cut_in_time() {
        let config = Sokoban { steps: 2, ..level(&["######", "#@ $.#", "######"]) };
        let mut game = Played::new(&config);
        assert_eq!(game.step(LEFT).1, End::Running);
        assert_eq!(game.step(LEFT).1, End::Truncated);
        assert_eq!(game.out.tallies, [0.0, 0.0]);
        assert_eq!(game.step(DOWN).1, End::Running);
    }

    /// Every reachable arrangement of one room by breadth-first search: is it solved somewhere?
    fn solvable(rules: &Rules, room: Room) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let mut front = vec![room];
        seen.insert((room.boxes.0, room.player));
        while let Some(room) = front.pop() {
            if room.solved() {
                return true;
            }
            for action in 0..4 {
                let mut next = room;
                rules.push(&mut next, action);
                if seen.insert((next.boxes.0, next.player)) {
                    front.push(next);
                }
            }
        }
        false
    }

    #[test]
    fn drawn_levels_can_be_solved_and_are_not_yet() {
        for (config, count) in [
            (Sokoban::default(), 300),
            (Sokoban { size: (5, 7), boxes: 2, ..Sokoban::default() }, 200),
            (Sokoban { size: (8, 8), boxes: 2, ..Sokoban::default() }, 20),
        ] {
            let rules = config.rules().unwrap();
            let mut rooms = std::collections::BTreeSet::new();
            for lane in 0..count {
                let mut rng = Streams::new(8).at(crate::seed::Purpose::Episode, lane, 0);
                let room = rules.draw(&mut rng);
                assert_eq!(room.boxes.count(), u32::from(config.boxes));
                assert!(!room.solved() && room.free(room.player));
                assert!(solvable(&rules, room), "{config:?}, lane {lane}");
                rooms.insert((room.walls.0, room.boxes.0, room.player));
            }
            assert!(rooms.len() as u32 > count * 3 / 4, "levels repeat: {}", rooms.len());
        }
    }

    #[test]
    fn random_play_meets_deadlocks() {
        let rules = Sokoban::default().rules().unwrap();
        let mut stuck = 0;
        for lane in 0..200 {
            let mut rng = Streams::new(8).at(crate::seed::Purpose::Episode, lane, 0);
            let mut room = rules.draw(&mut rng);
            for _ in 0..40 {
                if !room.solved() {
                    rules.push(&mut room, below(&mut rng, 4) as u8);
                }
            }
            stuck += u32::from(!solvable(&rules, room));
        }
        assert!((20..180).contains(&stuck), "{stuck} of 200 rooms can no longer be solved");
    }

    #[test]
    fn bad_configurations_name_every_problem() {
        let problems = |config: Sokoban| config.spec().unwrap_err().problems;
        let base = Sokoban { size: (4, 20), steps: 0, boxes: 9, pulls: 1, ..Sokoban::default() };
        assert_eq!(problems(base).len(), 5);
        let found = problems(level(&["#####", "#@?.#", "## ##"]));
        assert!(found[0].contains("'?' in row 1, column 2"), "{found:?}");
        assert!(found.iter().any(|problem| problem.contains("must be a wall")), "{found:?}");
        assert!(found.iter().any(|problem| problem.contains("0 boxes and 1 targets")), "{found:?}");
        assert!(problems(level(&["#####", "#@* #", "#####"]))[0].contains("solved already"));
    }
}
