//! Logged steps, the unit of every estimate, and the keys that group them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use thiserror::Error;
use twox_hash::XxHash3_128;

/// The identity of a task group, trajectory, agent or state: equal values have equal keys.
///
/// A key is a 128-bit hash, so that a million rows with long text states stay small; among a billion
/// different values two would collide with a chance of about 1e-21.
///
/// Equality is that of the reference (`to_hashable` in `gigpo/core_gigpo.py`), which is Python's: `1`, `1.0`
/// and `true` are equal, and so are `0.0` and `-0.0`; objects are compared whatever the order of their
/// fields. Integers are exact up to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u128);

impl Key {
    /// The key of a text.
    pub fn text(text: &str) -> Self {
        Self::tagged(b't', text.as_bytes())
    }

    /// The key of a whole number.
    pub fn integer(number: i128) -> Self {
        let float = number as f64;
        // Beyond 2^53 not every whole number is a float; those that are not have keys of their own.
        if float as i128 == number {
            Self::number(float)
        } else {
            Self::tagged(b'i', &number.to_le_bytes())
        }
    }

    /// The key of a number; both zeros are one.
    pub fn number(number: f64) -> Self {
        let number = if number == 0.0 { 0.0 } else { number };
        Self::tagged(b'n', &number.to_bits().to_le_bytes())
    }

    /// The key of an array of an environment's numbers, such as one observation or state row.
    pub fn floats(numbers: &[f32]) -> Self {
        let bits = |&number: &f32| if number == 0.0 { 0 } else { number.to_bits() };
        let bytes: Vec<u8> = numbers.iter().map(bits).flat_map(u32::to_le_bytes).collect();
        Self::tagged(b'f', &bytes)
    }

    /// The key of a list of values.
    fn list(items: &[Self]) -> Self {
        Self::joined(b'l', items.iter().copied())
    }

    /// The key of named values; their order does not matter.
    fn map(fields: &mut [(Self, Self)]) -> Self {
        fields.sort_unstable();
        Self::joined(b'm', fields.iter().flat_map(|&(name, value)| [name, value]))
    }

    fn joined(tag: u8, items: impl Iterator<Item = Self>) -> Self {
        let bytes: Vec<u8> = items.flat_map(|Self(item)| item.to_le_bytes()).collect();
        Self::tagged(tag, &bytes)
    }

    // The tag keeps the text "1" and the number 1 apart.
    fn tagged(tag: u8, bytes: &[u8]) -> Self {
        Self(XxHash3_128::oneshot_with_seed(tag.into(), bytes))
    }
}

impl<'de> Deserialize<'de> for Key {
    /// From a text, a number, a truth value, or lists and maps of these.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, or a list or object of these")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
                Ok(Key::text(text))
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Key, E> {
                Ok(Key::integer(truth.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Key, E> {
                Ok(Key::integer(number.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Key, E> {
                Ok(Key::integer(number.into()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Key, E> {
                Ok(Key::number(number))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Key, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Key::list(&items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Key, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Key::map(&mut fields))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// One step of one trajectory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The task group: all its trajectories began in the same state of the same task.
    pub group: Key,
    /// The trajectory, unique in its group.
    pub trajectory: Key,
    /// Who acted, where several did; `reward` is then this agent's.
    pub agent: Option<Key>,
    /// The state (or observation) in which the action was taken: the anchor.
    pub state: Key,
    /// What the environment paid for the action; finite.
    pub reward: f64,
    /// The action was invalid (in the reference a flag of the reply's format) and is to be penalised.
    pub invalid: bool,
    /// A critic's value of the state, for the methods that need one; finite.
    pub value: Option<f64>,
}

/// A row that no estimate can use.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("{field} is {number}, and has to be a finite number")]
pub struct RowError {
    /// `reward` or `value`.
    pub field: &'static str,
    /// What it is.
    pub number: f64,
}

/// Rows in the order in which they were logged: in time order within each trajectory, and with
/// trajectories, agents and groups interleaved in any way. About 90 bytes a row.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub(super) groups: Vec<Key>,
    pub(super) trajectories: Vec<Key>,
    pub(super) agents: Vec<Option<Key>>,
    pub(super) states: Vec<Key>,
    pub(super) rewards: Vec<f64>,
    pub(super) invalid: Vec<bool>,
    pub(super) values: Vec<Option<f64>>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Adds a row behind the others.
    ///
    /// # Errors
    /// The reward or the value is not finite; nothing was added.
    pub fn push(&mut self, row: Row) -> Result<(), RowError> {
        for (field, number) in [("reward", Some(row.reward)), ("value", row.value)] {
            if let Some(number) = number.filter(|number| !number.is_finite()) {
                return Err(RowError { field, number });
            }
        }
        self.groups.push(row.group);
        self.trajectories.push(row.trajectory);
        self.agents.push(row.agent);
        self.states.push(row.state);
        self.rewards.push(row.reward);
        self.invalid.push(row.invalid);
        self.values.push(row.value);
        Ok(())
    }
}
