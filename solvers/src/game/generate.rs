//! Random games, the same on every machine for the same seed.

use ndarray::{ArrayD, Dimension, IxDyn};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{GameError, NormalForm};
use crate::seed::{Purpose, Streams, below, unit_f64};

/// The most pure profiles times players that a generated game may have.
pub const MAX_ENTRIES: usize = 50_000_000;

/// Why there is no random game.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A parameter out of its range.
    #[error("{generator}: {parameter} is {value}, it must be {range}")]
    Parameter {
        /// The family of games.
        generator: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// More payoffs than [`MAX_ENTRIES`].
    #[error("{generator}: a game with more than {MAX_ENTRIES} payoffs")]
    TooLarge {
        /// The family of games.
        generator: &'static str,
    },
    /// The numbers do not make a game.
    #[error(transparent)]
    Game(#[from] GameError),
}

/// A family of random games, as a scenario names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Generator {
    /// Independent payoffs, uniform in `[low, high)`.
    Uniform {
        /// Actions of each player.
        actions: Vec<usize>,
        /// Least payoff.
        #[serde(default)]
        low: f64,
        /// Bound of the payoffs.
        #[serde(default = "one")]
        high: f64,
    },
    /// Independent integer payoffs, uniform in `low..=high`.
    Integer {
        /// Actions of each player.
        actions: Vec<usize>,
        /// Least payoff.
        low: i32,
        /// Largest payoff.
        high: i32,
    },
    /// Two players; the first one's payoffs uniform in `[low, high)`, the second one's their
    /// negatives.
    ZeroSum {
        /// Actions of the first player.
        rows: usize,
        /// Actions of the second player.
        columns: usize,
        /// Least payoff of the first player.
        #[serde(default = "minus_one")]
        low: f64,
        /// Bound of the first player's payoffs.
        #[serde(default = "one")]
        high: f64,
    },
    /// At each profile the players' payoffs are standard normal, with the same correlation between
    /// any two players: -1 (two players) is zero-sum, 1 is common interest.
    ///
    /// Source: the class `CovariantGame` of GAMUT (Nudelman, Wortman, Shoham, Leyton-Brown 2004).
    Covariant {
        /// Actions of each player.
        actions: Vec<usize>,
        /// Correlation, in `[-1/(players - 1), 1]`.
        correlation: f64,
    },
    /// An exact potential game: a common potential uniform in `[0, 1)`, plus for each player a
    /// term uniform in `[0, scale)` that own actions do not touch.
    ///
    /// Source: Monderer and Shapley, "Potential games", Games and Economic Behavior 14 (1996).
    Potential {
        /// Actions of each player.
        actions: Vec<usize>,
        /// Size of the terms that own actions do not touch.
        #[serde(default = "one")]
        scale: f64,
    },
    /// A congestion game: every player uses `uses` of the `resources` (actions are the subsets of
    /// that size, in lexicographic order) and pays each one's delay, which grows with its number
    /// of users by steps uniform in `[0, 1)`.
    ///
    /// Source: Rosenthal, "A class of games possessing pure-strategy Nash equilibria",
    /// International Journal of Game Theory 2 (1973).
    Congestion {
        /// Number of players.
        players: usize,
        /// Number of resources.
        resources: usize,
        /// Resources that a player uses.
        uses: usize,
    },
    /// Payoffs uniform in `[0, 1)`, but the share `tempting` of each player's actions (rounded, at
    /// least one) pays `bonus` more everywhere, except against one joint action of the others,
    /// drawn for each, where it pays `-loss`.
    ///
    /// A reconstruction: the RAE paper's generator of "matrix games with high-risk outcomes" could
    /// not be found.
    HighRisk {
        /// Actions of each player.
        actions: Vec<usize>,
        /// Payoff of the bad outcome, turned in sign.
        loss: f64,
        /// Share of tempting actions, in `[0, 1]`.
        #[serde(default = "fifth")]
        tempting: f64,
        /// What a tempting action pays more.
        #[serde(default = "half")]
        bonus: f64,
    },
}

fn one() -> f64 {
    1.0
}
fn minus_one() -> f64 {
    -1.0
}
fn fifth() -> f64 {
    0.2
}
fn half() -> f64 {
    0.5
}

