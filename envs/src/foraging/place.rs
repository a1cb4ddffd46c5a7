//! Where an episode begins: players and foods on a fresh board (spec `mansa-lbf.md` 2.3).

use rand_chacha::ChaCha8Rng;

use super::game::{Cell, Food, Level};
use super::pcg64::Pcg64;
use super::{Item, Levels, Mode, RuleSet, Rules};
use crate::seed::below;

/// Tries before a player or the remaining foods are given up, as in the reference.
const TRIES: u32 = 1000;

/// The draws that a board needs, by numpy's generator or by ours.
pub(super) trait Draws {
    /// An integer in `low..high`, which must not be empty; draws nothing when there is one choice.
    fn between(&mut self, low: u32, high: u32) -> u32;

    /// Shuffles the order in which level bounds are given out.
    fn permute(&mut self, items: &mut [Levels]);
}

/// numpy's `Generator.integers` and `Generator.permutation`.
impl Draws for Pcg64 {
    fn between(&mut self, low: u32, high: u32) -> u32 {
        let range = high - low;
        if range == 1 {
            return low;
        }
        // Lemire's method: the product's low half says whether the draw is in the biased part.
        let mut product = u64::from(self.next_u32()) * u64::from(range);
        if (product as u32) < range {
            let threshold = range.wrapping_neg() % range;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(range);
            }
        }
        low + (product >> 32) as u32
    }

    fn permute(&mut self, items: &mut [Levels]) {
        for last in (1..items.len()).rev() {
            let mask = u32::MAX >> (last as u32).leading_zeros();
            let other = loop {
                let draw = self.next_u32() & mask;
                if draw as usize <= last {
                    break draw as usize;
                }
            };
            items.swap(last, other);
        }
    }
}

impl Draws for ChaCha8Rng {
    fn between(&mut self, low: u32, high: u32) -> u32 {
        if high - low == 1 { low } else { low + below(self, high - low) }
    }

    fn permute(&mut self, items: &mut [Levels]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.between(0, last as u32 + 1) as usize);
        }
    }
}

/// The bounds for player or food number `index`: one entry for all, or one each.
pub(super) fn levels_of(list: &[Levels], index: usize) -> Levels {
    list[if list.len() == 1 { 0 } else { index }]
}

/// The largest food level that the rule set allows for these player levels, sorted upwards.
pub(super) fn joined(set: RuleSet, sorted: &[u16]) -> u16 {
    match set {
        RuleSet::V0 => sorted.iter().sum(),
        RuleSet::V1 | RuleSet::V2 | RuleSet::V3 => sorted.iter().take(3).sum(),
    }
}

/// Room for the shuffled bounds and sorted levels of one board, kept between episodes so that a reset allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    bounds: Vec<Levels>,
    levels: Vec<u16>,
}

impl Scratch {
    /// Fills `bounds` with one entry for each of `count` things, shuffled where the rule set shuffles.
    fn share(&mut self, list: &[Levels], count: usize, rules: &Rules, draws: &mut impl Draws) {
        self.bounds.clear();
        self.bounds.extend((0..count).map(|index| levels_of(list, index)));
        // The reference shuffles even equal bounds, which moves its generator on.
        if rules.set == RuleSet::V3 && (rules.mode == Mode::Reference || list.len() > 1) {
            draws.permute(&mut self.bounds);
        }
    }
}

/// One instance's rows.
pub(super) struct Board<'a> {
    pub(super) players: &'a mut [Cell],
    pub(super) levels: &'a mut [Level],
    /// In row-major order; the rest is [`Cell::NOWHERE`].
    pub(super) foods: &'a mut [Cell],
    pub(super) food_levels: &'a mut [Food],
}

