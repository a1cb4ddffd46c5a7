//! `gambol bench`: environment steps a second under uniformly random actions.
//!
//! What is measured is everything that training would pay for: drawing the actions, stepping, rewards, ends,
//! observations, masks and auto-reset. Threads work on batches of their own.
//! The reference program counts processor time, so the ratio to it does too; everything else is by the wall clock.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use gambol_agents::Device;
use gambol_agents::policy::ActionBuffer;
use gambol_envs::batch::Buffers;
use gambol_envs::seed::{Purpose, unit_f64};
use gambol_envs::spec::ActionSpace;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Failure, note, print};
use crate::Registries;
use crate::clock::{self, Stopwatch};
use crate::plan::{Arena, Plan};
use crate::scenario::Scenario;
use crate::sources::Sources;

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Task names such as Foraging-8x8-2p-2f-coop-v3, environments as in a scenario, or scenario files
    #[arg(
        value_name = "ENV",
        default_values = ["Foraging-8x8-2p-2f-coop-v3", "Foraging-15x15-4p-5f-v3"]
    )]
    envs: Vec<String>,
    /// Instances in all
    #[arg(long, alias = "envs", value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=0x0010_0000))]
    instances: u32,
    /// Instances in one ECS world
    #[arg(long, value_name = "N", default_value_t = gambol_envs::SHARD)]
    shard: usize,
    /// Seconds for each environment, over all repeats
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
    /// Repeats; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// A C program of the same game (for foraging: built with -DR, -DP, -DF, -DCOOP), measured in turn
    #[arg(long, value_name = "FILE.c")]
    reference: Option<PathBuf>,
    /// Write the global state as well, which only centralised learners need
    #[arg(long)]
    state: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// An environment as written on the command line.
fn arena(
    text: &str,
    instances: u32,
    shard: usize,
    registries: &Registries,
) -> Result<Arena, Failure> {
    let scenario = if Path::new(text).extension().is_some_and(|ending| ending == "ron") {
        Scenario::read(Path::new(text), &[], registries)?
    } else {
        // A task's name begins with its environment's; anything else is written as in a scenario.
        let (family, task) = text.split_once('-').unwrap_or((text, ""));
        let env = if !task.is_empty() && family.chars().all(char::is_alphanumeric) {
            format!("{family}(task: {text:?})")
        } else {
            text.to_owned()
        };
        Scenario::parse(
            Path::new("<command line>"),
            &format!("(version: 1, seed: 1, env: {env})"),
            &[],
            registries,
        )?
    };
    // On the command line paths start from the working directory.
    let sources = Sources::folder(scenario.path.parent().unwrap_or(Path::new("")));
    let plan = Plan::new(scenario, sources, Device::Cpu)?;
    let Some(arena) = plan.arena else {
        return Err(Failure::Input(format!("{text}: it names no `env`")));
    };
    Ok(Arena { envs: instances, shard: shard.max(1), ..arena })
}

/// Draws uniform joint actions.
struct Dice {
    rng: ChaCha8Rng,
    bytes: Vec<u8>,
}

impl Dice {
    /// Discrete actions take sixteen bits each; a bias of one part in ten thousand is no matter here.
    fn draw(&mut self, space: &ActionSpace, actions: &mut ActionBuffer) {
        match (actions, space) {
            (ActionBuffer::Discrete(actions), space) => {
                let count = space.actions().unwrap_or(1) as u32;
                self.bytes.resize(2 * actions.len(), 0);
                self.rng.fill_bytes(&mut self.bytes);
                for (action, bytes) in actions.iter_mut().zip(self.bytes.as_chunks().0) {
                    *action = ((u32::from(u16::from_le_bytes(*bytes)) * count) >> 16) as u16;
                }
            }
            (ActionBuffer::Continuous(actions), ActionSpace::Box { low, high }) => {
                for action in actions.chunks_exact_mut(low.len()) {
                    for ((value, low), high) in action.iter_mut().zip(low).zip(high) {
                        *value = low + (high - low) * unit_f64(&mut self.rng) as f32;
                    }
                }
            }
            _ => {}
        }
    }
}

