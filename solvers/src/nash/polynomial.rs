//! Support enumeration for any number of players, with proof.

use ndarray::{ArrayD, ArrayViewD, Axis};
use serde::{Deserialize, Serialize};

use super::supports::{check_actions, members, of_size, sizes};
use crate::game::NormalForm;
use crate::linear::interval::Interval;
use crate::linear::isolate::{Effort, MultiAffine, System};
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// All isolated equilibria of a game with any number of players.
///
/// For every combination of supports (without those in which an action is strictly dominated given
/// the others' supports), the conditions that all supported actions pay the same are polynomials,
/// affine in each player's strategy.
/// Their roots in the simplices are isolated by subdivision with interval arithmetic: parts that
/// cannot hold an equilibrium are dropped, and Krawczyk's test proves that a part holds exactly
/// one root.
/// `Stop::Complete` therefore means that there are no other equilibria than those listed, up to
/// the tolerance by which an unplayed action may pay more.
///
/// A continuum of equilibria, or an equilibrium at which the Jacobian is singular, cannot be
/// isolated.
/// A combination of supports with one is given up once a few parts narrower than `least_width` stay
/// undecided, one equilibrium found near them is reported, and `stop` is `Stalled` to say that the
/// list need not be complete; it is `IterationLimit` if `max_boxes` was not enough.
///
/// The work for all equilibria grows quickly with the number of actions and players: 3 players with
/// 3 actions take hundredths of a second, with 4 actions seconds.
/// The first equilibrium usually has small supports and comes quickly in much larger games.
/// Equilibria come in the order of Porter, Nudelman and Shoham: small supports first (for two
/// players, balanced ones first).
///
/// Sources: support enumeration as Gambit's `enumpoly`; Porter, Nudelman and Shoham 2008 for the
/// order and the dominance test; McKelvey and McLennan 1996 for the equations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Polynomial {
    /// Regret, relative to the largest difference between payoffs of a player (where that exceeds
    /// 1), up to which a root is an equilibrium.
    pub tolerance: f64,
    /// Width, as a probability, below which an undecided part is not cut further.
    pub least_width: f64,
    /// Parts to look at for one combination of supports.
    pub max_boxes: u64,
    /// Combinations of supports to look at before giving up.
    pub max_supports: u64,
}

impl Default for Polynomial {
    fn default() -> Self {
        Self { tolerance: 1e-9, least_width: 1e-4, max_boxes: 200_000, max_supports: 1_000_000 }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "polynomial",
    about: "all isolated equilibria of any game, by supports and interval Newton methods, with proof",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[
        Parameter {
            name: "tolerance",
            about: "relative regret up to which a root is an equilibrium (default 1e-9)",
        },
        Parameter {
            name: "least_width",
            about: "width, in probability, of parts that are not cut further, in (0, 1) (default 1e-4)",
        },
        Parameter {
            name: "max_boxes",
            about: "parts to look at for one combination of supports (default 200000)",
        },
        Parameter {
            name: "max_supports",
            about: "combinations of supports to look at before giving up (default 1000000)",
        },
    ],
};

/// Roots on the boundary are found for every support around them.
const SAME: f64 = 1e-7;

/// How far below 0 a probability may be by rounding.
const DUST: f64 = 1e-9;

/// One combination of supports in a game.
struct Combination<'a> {
    game: &'a NormalForm,
    supports: &'a [Vec<usize>],
    /// Each player's payoffs over all own actions and the others' supports.
    restricted: Vec<ArrayD<f64>>,
}

impl<'a> Combination<'a> {
    fn new(game: &'a NormalForm, supports: &'a [Vec<usize>]) -> Self {
        let restrict = |player: usize| {
            let mut tensor = game.payoff_tensor(player).to_owned();
            for (other, support) in supports.iter().enumerate().filter(|&(q, _)| q != player) {
                tensor = tensor.select(Axis(other), support);
            }
            tensor
        };
        Self { game, supports, restricted: (0..game.players()).map(restrict).collect() }
    }

    fn payoffs(&self, player: usize, action: usize) -> ArrayViewD<'_, f64> {
        self.restricted[player].index_axis(Axis(player), action)
    }

    /// Whether a supported action is strictly dominated by another action.
    fn is_dominated(&self) -> bool {
        self.supports.iter().enumerate().any(|(player, support)| {
            support.iter().any(|&action| {
                let payoffs = self.payoffs(player, action);
                (0..self.game.shape()[player]).any(|other| {
                    payoffs.iter().zip(self.payoffs(player, other)).all(|(a, b)| a < b)
                })
            })
        })
    }

    /// What `action` pays more than the first one of the support.
    fn gain(&self, player: usize, action: usize) -> MultiAffine {
        let base = self.payoffs(player, self.supports[player][0]);
        let differences = self
            .payoffs(player, action)
            .iter()
            .zip(base)
            .map(|(&a, &b)| Interval::point(a) - Interval::point(b))
            .collect();
        let mut dims: Vec<usize> = self.supports.iter().map(Vec::len).collect();
        dims[player] = 1;
        MultiAffine::from_weighted(dims, differences)
    }

    fn gains(&self, player: usize, supported: bool) -> impl Iterator<Item = MultiAffine> {
        let support = &self.supports[player];
        (0..self.game.shape()[player])
            .filter(move |action| support.contains(action) == supported && *action != support[0])
            .map(move |action| self.gain(player, action))
    }

    fn unknowns(&self) -> Vec<usize> {
        self.supports.iter().map(|support| support.len() - 1).collect()
    }

    /// All conditions on all strategies.
    fn system(&self) -> System {
        let players = 0..self.game.players();
        System {
            equations: players.clone().flat_map(|player| self.gains(player, true)).collect(),
            more_equations: Vec::new(),
            never_positive: players.flat_map(|player| self.gains(player, false)).collect(),
            groups: self.unknowns(),
        }
    }

    /// If some player mixes over so many actions that the others' strategies cannot make all of
    /// them pay the same, but for a coincidence: that player's conditions alone.
    fn too_many_conditions(&self) -> Option<System> {
        let unknowns = self.unknowns();
        let total: usize = unknowns.iter().sum();
        let player = (0..unknowns.len()).find(|&player| 2 * unknowns[player] > total)?;
        let mut equations: Vec<MultiAffine> = self.gains(player, true).collect();
        let more_equations = equations.split_off(total - unknowns[player]);
        let mut groups = unknowns;
        groups[player] = 0;
        let never_positive = self.gains(player, false).collect();
        Some(System { equations, more_equations, never_positive, groups })
    }

    /// The profile of the game with these probabilities of all but the first supported actions;
    /// none if they are no strategies.
    fn profile(&self, root: &[Vec<f64>]) -> Option<Profile> {
        let mut strategies = Vec::with_capacity(root.len());
        for ((support, shares), &actions) in self.supports.iter().zip(root).zip(self.game.shape()) {
            let first = 1.0 - shares.iter().sum::<f64>();
            let mut strategy = vec![0.0; actions];
            for (&action, share) in support.iter().zip([&[first], shares.as_slice()].concat()) {
                if share < -DUST {
                    return None;
                }
                strategy[action] = share.max(0.0);
            }
            strategies.push(strategy);
        }
        Some(Profile::new(strategies).normalised())
    }
}

