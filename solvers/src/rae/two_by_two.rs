//! All Risk-Averse Equilibria of a game of two players with two actions each.
//!
//! Each player's condition is linear in the own share and quadratic in the opponent's, so an
//! interior equilibrium is a root of a polynomial of degree five, all of whose roots can be found.

use super::roots::Polynomial;
use super::{RiskAversion, Tremble, Views};

/// One player's condition: the slope of the objective in the own share `x` of the first action,
/// `G(x, s) = s D + e - 2 gamma s (1 - s) D (x D + f)`,
/// at the opponent's share `s` as it is seen.
#[derive(Clone, Copy)]
struct Side {
    gamma: f64,
    /// `a - b - c + d` for own payoffs `[[a, b], [c, d]]`.
    interaction: f64,
    /// `b - d`.
    edge: f64,
    /// `c - d`.
    base: f64,
}

impl Side {
    fn new(gamma: f64, views: &Views, player: usize) -> Self {
        let own = views.payoffs(player);
        let (a, b, c, d) = (own[[0, 0]], own[[0, 1]], own[[1, 0]], own[[1, 1]]);
        Self { gamma, interaction: a - b - c + d, edge: b - d, base: c - d }
    }

    /// Terms of `G` as polynomials in the opponent's share: without and with the factor `x`.
    fn terms(&self, seen: &Polynomial) -> (Polynomial, Polynomial) {
        let one = Polynomial::new([1.0]);
        let spread = seen * &(&one - seen);
        let risk = 2.0 * self.gamma * self.interaction;
        let linear = &(seen * self.interaction) + &Polynomial::new([self.edge]);
        (&linear - &(&spread * (risk * self.base)), &spread * (-risk * self.interaction))
    }

    /// The own shares in `[low, high]` at which the slope vanishes for the opponent's share `s`.
    fn level(&self, seen: f64, low: f64, high: f64) -> Option<f64> {
        let (free, factor) = self.terms(&Polynomial::new([seen]));
        let share = -free.at(0.0) / factor.at(0.0);
        (share > low && share < high).then_some(share)
    }
}

/// Candidate pairs of shares of the first actions; every equilibrium is among them except inside
/// the continua of degenerate games, of which ends and isolated points are.
pub(super) fn candidates(views: &Views, risk: &RiskAversion) -> Vec<[f64; 2]> {
    let floor = risk.tremble.floor();
    let (low, high) = (floor, 1.0 - floor);
    // A share as the opponent sees it: `start + factor share`.
    let (start, factor) = match risk.tremble {
        Tremble::Opponent(least) => (least, 1.0 - 2.0 * least),
        Tremble::None | Tremble::Floor(_) => (0.0, 1.0),
    };
    let seen_of = |share: f64| start + factor * share;
    let seen = Polynomial::new([start, factor]);
    let sides = [0, 1].map(|player| Side::new(risk.gamma[player], views, player));

    let mut found = Vec::new();
    for x in [low, high] {
        for y in [low, high] {
            found.push([x, y]);
        }
        // One player at an end, the other where its slope vanishes.
        found.extend(sides[1].level(seen_of(x), low, high).map(|y| [x, y]));
        found.extend(sides[0].level(seen_of(x), low, high).map(|y| [y, x]));
    }

    // Both inside: the first side solved for its own share, put into the second side.
    let solved = sides.iter().position(|side| (side.gamma * side.interaction).abs() > 0.0);
    if let Some(player) = solved {
        let (inner, outer) = (sides[player], sides[1 - player]);
        // inner: x = top / bottom as polynomials in the other's share y.
        let (free, slope) = inner.terms(&seen);
        let (top, bottom) = (&free * -1.0, slope);
        // As the other sees it: top' / bottom.
        let seen_top = &(&bottom * start) + &(&top * factor);
        let spread = &seen_top * &(&bottom - &seen_top);
        let square = &bottom * &bottom;
        let own = Polynomial::new([outer.base, outer.interaction]);
        let plain = &(&(&seen_top * &bottom) * outer.interaction) + &(&square * outer.edge);
        let penalty = &(&spread * &own) * (2.0 * outer.gamma * outer.interaction);
        for y in (&plain - &penalty).roots(low, high) {
            let x = top.at(y) / bottom.at(y);
            if x >= low && x <= high {
                found.push(if player == 0 { [x, y] } else { [y, x] });
            }
        }
    } else {
        // Without risk both conditions are lines: the mixed Nash equilibrium.
        let cross = |side: &Side| (-side.edge / side.interaction - start) / factor;
        let (x, y) = (cross(&sides[1]), cross(&sides[0]));
        if x >= low && x <= high && y >= low && y <= high {
            found.push([x, y]);
        }
    }
    found
}
