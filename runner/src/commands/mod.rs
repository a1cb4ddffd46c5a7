//! The command line: one file a command. Results go to the standard output, everything else to the error output.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gambol_agents::Device;

use crate::digest::LogError;
use crate::drivers::DriverError;
use crate::games::GameFileError;
use crate::plan::Plan;
use crate::record::RecordError;
use crate::scenario::edit::Setting;
use crate::scenario::{Scenario, ScenarioError};
use crate::sources::Sources;
use crate::{Registries, machine};

mod advantage;
mod bench;
mod check;
mod cross;
mod list;
mod replay;
mod run;
mod solve;
mod trace;
mod verify;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The input was wrong; exit code 2.
    Input(String),
    /// The run failed or was interrupted; exit code 1.
    Run(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) | Self::Run(message) => f.write_str(message),
        }
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<GameFileError> for Failure {
    fn from(error: GameFileError) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            // A directory that does not fit the command is chosen by the user.
            RecordError::Directory(_) => Self::Input(error.to_string()),
            _ => Self::Run(error.to_string()),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Run(error.to_string())
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        Self::Run(error.to_string())
    }
}

/// Where a tensor may live, as written.
#[derive(Clone, Debug)]
struct DeviceName {
    name: String,
    device: Device,
}

impl std::str::FromStr for DeviceName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let device = match name {
            "auto" => Device::Auto,
            "cpu" => Device::Cpu,
            _ => match name.strip_prefix("cuda:").and_then(|number| number.parse().ok()) {
                Some(number) => Device::Cuda(number),
                None => return Err("expected `auto`, `cpu` or `cuda:N`".to_owned()),
            },
        };
        Ok(Self { name: name.to_owned(), device })
    }
}

const HELP: &str = "\
Results go to the standard output (with --json as one JSON object), notes, progress and errors to the error output.
Exit code 0: done. 1: the run failed, was interrupted, or verify found a difference. 2: the input was wrong.

Examples:
  gambol list
  gambol check assets/scenarios/*.ron
  gambol run assets/scenarios/foraging-8x8-2p-2f-coop-random.ron --set run.episodes=1000
  gambol run runs/foraging-8x8-2p-2f-coop-random-1 --resume
  gambol verify runs/foraging-8x8-2p-2f-coop-random-1
  gambol replay runs/foraging-8x8-2p-2f-coop-random-1 --html replay.html";

#[derive(Debug, Parser)]
#[command(
    name = "gambol",
    version,
    about = "Multi-agent reinforcement learning and game theory",
    after_help = HELP
)]
struct Cli {
    /// Threads to work on; changes nothing but speed [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario and record it in a run directory
    Run(run::Run),
    /// Parse and validate scenarios, and print what they mean
    Check(check::Check),
    /// Play populations of several runs of PSRO against each other
    Cross(cross::Cross),
    /// List what scenarios may name
    List(list::List),
    /// Step one instance with given joint actions, one JSON object a step
    Trace(trace::Trace),
    /// Find equilibria of a game in normal form
    Solve(solve::Solve),
    /// Run a recorded run again and name the first step and field that differ
    Verify(verify::Verify),
    /// Show recorded episodes of a run, in the terminal or as one HTML file
    Replay(replay::ReplayRun),
    /// Measure environment steps a second under random actions
    Bench(bench::Bench),
    /// Estimate the advantages of logged rows
    Advantage(advantage::Advantage),
}

/// Changes to a scenario from the command line.
#[derive(Debug, Args)]
struct Changes {
    /// The run's seed instead of the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Another value at a path, such as env.sight=2 or run.evaluate.every=500; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<Setting>,
}

impl Changes {
    /// All changes in order; the seed last.
    fn settings(&self) -> Vec<Setting> {
        let seed =
            self.seed.map(|seed| Setting { path: "seed".to_owned(), value: seed.to_string() });
        self.set.iter().cloned().chain(seed).collect()
    }

    fn plan(
        &self,
        path: &std::path::Path,
        registries: &Registries,
        device: Device,
    ) -> Result<Plan, ScenarioError> {
        let sources = Sources::folder(path.parent().unwrap_or(path));
        Plan::new(Scenario::read(path, &self.settings(), registries)?, sources, device)
    }
}

/// Writes results; a reader that went away is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Run(format!("cannot write the results: {error}")))
        }
        _ => Ok(()),
    }
}

/// Tells the user something that is not a result.
fn note(text: &str) {
    // When nobody can read notes, there is nobody to tell so either.
    let _ = writeln!(io::stderr(), "{text}");
}

/// The whole program: reads the command line, works, and says how it went.
///
/// Exit code 0 when done, 1 when the run failed or was interrupted, 2 when the input was wrong.
pub fn main_with(registries: Registries) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results and go to the standard output.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match work(cli, &registries) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            note(&format!("error: {failure}"));
            ExitCode::from(match failure {
                Failure::Run(_) => 1,
                Failure::Input(_) => 2,
            })
        }
    }
}

fn work(cli: Cli, registries: &Registries) -> Result<(), Failure> {
    let threads = cli.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Failure::Run(format!("cannot start threads: {error}")))?;
    if matches!(cli.command, Command::Run(_)) {
        machine::handle_signals()
            .map_err(|error| Failure::Run(format!("cannot listen for Ctrl-C: {error}")))?;
    }
    pool.install(|| match cli.command {
        Command::Run(run) => run.work(registries),
        Command::Check(check) => check.work(registries),
        Command::Cross(cross) => cross.work(registries),
        Command::List(list) => list.work(registries),
        Command::Trace(trace) => trace.work(registries),
        Command::Solve(solve) => solve.work(),
        Command::Verify(verify) => verify.work(registries),
        Command::Replay(replay) => replay.work(registries),
        Command::Bench(bench) => bench.work(registries),
        Command::Advantage(advantage) => advantage.work(),
    })
}
