//! Gambol's runner: scenarios, plans, drivers, records and the command line.
//!
//! All reading and writing of files, all printing and all clocks are here; the libraries below know none of them.
//! A program of your own registers its environments and agents and hands over to the same command line:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     let mut registries = gambol_runner::Registries::standard();
//!     // registries.agents.register::<MyAgent>();
//!     gambol_runner::main_with(registries)
//! }
//! ```

// Saved parameters and digests are defined on little-endian bytes, which are taken from memory as they are.
#[cfg(target_endian = "big")]
compile_error!("Gambol's digests and checkpoints are defined for little-endian machines");

use gambol_agents::AgentFactory;
use gambol_envs::EnvFactory;
use gambol_envs::registry::Registry;

pub mod clock;
mod commands;
pub mod digest;
pub mod drivers;
mod fields;
pub mod games;
pub mod machine;
pub mod plan;
pub mod record;
mod replay;
pub mod scenario;
pub mod solvers;
pub mod sources;
mod suggest;
mod table;

pub use commands::{Failure, main_with};

/// Everything that a scenario may name.
#[derive(Clone)]
#[non_exhaustive]
pub struct Registries {
    /// Environments, for `env`.
    pub envs: Registry<dyn EnvFactory>,
    /// Agents, for `agent`.
    pub agents: Registry<dyn AgentFactory>,
}

impl Registries {
    /// What this build of Gambol brings along.
    pub fn standard() -> Self {
        Self { envs: gambol_envs::registry(), agents: gambol_agents::registry() }
    }
}
