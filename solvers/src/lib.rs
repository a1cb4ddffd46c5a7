//! Gambol's ground floor: descriptions of games, equilibria, the Risk-Averse Equilibrium, and the
//! addressed randomness that every layer draws from.
//!
//! Mathematics only: nothing here touches files, clocks, tensors or an ECS.

pub mod alpha_rank;
pub mod correlated;
pub mod game;
mod linear;
pub mod meta;
pub mod nash;
pub mod play;
pub mod psro;
pub mod rae;
mod registry;
pub mod response_graph;
pub mod seed;
pub mod solution;
pub mod tree;

registry::registry! {
    /// Every solver that a command line or a scenario may name, with its parameters.
    ///
    /// A new solver is one file and one line here.
    SolverConfig {
        /// All pure Nash equilibria.
        Pure => nash::pure::Pure,
        /// Risk-Averse Equilibria.
        Rae => rae::Rae,
        /// All extreme equilibria, exactly.
        Extreme => nash::extreme::Extreme,
        /// Two players: every pair of supports.
        SupportEnumeration => nash::support_enumeration::SupportEnumeration,
        /// Any number of players: every combination of supports, with interval proofs.
        Polynomial => nash::polynomial::Polynomial,
        /// Complementary pivoting.
        LemkeHowson => nash::lemke_howson::LemkeHowson,
        /// Logit quantal response, to a given precision or to the limit.
        Logit => nash::logit::Logit,
        /// Linear programming, for constant-sum games.
        LinearProgram => nash::linear_program::LinearProgram,
        /// Anchored first-order method, for large constant-sum games.
        Halpern => nash::halpern::Halpern,
        /// The same with variance-reduced steps.
        VarianceReducedHalpern => nash::halpern_reduced::VarianceReducedHalpern,
        /// Correlated equilibria.
        Correlated => correlated::Correlated,
        /// Coarse correlated equilibria.
        CoarseCorrelated => correlated::CoarseCorrelated,
        /// Shares of time under evolution.
        AlphaRank => alpha_rank::AlphaRank,
        /// Regret matching.
        RegretMatching => nash::dynamics::regret_matching::RegretMatching,
        /// Regret matching plus.
        RegretMatchingPlus => nash::dynamics::regret_matching::RegretMatchingPlus,
        /// Fictitious play.
        FictitiousPlay => nash::dynamics::fictitious_play::FictitiousPlay,
        /// Fictitious play with logit responses.
        SmoothFictitiousPlay => nash::dynamics::smooth_fictitious_play::SmoothFictitiousPlay,
        /// Replicator dynamics.
        Replicator => nash::dynamics::replicator::Replicator,
        /// Projected replicator dynamics.
        ProjectedReplicator => nash::dynamics::projected_replicator::ProjectedReplicator,
        /// Even mixing.
        Uniform => meta::Uniform,
        /// The last action.
        Last => meta::Last,
    }
}