impl Generator {
    /// The name of the family, as a scenario writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uniform { .. } => "Uniform",
            Self::Integer { .. } => "Integer",
            Self::ZeroSum { .. } => "ZeroSum",
            Self::Covariant { .. } => "Covariant",
            Self::Potential { .. } => "Potential",
            Self::Congestion { .. } => "Congestion",
            Self::HighRisk { .. } => "HighRisk",
        }
    }

    /// Game number `index` of the family; its numbers are drawn from `Purpose::Generate` with that
    /// lane, so any game can be made without the ones before it.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] if a parameter is out of range or the game would be too large.
    pub fn generate(&self, streams: Streams, index: u32) -> Result<NormalForm, GenerateError> {
        let mut rng = streams.at(Purpose::Generate, index, 0);
        let tensors = match self {
            Self::Uniform { actions, low, high } => {
                self.interval(*low, *high)?;
                self.independent(actions, || low + (high - low) * unit_f64(&mut rng))?
            }
            Self::Integer { actions, low, high } => {
                let span = i64::from(*high) - i64::from(*low) + 1;
                let Some(span) = u32::try_from(span).ok().filter(|&span| span > 0) else {
                    return Err(self.wrong("high", *high, "from low to low + 2^32 - 2"));
                };
                let mut draw = || f64::from(*low) + f64::from(below(&mut rng, span));
                self.independent(actions, &mut draw)?
            }
            Self::ZeroSum { rows, columns, low, high } => {
                self.interval(*low, *high)?;
                let draw = || low + (high - low) * unit_f64(&mut rng);
                let mut tensors = self.independent(&[*rows, *columns], draw)?;
                tensors[1] = tensors[0].mapv(|payoff| -payoff);
                tensors
            }
            Self::Covariant { actions, correlation } => {
                self.covariant(actions, *correlation, &mut rng)?
            }
            Self::Potential { actions, scale } => self.potential(actions, *scale, &mut rng)?,
            Self::Congestion { players, resources, uses } => {
                self.congestion(*players, *resources, *uses, &mut rng)?
            }
            Self::HighRisk { actions, loss, tempting, bonus } => {
                self.high_risk(actions, *loss, *tempting, *bonus, &mut rng)?
            }
        };
        let title = format!("{} {index} of seed {}", self.name(), streams.root());
        Ok(NormalForm::new(tensors)?.with_title(title))
    }

    fn wrong(
        &self,
        parameter: &'static str,
        value: impl ToString,
        range: &'static str,
    ) -> GenerateError {
        GenerateError::Parameter {
            generator: self.name(),
            parameter,
            value: value.to_string(),
            range,
        }
    }

    fn interval(&self, low: f64, high: f64) -> Result<(), GenerateError> {
        if low.is_finite() && high.is_finite() && low <= high {
            Ok(())
        } else {
            Err(self.wrong("high", high, "finite and not below a finite low"))
        }
    }

    /// Checks the size of a game and makes a tensor by profile.
    fn tensor(
        &self,
        actions: &[usize],
        entry: impl FnMut(&[usize]) -> f64,
    ) -> Result<ArrayD<f64>, GenerateError> {
        if actions.is_empty() || actions.contains(&0) {
            return Err(self.wrong(
                "actions",
                format!("{actions:?}"),
                "one positive number per player",
            ));
        }
        let cells = actions.iter().try_fold(actions.len(), |product, &n| product.checked_mul(n));
        if cells.is_none_or(|cells| cells > MAX_ENTRIES) {
            return Err(GenerateError::TooLarge { generator: self.name() });
        }
        let mut entry = entry;
        Ok(ArrayD::from_shape_fn(IxDyn(actions), |at| {
            entry(at.as_array_view().as_slice().unwrap_or_default())
        }))
    }

    /// One tensor after another, each entry by one draw.
    fn independent(
        &self,
        actions: &[usize],
        mut draw: impl FnMut() -> f64,
    ) -> Result<Vec<ArrayD<f64>>, GenerateError> {
        (0..actions.len().max(1)).map(|_| self.tensor(actions, |_| draw())).collect()
    }

    fn covariant(
        &self,
        actions: &[usize],
        correlation: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<ArrayD<f64>>, GenerateError> {
        let players = actions.len() as f64;
        let under_root = 1.0 + (players - 1.0) * correlation;
        if !(correlation <= 1.0 && under_root >= 0.0) {
            return Err(self.wrong("correlation", correlation, "in [-1/(players - 1), 1]"));
        }
        // own + shared * sum has unit variance and the correlation asked for.
        let own = (1.0 - correlation).sqrt();
        let shared = (under_root.sqrt() - own) / players;
        let mut tensors = self.independent(actions, || normal(rng))?;
        let sum = tensors.iter().skip(1).fold(tensors[0].clone(), |sum, tensor| sum + tensor);
        for tensor in &mut tensors {
            tensor.zip_mut_with(&sum, |payoff, sum| *payoff = own * *payoff + shared * sum);
        }
        Ok(tensors)
    }

    fn potential(
        &self,
        actions: &[usize],
        scale: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<ArrayD<f64>>, GenerateError> {
        if !(scale >= 0.0 && scale.is_finite()) {
            return Err(self.wrong("scale", scale, "finite and not negative"));
        }
        let potential = self.tensor(actions, |_| unit_f64(rng))?;
        (0..actions.len())
            .map(|player| {
                let mut others = actions.to_vec();
                others[player] = 1;
                let term = self.tensor(&others, |_| scale * unit_f64(rng))?;
                // The term has one entry along the own axis and is repeated there.
                let mut tensor = potential.clone();
                tensor += &term;
                Ok(tensor)
            })
            .collect()
    }

    fn congestion(
        &self,
        players: usize,
        resources: usize,
        uses: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<ArrayD<f64>>, GenerateError> {
        if players == 0 || players > 16 {
            return Err(self.wrong("players", players, "in 1..=16"));
        }
        if resources == 0 || resources > 16 {
            return Err(self.wrong("resources", resources, "in 1..=16"));
        }
        if uses == 0 || uses > resources {
            return Err(self.wrong("uses", uses, "in 1..=resources"));
        }
        let mut subsets: Vec<Vec<usize>> = (0_u32..1 << resources)
            .filter(|set| set.count_ones() as usize == uses)
            .map(|set| (0..resources).filter(|r| set & (1 << r) != 0).collect())
            .collect();
        subsets.sort();
        let delays: Vec<Vec<f64>> = (0..resources)
            .map(|_| {
                let mut delay = 0.0;
                (0..players)
                    .map(|_| {
                        delay += unit_f64(rng);
                        delay
                    })
                    .collect()
            })
            .collect();
        (0..players)
            .map(|player| {
                self.tensor(&vec![subsets.len(); players], |profile| {
                    let users = |resource: usize| {
                        profile.iter().filter(|&&a| subsets[a].contains(&resource)).count()
                    };
                    -subsets[profile[player]].iter().map(|&r| delays[r][users(r) - 1]).sum::<f64>()
                })
            })
            .collect()
    }

    fn high_risk(
        &self,
        actions: &[usize],
        loss: f64,
        tempting: f64,
        bonus: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<ArrayD<f64>>, GenerateError> {
        if !(loss.is_finite() && bonus.is_finite()) {
            return Err(self.wrong("loss", loss, "finite, and so must bonus be"));
        }
        if !(0.0..=1.0).contains(&tempting) {
            return Err(self.wrong("tempting", tempting, "in [0, 1]"));
        }
        let mut tensors = self.independent(actions, || unit_f64(rng))?;
        for (player, tensor) in tensors.iter_mut().enumerate() {
            let own = actions[player];
            let share = ((tempting * own as f64).round() as usize).clamp(1, own);
            // A partial Fisher-Yates shuffle draws them without repetition.
            let mut order: Vec<usize> = (0..own).collect();
            for place in 0..share {
                order.swap(place, place + below(rng, (own - place) as u32) as usize);
            }
            for &action in &order[..share] {
                let mut row = tensor.index_axis_mut(ndarray::Axis(player), action);
                row += bonus;
                let bad = below(rng, row.len() as u32) as usize;
                if let Some(payoff) = row.iter_mut().nth(bad) {
                    *payoff = -loss;
                }
            }
        }
        Ok(tensors)
    }
}

/// A standard normal number from two uniform ones (Box and Muller 1958, the cosine half).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - unit_f64(rng))).sqrt();
    radius * libm::cos(std::f64::consts::TAU * unit_f64(rng))
}
