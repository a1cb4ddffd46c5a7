//! Which rows are compared with which.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::rows::{Key, Rows};

/// Folds words that are hashes already, or small numbers beside one.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        // An odd number near 2^64 over the golden ratio spreads small numbers.
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }
}

/// Rows sorted into parts: `of[row]` is the number of the part, `parts` how many there are.
///
/// Parts are numbered in the order in which they first appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub(super) of: Vec<u32>,
    pub(super) parts: usize,
}

impl Partition {
    #[expect(
        clippy::disallowed_types,
        reason = "looked up only, never iterated; a sort takes three times as long"
    )]
    fn by<K: Hash + Eq>(rows: usize, key: impl Fn(usize) -> K) -> Self {
        use std::collections::HashMap;
        let mut parts = HashMap::<K, u32, BuildHasherDefault<Fold>>::default();
        let part = |row| {
            let next = parts.len() as u32;
            *parts.entry(key(row)).or_insert(next)
        };
        let of = (0..rows).map(part).collect();
        Self { of, parts: parts.len() }
    }

    /// Number of rows in every part, `[parts]`.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.parts];
        for &part in &self.of {
            sizes[part as usize] += 1;
        }
        sizes
    }
}

/// Whose rewards a trajectory's return adds up, and whose rows share statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Agents {
    /// Every agent's return is the sum of its own rewards, and it is compared with its own rows of other
    /// trajectories (as `group_by_agent_id` in the multi-agent variant `DrMAS`). The same as
    /// [`Pooled`](Self::Pooled) where rows name no agent.
    #[default]
    Apart,
    /// Every agent's return is the sum of its own rewards, and all agents of a group are compared.
    Pooled,
    /// A return adds up every row of the trajectory, whoever acted, and all agents of a group are compared.
    Team,
}

/// The three partitions that an estimate needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Rows that share episode statistics: of one task group (and agent).
    pub groups: Partition,
    /// Rows whose rewards add up to one return.
    pub trajectories: Partition,
    /// Rows of one group in the same state: anchor groups, Eq. 6.
    pub anchors: Partition,
}

impl Grouping {
    /// Groups rows. Equal states of different task groups never meet.
    pub fn new(rows: &Rows, agents: Agents) -> Self {
        let n = rows.len();
        let tasks = Partition::by(n, |row| rows.groups[row]);
        // A small number per agent, so that the keys to sort stay short; all 0 where agents are one.
        let own = |apart: bool| -> Partition {
            if apart && rows.agents.iter().any(Option::is_some) {
                Partition::by(n, |row| rows.agents[row])
            } else {
                Partition { of: vec![0; n], parts: 1 }
            }
        };
        let (payees, peers) = (own(agents != Agents::Team), own(agents == Agents::Apart));
        let groups = if peers.parts == 1 {
            tasks.clone()
        } else {
            Partition::by(n, |row| (tasks.of[row], peers.of[row]))
        };
        let key = |row: usize| -> (u32, u32, Key) {
            (tasks.of[row], payees.of[row], rows.trajectories[row])
        };
        Self {
            trajectories: Partition::by(n, key),
            anchors: Partition::by(n, |row| (groups.of[row], rows.states[row])),
            groups,
        }
    }

    /// For each row whether some trajectories of its group earned more than others, `[rows]`; where none did, the
    /// episode level says nothing (and DAPO draws another group).
    pub fn informative(&self, rows: &Rows) -> Vec<bool> {
        let mut returns = vec![0.0; self.trajectories.parts];
        for (&trajectory, reward) in self.trajectories.of.iter().zip(&rows.rewards) {
            returns[trajectory as usize] += reward;
        }
        let mut range = vec![(f64::INFINITY, f64::NEG_INFINITY); self.groups.parts];
        for (&trajectory, &group) in self.trajectories.of.iter().zip(&self.groups.of) {
            let (least, most) = &mut range[group as usize];
            let value = returns[trajectory as usize];
            (*least, *most) = (least.min(value), most.max(value));
        }
        let says = |&group: &u32| range[group as usize].0 < range[group as usize].1;
        self.groups.of.iter().map(says).collect()
    }
}