/// The search over one game, and what it has found.
struct Search<'a> {
    game: &'a NormalForm,
    effort: Effort,
    /// Regret that an equilibrium may have.
    bound: f64,
    equilibria: Vec<Solution>,
    boxes: u64,
    /// Least decisive end of a part of the search.
    stop: Stop,
}

impl Search<'_> {
    fn examine(&mut self, supports: &[Vec<usize>]) -> Result<(), SolveError> {
        let combination = Combination::new(self.game, supports);
        if combination.is_dominated() {
            return Ok(());
        }
        if let Some(system) = combination.too_many_conditions() {
            let found = system.isolate(self.effort);
            self.boxes += found.boxes;
            if found.roots.is_empty() && found.doubtful.is_empty() && !found.cut_short {
                return Ok(());
            }
        }
        let system = combination.system();
        let found = system.isolate(self.effort);
        self.boxes += found.boxes;
        for root in &found.roots {
            self.keep(combination.profile(root))?;
        }
        for place in &found.doubtful {
            let root = system.nearby(place);
            if self.keep(root.and_then(|root| combination.profile(&root)))? {
                break;
            }
        }
        if found.doubtful.is_empty() && found.cut_short {
            self.stop = Stop::IterationLimit;
        } else if !found.doubtful.is_empty() && self.stop == Stop::Complete {
            self.stop = Stop::Stalled;
        }
        Ok(())
    }

    /// Keeps an equilibrium that is new; whether it is an equilibrium.
    fn keep(&mut self, profile: Option<Profile>) -> Result<bool, SolveError> {
        let Some(profile) = profile else { return Ok(false) };
        if self.game.regret(&profile).iter().any(|&regret| regret > self.bound) {
            return Ok(false);
        }
        if !self.equilibria.iter().any(|known| known.profile.distance(&profile) < SAME) {
            let solution = Solution::certify(self.game, profile, self.boxes, Stop::Complete)?;
            self.equilibria.push(solution);
        }
        Ok(true)
    }
}

impl Polynomial {
    fn check_parameters(&self) -> Result<(), SolveError> {
        let positive = f64::MIN_POSITIVE..f64::INFINITY;
        INFO.within("tolerance", self.tolerance, positive, "positive and finite")?;
        INFO.within("least_width", self.least_width, f64::MIN_POSITIVE..1.0, "in (0, 1)")
    }
}

impl Solver for Polynomial {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        self.check_parameters()?;
        check_actions(INFO.name, game)?;
        let mut search = Search {
            game,
            effort: Effort { least_width: self.least_width, most_boxes: self.max_boxes },
            bound: self.tolerance * game.spread().max(1.0),
            equilibria: Vec::new(),
            boxes: 0,
            stop: Stop::Complete,
        };
        let mut looked_at = 0;
        for size in sizes(game.shape()) {
            let sets: Vec<Vec<Vec<usize>>> = game
                .shape()
                .iter()
                .zip(&size)
                .map(|(&n, &size)| of_size(n, size).map(|set| members(set).collect()).collect())
                .collect();
            // An odometer over one set per player, the last one fastest.
            let mut at = vec![0; sets.len()];
            loop {
                looked_at += 1;
                if looked_at > self.max_supports {
                    return Err(SolveError::TooLarge {
                        solver: INFO.name,
                        what: "combinations of supports",
                        size: looked_at,
                        limit: self.max_supports,
                    });
                }
                let supports: Vec<Vec<usize>> =
                    sets.iter().zip(&at).map(|(sets, &at)| sets[at].clone()).collect();
                search.examine(&supports)?;
                if !options.all && !search.equilibria.is_empty() {
                    search.equilibria.truncate(1);
                    let (equilibria, iterations) = (search.equilibria, search.boxes);
                    return Ok(Solutions { equilibria, iterations, stop: Stop::Complete });
                }
                let Some(player) = (0..at.len()).rev().find(|&p| at[p] + 1 < sets[p].len()) else {
                    break;
                };
                at[player] += 1;
                at[player + 1..].fill(0);
            }
        }
        let Search { equilibria, boxes, stop, .. } = search;
        Ok(Solutions { equilibria, iterations: boxes, stop })
    }
}
