//! The conditions of an RAE on given supports, as polynomials whose roots can be isolated.
//!
//! With `alpha` for a player's expected payoff the gradient of the objective is
//! `sum_k w_k M[a,k] (1 + 2 gamma alpha - 2 gamma sum_b x_b M[b,k])`, which is affine in every
//! player's mix and in `alpha`; and `alpha = sum_b sum_k x_b w_k M[b,k]` is one more such equation.
//! Both tremble models are affine maps of the mixes.

use ndarray::{ArrayD, Axis, IxDyn};

use super::{RiskAversion, Tremble, Views};
use crate::linear::interval::Interval;
use crate::linear::isolate::{Effort, MultiAffine, System};

/// Weights of states that [`Conditions::impossible`] looks at, at most; its work doubles with each.
const MOST_STATES: usize = 8;

/// The polynomials of one game and one attitude to risk.
pub(super) struct Conditions<'a> {
    views: &'a Views,
    risk: &'a RiskAversion,
    /// Least and largest payoff of each player.
    ranges: Vec<[f64; 2]>,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(views: &'a Views, risk: &'a RiskAversion) -> Self {
        let range = |player: usize| {
            views
                .payoffs(player)
                .iter()
                .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &u| {
                    [low.min(u), high.max(u)]
                })
        };
        Self { views, risk, ranges: (0..views.players()).map(range).collect() }
    }

    /// The conditions on these supports: one group of unknowns per player for the mix above the
    /// floor, then one per risk-averse player for its expected payoff as a share of its range.
    ///
    /// If `symmetric`, mixes that differ between players are ruled out.
    pub(super) fn system(&self, supports: &[Vec<usize>], symmetric: bool) -> System {
        let mut system = System {
            equations: Vec::new(),
            more_equations: Vec::new(),
            never_positive: Vec::new(),
            groups: supports.iter().map(|support| support.len() - 1).collect(),
        };
        for (player, support) in supports.iter().enumerate() {
            for action in 0..self.views.sizes()[player] {
                if action == support[0] {
                    continue;
                }
                let gain = self.gain(player, action, supports);
                if support.contains(&action) {
                    system.equations.push(gain);
                } else {
                    system.never_positive.push(gain);
                }
            }
        }
        for player in 0..supports.len() {
            let averse = self.averse(player);
            system.groups.push(usize::from(averse));
            if averse {
                let alpha = self.ranges[player];
                system.equations.push(self.polynomial(player, supports, |own, _| {
                    alpha.map(|alpha| own - Interval::point(alpha))
                }));
            }
        }
        if symmetric {
            for player in 1..supports.len() {
                for share in 1..supports[0].len() {
                    let mut dims = vec![1; system.groups.len()];
                    (dims[0], dims[player]) = (supports[0].len(), supports[0].len());
                    let at = |place: usize| {
                        let (first, other) = (place / dims[player], place % dims[player]);
                        let one = |held: bool| f64::from(u8::from(held));
                        Interval::point(one(first == share) - one(other == share))
                    };
                    let entries = (0..dims[0] * dims[player]).map(at).collect();
                    system.more_equations.push(MultiAffine::from_weighted(dims, entries));
                }
            }
        }
        system
    }

    /// Whether some player mixes over so many actions that no weights of the others' joint actions
    /// could make all of them worth the same.
    ///
    /// The gradient is what actions pay under weights `w' = w (1 - 2 gamma (g - gbar))` that sum to
    /// one, so without trembles `m` actions ask `m - 1` linear equations of them; if there are
    /// fewer weights than that, only a coincidence satisfies them all.
    pub(super) fn impossible(&self, supports: &[Vec<usize>], effort: Effort) -> bool {
        if self.risk.tremble != Tremble::None {
            return false;
        }
        (0..supports.len()).any(|player| {
            let states: usize =
                supports.iter().map(Vec::len).product::<usize>() / supports[player].len();
            if supports[player].len() <= states || !(2..=MOST_STATES).contains(&states) {
                return false;
            }
            let [low, high] = self.ranges[player];
            let bound = 1.0 + 2.0 * self.risk.gamma[player] * (high - low);
            let reach = Interval::new(-bound, bound);
            let [first, rest @ ..] = supports[player].as_slice() else { return false };
            let mut equations: Vec<MultiAffine> = rest
                .iter()
                .map(|&action| {
                    let gains: Vec<Interval> = self.states(player, supports, |payoffs, state| {
                        Interval::point(payoffs[[action, state]])
                            - Interval::point(payoffs[[*first, state]])
                    });
                    // Weight `k` is `bound (2 t_k - 1)`, and the first takes up the rest.
                    let vertex = |at: usize| {
                        (1..states).fold(gains[0], |sum, k| {
                            let weight = if at >> (states - 1 - k) & 1 == 1 {
                                reach.high
                            } else {
                                reach.low
                            };
                            sum + Interval::point(weight) * (gains[k] - gains[0])
                        })
                    };
                    let entries = (0..1 << (states - 1)).map(vertex).collect();
                    MultiAffine::from_weighted(vec![2; states - 1], entries)
                })
                .collect();
            let more_equations = equations.split_off(states - 1);
            let groups = vec![1; states - 1];
            let system = System { equations, more_equations, never_positive: vec![], groups };
            let found = system.isolate(effort);
            found.roots.is_empty() && found.doubtful.is_empty() && !found.cut_short
        })
    }

    /// Whether the player's expected payoff is an unknown.
    fn averse(&self, player: usize) -> bool {
        let [low, high] = self.ranges[player];
        self.risk.gamma[player] > 0.0 && high > low
    }

    /// What the gradient at `action` is more than at the first action of the support.
    ///
    /// The weights `w (1 + 2 gamma (alpha - g))` sum to one where `alpha` is the expected payoff, so
    /// the middle of the payoffs' differences may stand outside them, which makes the polynomial
    /// vary less over a box.
    fn gain(&self, player: usize, action: usize, supports: &[Vec<usize>]) -> MultiAffine {
        let first = supports[player][0];
        let payoffs = self.views.payoffs(player);
        let more = |state: usize| payoffs[[action, state]] - payoffs[[first, state]];
        let seen: Vec<f64> = if self.risk.tremble == Tremble::None {
            self.states(player, supports, |_, state| more(state))
        } else {
            (0..payoffs.ncols()).map(more).collect()
        };
        let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
        let most = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let middle = Interval::point(0.5 * (least + most));
        let twice = Interval::point(2.0) * Interval::point(self.risk.gamma[player]);
        self.polynomial(player, supports, |own, state| {
            let more = Interval::point(payoffs[[action, state]])
                - Interval::point(payoffs[[first, state]]);
            self.ranges[player].map(|alpha| {
                middle
                    + (more - middle)
                        * (Interval::point(1.0) + twice * (Interval::point(alpha) - own))
            })
        })
    }

    /// The polynomial that takes the value `entry(own payoff, state)` where all play one action,
    /// for the least and for the largest `alpha`.
    fn polynomial(
        &self,
        player: usize,
        supports: &[Vec<usize>],
        entry: impl Fn(Interval, usize) -> [Interval; 2],
    ) -> MultiAffine {
        let payoffs = self.views.payoffs(player);
        let averse = self.averse(player);
        let mut ends = Vec::new();
        for end in 0..=usize::from(averse) {
            // Axes: own action, then the others' in their order.
            let mut shape = vec![self.views.sizes()[player]];
            shape.extend(self.others(player).map(|other| self.views.sizes()[other]));
            let states = payoffs.ncols();
            let entries: Vec<Interval> = (0..payoffs.len())
                .map(|at| {
                    let state = at % states;
                    entry(Interval::point(payoffs[[at / states, state]]), state)[end]
                })
                .collect();
            let Ok(mut tensor) = ArrayD::from_shape_vec(IxDyn(&shape), entries) else {
                unreachable!("the shape is that of the payoffs")
            };
            for (axis, who) in std::iter::once(player).chain(self.others(player)).enumerate() {
                tensor = self.seen(tensor, axis, axis == 0).select(Axis(axis), &supports[who]);
            }
            // The own axis to its place among the players.
            let mut order: Vec<usize> = (1..shape.len()).collect();
            order.insert(player, 0);
            ends.push(tensor.permuted_axes(order).iter().copied().collect::<Vec<_>>());
        }
        let mut dims: Vec<usize> = supports.iter().map(Vec::len).collect();
        dims.extend((0..supports.len()).map(|other| 1 + usize::from(other == player && averse)));
        let entries = (0..ends[0].len()).flat_map(|at| ends.iter().map(move |end| end[at]));
        MultiAffine::from_weighted(dims, entries.collect())
    }

    /// A tensor over an axis of actions as one over vertices of the mixes that the tremble model
    /// makes of them.
    fn seen(&self, tensor: ArrayD<Interval>, axis: usize, own: bool) -> ArrayD<Interval> {
        let least = match self.risk.tremble {
            Tremble::Floor(least) => least,
            Tremble::Opponent(least) if !own => least,
            Tremble::None | Tremble::Opponent(_) => return tensor,
        };
        let actions = Interval::point(tensor.len_of(Axis(axis)) as f64);
        let kept = Interval::point(1.0) - Interval::point(least) * actions;
        let sum = tensor.fold_axis(Axis(axis), Interval::ZERO, |sum, &entry| *sum + entry);
        let mut seen = tensor;
        for mut lane in seen.axis_iter_mut(Axis(axis)) {
            lane.zip_mut_with(&sum, |entry, &sum| {
                *entry = kept * *entry + Interval::point(least) * sum;
            });
        }
        seen
    }

    fn others(&self, player: usize) -> impl Iterator<Item = usize> {
        (0..self.views.players()).filter(move |&other| other != player)
    }

    /// A value for each joint action of the others' supports.
    fn states<T>(
        &self,
        player: usize,
        supports: &[Vec<usize>],
        value: impl Fn(&ndarray::Array2<f64>, usize) -> T,
    ) -> Vec<T> {
        let mut states = vec![0];
        for other in self.others(player) {
            let actions = self.views.sizes()[other];
            states = states
                .into_iter()
                .flat_map(|head| supports[other].iter().map(move |&a| head * actions + a))
                .collect();
        }
        states.into_iter().map(|state| value(self.views.payoffs(player), state)).collect()
    }
}
