//! Pure Nash equilibria by looking at every pure profile.

use ndarray::{ArrayD, Axis, Zip};
use serde::{Deserialize, Serialize};

use crate::game::NormalForm;
use crate::solution::{
    Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop, Takes,
};

/// Every pure Nash equilibrium, in row-major order of profiles; none is a possible answer.
///
/// A profile counts if no deviation gains anything at all: payoffs are compared to the bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pure {}

static INFO: SolverInfo = SolverInfo {
    name: "pure",
    about: "all pure Nash equilibria, by search over pure profiles",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[],
};

impl Solver for Pure {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(0.0)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        let mut stable = ArrayD::from_elem(game.shape(), true);
        for player in 0..game.players() {
            let payoffs = game.payoff_tensor(player);
            let best = payoffs.fold_axis(Axis(player), f64::NEG_INFINITY, |best, x| best.max(*x));
            let best = best.insert_axis(Axis(player));
            Zip::from(&mut stable)
                .and(payoffs)
                .and_broadcast(&best)
                .for_each(|stable, payoff, best| *stable &= payoff >= best);
        }
        let limit = if options.all { usize::MAX } else { 1 };
        let mut equilibria = Vec::new();
        for (profile, _) in stable.indexed_iter().filter(|(_, stable)| **stable).take(limit) {
            let actions: Vec<usize> = (0..game.players()).map(|player| profile[player]).collect();
            let profile = Profile::pure(game.shape(), &actions);
            equilibria.push(Solution::certify(game, profile, 0, Stop::Complete)?);
        }
        let iterations = game.profiles() as u64;
        Ok(Solutions { equilibria, iterations, stop: Stop::Complete })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{IxDyn, array};

    use super::*;

    #[test]
    fn chicken_has_two_and_matching_pennies_none() {
        let all = SolveOptions::default().all();
        let chicken = NormalForm::symmetric(array![[0.0, 4.0], [1.0, 3.0]].view()).unwrap();
        let found = Pure {}.solve(&chicken, &all).unwrap();
        let payoffs: Vec<_> = found.equilibria.iter().map(|s| s.payoffs.clone()).collect();
        assert_eq!(payoffs, [[4.0, 1.0], [1.0, 4.0]]);
        let pennies = NormalForm::zero_sum(array![[1.0, -1.0], [-1.0, 1.0]].view()).unwrap();
        assert!(Pure {}.solve(&pennies, &all).unwrap().equilibria.is_empty());
    }

    #[test]
    fn three_player_agreement() {
        // Everybody gets 1 if all agree, else 0: the two agreements, and no lone dissenter.
        let tensor = ArrayD::from_shape_fn(IxDyn(&[2, 2, 2]), |i| {
            f64::from(u8::from(i[0] == i[1] && i[1] == i[2]))
        });
        let game = NormalForm::new(vec![tensor.clone(), tensor.clone(), tensor]).unwrap();
        let found = Pure {}.solve(&game, &SolveOptions::default().all()).unwrap();
        assert_eq!(found.equilibria.len(), 2);
        assert!(found.equilibria.iter().all(|s| s.max_regret() == 0.0 && s.payoffs == [1.0; 3]));
        let first = Pure {}.solve(&game, &SolveOptions::default()).unwrap();
        assert_eq!(first.equilibria.len(), 1);
    }
}
