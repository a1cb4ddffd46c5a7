//! `gambol trace`: steps one instance with given joint actions.
//!
//! Step 0 is the moment after the reset. The step that ends an episode shows what the agents saw at the very end and
//! the state of that moment; after it the actions must end too, or with `--auto-reset` the next episode begins with a
//! step 0 of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use gambol_agents::Device;
use gambol_agents::policy::ActionBuffer;
use gambol_envs::batch::{BatchEnv, Buffers, End};
use gambol_envs::spec::{ActionSpace, EnvSpec};
use serde::Serialize;
use serde_json::Value;

use super::{Changes, Failure};
use crate::Registries;
use crate::plan::Arena;

#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The scenario; only its seed and environment matter
    #[arg(value_name = "SCENARIO.ron")]
    scenario: PathBuf,
    /// One JSON array a line with one action for each agent; `-` is the standard input
    #[arg(long, value_name = "FILE.jsonl")]
    actions: PathBuf,
    /// Global number of the instance
    #[arg(long, value_name = "L", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..0x8000_0000))]
    lane: u32,
    /// Go on with the next episode when one ends
    #[arg(long)]
    auto_reset: bool,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Serialize)]
struct Line<'a> {
    step: u32,
    observations: Vec<&'a [f32]>,
    rewards: &'a [f32],
    terminated: bool,
    truncated: bool,
    state: &'a Value,
}

/// What one line of the actions file must be, in words.
fn expected(spec: &EnvSpec) -> String {
    match &spec.action {
        ActionSpace::Discrete { names } => format!(
            "expected a JSON array of {} whole numbers, one for each agent, from 0 to {}",
            spec.agents,
            names.len().saturating_sub(1)
        ),
        space => format!(
            "expected a JSON array of {} arrays, one for each agent, of {} numbers",
            spec.agents,
            space.action_size()
        ),
    }
}

fn parse(line: &str, spec: &EnvSpec, actions: &mut ActionBuffer) -> Result<(), String> {
    let refused = |why: String| format!("{why}; {}", expected(spec));
    let value: Value = serde_json::from_str(line).map_err(|error| refused(error.to_string()))?;
    let items = value.as_array().ok_or_else(|| refused(format!("found {value}")))?;
    if items.len() != spec.agents {
        return Err(refused(format!("found {} entries", items.len())));
    }
    match actions {
        ActionBuffer::Discrete(actions) => {
            let count = spec.action.actions().unwrap_or(0) as u64;
            for (action, item) in actions.iter_mut().zip(items) {
                let number = item.as_u64().filter(|&number| number < count);
                *action = number.ok_or_else(|| refused(format!("found {item}")))? as u16;
            }
        }
        ActionBuffer::Continuous(actions) => {
            let size = spec.action.action_size();
            for (action, item) in actions.chunks_exact_mut(size).zip(items) {
                let numbers = item.as_array().filter(|numbers| numbers.len() == size);
                let numbers = numbers.ok_or_else(|| refused(format!("found {item}")))?;
                for (value, number) in action.iter_mut().zip(numbers) {
                    *value =
                        number.as_f64().ok_or_else(|| refused(format!("found {number}")))? as f32;
                }
            }
        }
    }
    Ok(())
}

/// One instance that is stepped.
struct Tracer {
    env: Box<dyn BatchEnv>,
    spec: EnvSpec,
    buffers: Buffers,
    out: io::StdoutLock<'static>,
}

impl Tracer {
    /// Prints one line; whether anybody still reads.
    fn print(&mut self, step: u32, end: End) -> Result<bool, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Run(format!("trace: {error}"));
        let state = match (end.is_over(), self.env.describe_last(0)) {
            (true, Some(state)) => state.clone(),
            _ => self.env.describe(0).map_err(|error| failed(&error))?,
        };
        let observations = if end.is_over() {
            &self.buffers.last_observations
        } else {
            &self.buffers.observations
        };
        let line = Line {
            step,
            observations: observations.chunks_exact(self.spec.observation.size()).collect(),
            rewards: &self.buffers.rewards,
            terminated: end == End::Terminated,
            // Where the rules end an episode at its time limit, the state alone can say so.
            truncated: end == End::Truncated || state["truncated"] == true,
            state: &state,
        };
        let mut text = serde_json::to_string(&line).map_err(|error| failed(&error))?;
        text.push('\n');
        // Flushed line by line: a program at the other end may choose its next actions by it.
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).map_err(|error| failed(&error)),
        }
    }

    fn start(&mut self) -> Result<bool, Failure> {
        self.buffers.rewards.fill(0.0);
        self.print(0, End::Running)
    }
}

impl Trace {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let plan = self.changes.plan(&self.scenario, registries, Device::Cpu)?;
        let Some(Arena { env, spec, streams, .. }) = plan.arena else {
            return Err(Failure::Input(format!("{}: it names no `env`", self.scenario.display())));
        };
        let name = self.actions.display().to_string();
        let lines: Box<dyn BufRead> = if name == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(&self.actions)
                .map_err(|error| Failure::Input(format!("cannot read {name}: {error}")))?;
            Box::new(BufReader::new(file))
        };
        let failed = |error: &dyn std::fmt::Display| Failure::Run(format!("environment: {error}"));
        let lanes = self.lane..self.lane + 1;
        let mut env = env.build(lanes, 1, streams).map_err(|error| failed(&error))?;
        env.watch(0).map_err(|error| failed(&error))?;
        let mut tracer =
            Tracer { env, buffers: Buffers::new(&spec, 1), spec, out: io::stdout().lock() };
        tracer.env.reset(0, tracer.buffers.outbox()).map_err(|error| failed(&error))?;
        if !tracer.start()? {
            return Ok(());
        }
        let mut actions = ActionBuffer::new(&tracer.spec, 1);
        let mut step = 0;
        let mut end = End::Running;
        for (index, line) in lines.lines().enumerate() {
            let at = |why: String| Failure::Input(format!("{name}:{}: {why}", index + 1));
            let line = line.map_err(|error| at(error.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            if end.is_over() {
                if !self.auto_reset {
                    let how = if end == End::Terminated { "terminated" } else { "was truncated" };
                    return Err(at(format!(
                        "the episode {how} at step {step}, yet actions follow; --auto-reset goes on with the next one"
                    )));
                }
                step = 0;
                let _ = tracer.start()?;
            }
            parse(&line, &tracer.spec, &mut actions).map_err(at)?;
            let stepped = tracer.env.step(actions.as_actions(), tracer.buffers.outbox());
            stepped.map_err(|error| at(error.to_string()))?;
            step += 1;
            end = tracer.buffers.ends[0];
            if !tracer.print(step, end)? {
                return Ok(());
            }
        }
        Ok(())
    }
}
