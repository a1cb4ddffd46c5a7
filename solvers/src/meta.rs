//! Meta-solvers that look at nothing but how many strategies there are.

use serde::{Deserialize, Serialize};

use crate::game::NormalForm;
use crate::solution::{
    Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop, Takes,
};

/// Every action equally often: as the meta-solver of PSRO, fictitious play.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uniform {}

/// The last action alone: as the meta-solver of PSRO, where the last strategy is the newest,
/// iterated best response (self-play if it is learned).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Last {}

static UNIFORM: SolverInfo = SolverInfo {
    name: "uniform",
    about: "even mixing; PSRO with it is fictitious play; no equilibrium",
    takes: Takes::AnyGame,
    enumerates: false,
    parameters: &[],
};

static LAST: SolverInfo = SolverInfo {
    name: "last",
    about: "the last action alone; PSRO with it is iterated best response; no equilibrium",
    takes: Takes::AnyGame,
    enumerates: false,
    parameters: &[],
};

impl Solver for Uniform {
    fn info(&self) -> &'static SolverInfo {
        &UNIFORM
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        let profile = Profile::uniform(game.shape());
        Ok(Solutions::one(Solution::certify(game, profile, 0, Stop::Complete)?))
    }
}

impl Solver for Last {
    fn info(&self) -> &'static SolverInfo {
        &LAST
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        let last: Vec<usize> = game.shape().iter().map(|&actions| actions - 1).collect();
        let profile = Profile::pure(game.shape(), &last);
        Ok(Solutions::one(Solution::certify(game, profile, 0, Stop::Complete)?))
    }
}