/// Environment steps a second, by the wall clock and by processor time.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    wall: f64,
    processor: f64,
}

/// The rate of one thread's lanes.
fn measure(
    arena: &Arena,
    lanes: std::ops::Range<u32>,
    state: bool,
    seconds: f64,
) -> Result<Rate, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Run(format!("environment: {error}"));
    let envs = lanes.len();
    let rng = arena.streams.at(Purpose::Explore, lanes.start, 0);
    let mut dice = Dice { rng, bytes: Vec::new() };
    let mut env =
        arena.env.build(lanes, arena.shard, arena.streams).map_err(|error| failed(&error))?;
    let mut buffers = Buffers::new(&arena.spec, envs);
    if !state {
        (buffers.state, buffers.last_state) = (Vec::new(), Vec::new());
    }
    let mut actions = ActionBuffer::new(&arena.spec, envs);
    env.reset(0, buffers.outbox()).map_err(|error| failed(&error))?;
    let mut run = |batch_steps: u64| -> Result<(), Failure> {
        for _ in 0..batch_steps {
            dice.draw(&arena.spec.action, &mut actions);
            env.step(actions.as_actions(), buffers.outbox()).map_err(|error| failed(&error))?;
        }
        Ok(())
    };
    // About as many steps between two looks at the clock as the reference makes; the first are warm-up.
    let chunk = (1 << 16) / envs as u64 + 1;
    run(chunk)?;
    let (watch, busy, mut steps) = (Stopwatch::start(), clock::thread_seconds(), 0);
    while watch.seconds() < seconds {
        run(chunk)?;
        steps += chunk;
    }
    let (wall, env_steps) = (watch.seconds(), (steps * envs as u64) as f64);
    let processor = match (busy, clock::thread_seconds()) {
        (Some(from), Some(to)) => to - from,
        _ => wall,
    };
    Ok(Rate { wall: env_steps / wall, processor: env_steps / processor })
}

