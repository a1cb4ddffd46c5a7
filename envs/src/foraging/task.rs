//! Names of the published tasks, such as `Foraging-2s-8x8-2p-2f-coop-v3`.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which published rule set decides levels and starting positions (spec `mansa-lbf.md` 2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum RuleSet {
    /// Package 1.0.14 and before: foods up to the sum of *all* player levels; no player starts in the last row or column.
    V0,
    /// Package 1.0.15: foods up to the sum of the three lowest player levels.
    V1,
    /// Packages 1.0.16 to 1.1.1: players may start in the last row and column.
    V2,
    /// Package 2.0.0: the level of a food that does not need cooperation may reach its maximum.
    #[default]
    V3,
}

impl RuleSet {
    const ALL: [(Self, &'static str); 4] =
        [(Self::V0, "v0"), (Self::V1, "v1"), (Self::V2, "v2"), (Self::V3, "v3")];

    /// The suffix in a task's name.
    pub fn suffix(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What a task's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// `2s`: how far agents see; `None` means the whole board.
    pub sight: Option<u8>,
    /// Whether the name is `Foraging-grid..`: observations are layers around the agent.
    pub grid: bool,
    /// Rows and columns.
    pub size: (u8, u8),
    /// Number of players.
    pub players: usize,
    /// Largest number of foods.
    pub foods: usize,
    /// `coop`: every food has the largest level allowed.
    pub coop: bool,
    /// `ind`: no food is above the lowest level that one player may have, so that nobody needs help.
    pub individual: bool,
    /// `pen`: a failed load costs 0.1.
    pub penalty: bool,
    /// `v0` to `v3`.
    pub rules: RuleSet,
}

/// Why a name is not a task.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{name}` is not a foraging task: {why}; \
     the form is Foraging[-grid][-2s]-8x8-2p-2f[-coop][-ind][-pen]-v3"
)]
pub struct TaskError {
    /// The name as given.
    pub name: String,
    /// What does not fit.
    pub why: String,
}

fn number<T: std::str::FromStr>(part: &str, unit: char) -> Option<T> {
    part.strip_suffix(unit)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()
}

impl std::str::FromStr for Task {
    type Err = TaskError;

    fn from_str(name: &str) -> Result<Self, TaskError> {
        let fail = |why: String| TaskError { name: name.to_owned(), why };
        let mut parts = name.split('-').peekable();
        if parts.next() != Some("Foraging") {
            return Err(fail("it does not begin with `Foraging`".to_owned()));
        }
        let grid = parts.next_if_eq(&"grid").is_some();
        let sight = parts.peek().and_then(|part| number(part, 's'));
        if sight.is_some() {
            parts.next();
        }
        let mut expect =
            |what: &str| parts.next().ok_or_else(|| fail(format!("{what} is missing")));
        let board = expect("the board, such as `8x8`,")?;
        let size = board
            .split_once('x')
            .and_then(|(rows, cols)| Some((rows.parse().ok()?, cols.parse().ok()?)))
            .ok_or_else(|| fail(format!("`{board}` is not a board such as `8x8`")))?;
        let part = expect("the number of players, such as `2p`,")?;
        let players = number(part, 'p')
            .ok_or_else(|| fail(format!("`{part}` is not a number of players such as `2p`")))?;
        let part = expect("the number of foods, such as `2f`,")?;
        let foods = number(part, 'f')
            .ok_or_else(|| fail(format!("`{part}` is not a number of foods such as `2f`")))?;
        let coop = parts.next_if_eq(&"coop").is_some();
        let individual = parts.next_if_eq(&"ind").is_some();
        let penalty = parts.next_if_eq(&"pen").is_some();
        let part = parts.next().unwrap_or_default();
        let rules = RuleSet::ALL
            .iter()
            .find(|(_, suffix)| *suffix == part)
            .map(|&(rules, _)| rules)
            .ok_or_else(|| fail(format!("`{part}` stands where one of v0, v1, v2, v3 should")))?;
        if let Some(rest) = parts.next() {
            return Err(fail(format!("`{rest}` follows the version")));
        }
        Ok(Self { sight, grid, size, players, foods, coop, individual, penalty, rules })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foraging")?;
        if self.grid {
            f.write_str("-grid")?;
        }
        if let Some(sight) = self.sight {
            write!(f, "-{sight}s")?;
        }
        write!(f, "-{}x{}-{}p-{}f", self.size.0, self.size.1, self.players, self.foods)?;
        for (set, suffix) in
            [(self.coop, "-coop"), (self.individual, "-ind"), (self.penalty, "-pen")]
        {
            if set {
                f.write_str(suffix)?;
            }
        }
        write!(f, "-{}", self.rules.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fact_55_names_say_what_they_mean() {
        let task: Task = "Foraging-2s-8x8-2p-2f-coop-v3".parse().unwrap();
        assert_eq!(
            task,
            Task {
                sight: Some(2),
                grid: false,
                size: (8, 8),
                players: 2,
                foods: 2,
                coop: true,
                individual: false,
                penalty: false,
                rules: RuleSet::V3,
            }
        );
        let task: Task = "Foraging-15x15-4p-5f-v1".parse().unwrap();
        assert_eq!((task.sight, task.size, task.foods), (None, (15, 15), 5));
        assert_eq!(task.rules, RuleSet::V1);
    }

    #[test]
    fn names_survive_parsing_and_writing() {
        for name in [
            "Foraging-8x8-2p-2f-coop-v3",
            "Foraging-2s-10x10-3p-3f-v0",
            "Foraging-grid-2s-5x7-9p-1f-coop-ind-pen-v2",
            "Foraging-grid-5x5-2p-1f-v1",
        ] {
            assert_eq!(name.parse::<Task>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn bad_names_say_where() {
        for (name, why) in [
            ("Forage-8x8-2p-2f-v3", "does not begin"),
            ("Foraging-8-2p-2f-v3", "`8` is not a board"),
            ("Foraging-8x8-p-2f-v3", "`p` is not a number of players"),
            ("Foraging-8x8-2p", "foods, such as `2f`, is missing"),
            ("Foraging-8x8-2p-2f", "`` stands where"),
            ("Foraging-8x8-2p-2f-v4", "`v4` stands where"),
            ("Foraging-8x8-2p-2f-pen-coop-v3", "`coop` stands where"),
            ("Foraging-8x8-2p-2f-v3-x", "`x` follows"),
            ("Foraging-999x8-2p-2f-v3", "not a board"),
        ] {
            let error = name.parse::<Task>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