impl Board<'_> {
    fn add_food(&mut self, placed: usize, cell: Cell, level: u16) {
        let at = self.foods[..placed].partition_point(|other| *other < cell);
        self.foods[at..=placed].rotate_right(1);
        self.food_levels[at..=placed].rotate_right(1);
        self.foods[at] = cell;
        self.food_levels[at] = Food(level);
    }

    /// Puts the given players and foods on the board.
    pub(super) fn fixed(&mut self, players: &[Item], foods: &[Item]) {
        for (index, item) in players.iter().enumerate() {
            self.players[index] = Cell { row: item.row, col: item.col };
            self.levels[index] = Level(item.level);
        }
        self.foods.fill(Cell::NOWHERE);
        self.food_levels.fill(Food(0));
        for (placed, item) in foods.iter().enumerate() {
            let cell = Cell { row: item.row, col: item.col };
            self.add_food(placed, cell, u16::from(item.level));
        }
    }

    /// Draws players, then foods.
    pub(super) fn draw(&mut self, rules: &Rules, draws: &mut impl Draws, scratch: &mut Scratch) {
        self.foods.fill(Cell::NOWHERE);
        self.food_levels.fill(Food(0));
        // In the reference an old position still blocks its cell until that player is placed anew.
        if rules.mode == Mode::Clean {
            self.players.fill(Cell::NOWHERE);
        }
        self.draw_players(rules, draws, scratch);
        self.draw_foods(rules, draws, scratch);
    }

    fn draw_players(&mut self, rules: &Rules, draws: &mut impl Draws, scratch: &mut Scratch) {
        scratch.share(&rules.player_levels, self.players.len(), rules, draws);
        // Before v2 the last row and column were left out by an exclusive bound.
        let spare = u8::from(rules.set < RuleSet::V2);
        let (rows, cols) = (u32::from(rules.rows - spare), u32::from(rules.cols - spare));
        for index in 0..self.players.len() {
            let mut free = None;
            for _ in 0..TRIES {
                let row = draws.between(0, rows) as u8;
                let col = draws.between(0, cols) as u8;
                let cell = Cell { row, col };
                if !self.players.contains(&cell) {
                    free = Some(cell);
                    break;
                }
            }
            // A thousand misses in a row mean a board so full that the first free cell is as good as any.
            self.players[index] = free.unwrap_or_else(|| self.first_free(rules));
            let levels = scratch.bounds[index];
            let max = levels.max.unwrap_or(levels.min);
            let level = draws.between(u32::from(levels.min), u32::from(max) + 1);
            self.levels[index] = Level(level as u8);
        }
    }

    fn first_free(&self, rules: &Rules) -> Cell {
        let cells =
            (0..rules.rows).flat_map(|row| (0..rules.cols).map(move |col| Cell { row, col }));
        cells
            .into_iter()
            .find(|cell| !self.players.contains(cell))
            .unwrap_or(Cell { row: 0, col: 0 })
    }

    fn draw_foods(&mut self, rules: &Rules, draws: &mut impl Draws, scratch: &mut Scratch) {
        scratch.levels.clear();
        scratch.levels.extend(self.levels.iter().map(|level| u16::from(level.0)));
        scratch.levels.sort_unstable();
        let joined = joined(rules.set, &scratch.levels);
        scratch.share(&rules.food_levels, self.foods.len(), rules, draws);
        let (rows, cols) = (u32::from(rules.rows - 1), u32::from(rules.cols - 1));
        let mut placed = 0;
        for _ in 0..TRIES {
            if placed == self.foods.len() {
                break;
            }
            let row = draws.between(1, rows) as u8;
            let col = draws.between(1, cols) as u8;
            let cell = Cell { row, col };
            let near = |other: &Cell| {
                let (rows, cols) = (other.row.abs_diff(row), other.col.abs_diff(col));
                (rows <= 1 && cols <= 1) || (rows == 0 && cols <= 2) || (cols == 0 && rows <= 2)
            };
            if self.foods[..placed].iter().any(near) || self.players.contains(&cell) {
                continue;
            }
            let levels = scratch.bounds[placed];
            let max = levels.max.map_or(joined, u16::from);
            let min = if rules.coop { max } else { u16::from(levels.min).min(max) };
            // Up to v2 the largest level was left out by an exclusive bound.
            let end = if rules.set == RuleSet::V3 || min == max { max + 1 } else { max };
            let level = draws.between(u32::from(min), u32::from(end)) as u16;
            self.add_food(placed, cell, level);
            placed += 1;
        }
    }
}