/// All threads at once, each with a pool of one so that shards inside a batch stay on their thread.
fn measure_all(arena: &Arena, threads: u32, state: bool, seconds: f64) -> Result<Rate, Failure> {
    let each = arena.envs.div_ceil(threads);
    let parts: Vec<_> = (0..arena.envs)
        .step_by(each as usize)
        .map(|first| first..(first + each).min(arena.envs))
        .collect();
    std::thread::scope(|scope| {
        let workers: Vec<_> = parts
            .into_iter()
            .map(|lanes| {
                scope.spawn(move || {
                    let pool = rayon::ThreadPoolBuilder::new()
                        .num_threads(1)
                        .build()
                        .map_err(|error| Failure::Run(format!("cannot start threads: {error}")))?;
                    pool.install(|| measure(arena, lanes, state, seconds))
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker.join().unwrap_or_else(|_| Err(Failure::Run("a thread panicked".to_owned())))
            })
            .try_fold(Rate::default(), |sum, rate| {
                let rate: Rate = rate?;
                Ok(Rate { wall: sum.wall + rate.wall, processor: sum.processor + rate.processor })
            })
    })
}

/// The reference for one foraging task, built in a folder of its own.
struct Reference {
    binary: PathBuf,
    folder: PathBuf,
}

impl Reference {
    fn build(source: &Path, arena: &Arena) -> Result<Self, Failure> {
        let failed = |why: String| Failure::Run(format!("reference: {why}"));
        let task: gambol_envs::foraging::Task = arena.spec.name.parse().map_err(|_| {
            Failure::Input(format!("the reference plays foraging, not {}", arena.spec.name))
        })?;
        if task.size.0 != task.size.1 || task.sight.is_some() {
            return Err(Failure::Input(format!(
                "the reference plays square boards with full sight, not {}",
                arena.spec.name
            )));
        }
        let folder = std::env::temp_dir().join(format!("gambol-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| failed(error.to_string()))?;
        let binary = folder.join("reference");
        let output = Command::new("gcc")
            .args(["-O3", "-march=native"])
            .arg(format!("-DR={}", task.size.0))
            .arg(format!("-DP={}", task.players))
            .arg(format!("-DF={}", task.foods))
            .arg(format!("-DCOOP={}", u8::from(task.coop)))
            .arg(source)
            .arg("-o")
            .arg(&binary)
            .output()
            .map_err(|error| failed(format!("gcc: {error}")))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(Self { binary, folder })
    }

    /// One repeat: the number before `env-steps/s`.
    fn measure(&self, batch: u32, seconds: f64) -> Result<f64, Failure> {
        let failed = |why: String| Failure::Run(format!("reference: {why}"));
        let output = Command::new(&self.binary)
            .args([batch.to_string(), seconds.to_string(), "1".to_owned()])
            .output()
            .map_err(|error| failed(error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let before = text.split(" env-steps/s").next().unwrap_or_default();
        let number = before.rsplit(' ').next().and_then(|number| number.parse().ok());
        number.ok_or_else(|| failed(format!("it printed {text:?}")))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

impl Bench {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        if !(self.seconds > 0.0 && self.seconds.is_finite()) {
            return Err(Failure::Input(format!("--seconds {}: it must be above 0", self.seconds)));
        }
        let threads = (rayon::current_num_threads() as u32).min(self.instances);
        let repeats = usize::from(self.repeats);
        let seconds = self.seconds / repeats as f64;
        let mut results = Vec::new();
        for text in &self.envs {
            let arena = arena(text, self.instances, self.shard, registries)?;
            let reference = match &self.reference {
                Some(source) => Some(Reference::build(source, &arena)?),
                None => None,
            };
            let (mut rates, mut busy, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
            for repeat in 0..repeats {
                // In turn, so that a busy machine slows both.
                if let Some(reference) = &reference {
                    theirs.push(reference.measure(self.instances, seconds)?);
                }
                let rate = measure_all(&arena, threads, self.state, seconds)?;
                rates.push(rate.wall);
                busy.push(rate.processor / f64::from(threads));
                note(&format!("{} {}/{repeats}", arena.spec.name, repeat + 1));
            }
            let (rate, agents) = (median(&mut rates), arena.spec.agents);
            let mut result = json!({
                "env": arena.spec.name,
                "instances": self.instances,
                "threads": threads,
                "env_steps_per_second": rate,
                "min": rates[0],
                "max": rates[repeats - 1],
                "agent_steps_per_second": rate * agents as f64,
                "env_steps_per_processor_second": median(&mut busy),
            });
            if !theirs.is_empty() {
                let reference = median(&mut theirs);
                result["reference_env_steps_per_second"] = json!(reference);
                result["ratio"] = json!(median(&mut busy) / reference);
            }
            if !self.json {
                print(&line(&result))?;
            }
            results.push(result);
        }
        if self.json { print(&format!("{}\n", json!({ "bench": results }))) } else { Ok(()) }
    }
}

fn line(result: &Value) -> String {
    let million = |key: &str| result[key].as_f64().unwrap_or(f64::NAN) / 1e6;
    let mut text = format!(
        "{:32} {:8.2} M env steps/s (min {:.2}, max {:.2}) on {} threads, {} instances",
        result["env"].as_str().unwrap_or_default(),
        million("env_steps_per_second"),
        million("min"),
        million("max"),
        result["threads"],
        result["instances"]
    );
    if let Some(ratio) = result["ratio"].as_f64() {
        text.push_str(&format!(
            "; by processor time {:.2} M, reference {:.2} M, ratio {ratio:.2}",
            million("env_steps_per_processor_second"),
            million("reference_env_steps_per_second")
        ));
    }
    text.push('\n');
    text
}
