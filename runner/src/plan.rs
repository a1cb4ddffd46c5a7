//! A plan is a scenario validated, with everything resolved and built.

use std::collections::BTreeMap;
use std::path::Path;

use gambol_agents::learner::Checkpoint;
use gambol_agents::policy::Policy;
use gambol_agents::{Agent, AgentError, AgentFactory, Device, Setting};
use gambol_envs::EnvFactory;
use gambol_envs::seed::Streams;
use gambol_envs::spec::{ActionSpace, EnvSpec};
use serde_json::{Value, json};

use crate::drivers::Run;
use crate::record::checkpoint;
use crate::scenario::{Problem, Scenario, ScenarioError};
use crate::sources::Sources;

/// Most instances in one batch; lane numbers above it belong to evaluations during training.
const MOST_ENVS: u32 = 1 << 20;

/// Where agents play: an environment and how many instances of it.
#[derive(Debug)]
pub struct Arena {
    /// The environment's name in its registry.
    pub name: String,
    /// The configured environment.
    pub env: Box<dyn EnvFactory>,
    /// Its typed facts.
    pub spec: EnvSpec,
    /// Instances that act at once.
    pub envs: u32,
    /// Instances in one ECS world.
    pub shard: usize,
    /// The run's streams.
    pub streams: Streams,
}

/// Who plays.
pub struct Player {
    /// The agent's name in its registry.
    pub name: String,
    /// The configured agent.
    pub factory: Box<dyn AgentFactory>,
    /// What it was built for, without the spec.
    device: Device,
    total_steps: u64,
    files: BTreeMap<String, Checkpoint>,
}

impl Player {
    /// Builds the agent for an arena.
    ///
    /// # Errors
    /// Every problem of the configuration and every fact that does not fit.
    pub fn build(&self, arena: &Arena) -> Result<Agent, AgentError> {
        self.factory.build(&self.setting(arena))
    }

    /// The greedy policy that these parameters make, without libtorch.
    ///
    /// # Errors
    /// What does not fit, or that the learner has no frozen form.
    pub fn frozen(
        &self,
        arena: &Arena,
        parameters: &Checkpoint,
    ) -> Result<Box<dyn Policy>, AgentError> {
        self.factory.frozen(&self.setting(arena), parameters, true)
    }

    /// What the agent is built for in another setting than its arena.
    pub(crate) fn setting_of<'a>(
        &'a self,
        spec: &'a EnvSpec,
        envs: usize,
        streams: Streams,
    ) -> Setting<'a> {
        let (device, total_steps, files) = (self.device, self.total_steps, &self.files);
        Setting { spec, envs, streams, device, total_steps, files }
    }

    fn setting<'a>(&'a self, arena: &'a Arena) -> Setting<'a> {
        Setting {
            spec: &arena.spec,
            envs: arena.envs as usize,
            streams: arena.streams,
            device: self.device,
            total_steps: self.total_steps,
            files: &self.files,
        }
    }
}

/// What a scenario means.
pub struct Plan {
    /// Name for run directories: the file's name without its ending.
    pub name: String,
    /// The scenario as resolved: the text after every `--set`.
    pub text: String,
    /// The files that the scenario names, as they were read.
    pub sources: Sources,
    /// The run's one seed.
    pub seed: u64,
    /// The environment, if one is named.
    pub arena: Option<Arena>,
    /// The agent, if one is named, checked against the environment.
    pub player: Option<Player>,
    /// What to do, if anything.
    pub run: Option<Run>,
}

fn sentence(path: &str, why: impl std::fmt::Display) -> String {
    format!("`{path}`: {why}")
}

/// Hands the environment the texts of its files; what is wrong with them.
fn games(scenario: &mut Scenario, sources: &mut Sources) -> Vec<Problem> {
    let Some(mut env) = scenario.env.take() else { return Vec::new() };
    let mut problems = Vec::new();
    for path in env.config.files() {
        match sources.text(&path) {
            Ok(text) => env.config.take_file(&path, text),
            Err(why) => problems.push(scenario.named_file(&env, &path, why)),
        }
    }
    scenario.env = Some(env);
    problems
}

/// Hands the section `run` the texts of its files; what is wrong with them.
fn run_files(scenario: &mut Scenario, sources: &mut Sources) -> Vec<Problem> {
    let Some(mut run) = scenario.run.take() else { return Vec::new() };
    let mut problems = Vec::new();
    for path in run.files() {
        match sources.text(&path) {
            Ok(text) => run.take_file(text),
            Err(why) => problems.push(scenario.problem("run.game", why)),
        }
    }
    scenario.run = Some(run);
    problems
}

impl Plan {
    /// Validates a scenario, reads the files that it names and builds its agent once.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with every problem of every section.
    pub fn new(
        mut scenario: Scenario,
        mut sources: Sources,
        device: Device,
    ) -> Result<Self, ScenarioError> {
        let mut problems = Vec::new();
        problems.extend(games(&mut scenario, &mut sources));
        problems.extend(run_files(&mut scenario, &mut sources));
        let games_read = problems.is_empty();
        let streams = Streams::new(scenario.seed);
        let batch = &scenario.batch;
        if !(1..=MOST_ENVS).contains(&batch.envs) {
            problems.push(scenario.problem(
                "batch.envs",
                sentence("batch.envs", format!("{}, it must be 1 to {MOST_ENVS}", batch.envs)),
            ));
        }
        if batch.shard == 0 {
            problems.push(scenario.problem(
                "batch.shard",
                sentence("batch.shard", "0, a world holds at least 1 instance"),
            ));
        }
        // Without its files an environment can say no more than that they are missing.
        let env = scenario.env.as_ref().filter(|_| games_read);
        let spec = env.and_then(|env| match env.config.spec() {
            Ok(spec) => Some(spec),
            Err(error) => {
                problems.extend(scenario.locate(env, error.problems));
                None
            }
        });
        if let Some(run) = scenario.run.as_ref().filter(|_| games_read) {
            let found = run.check(&scenario);
            problems.extend(found.into_iter().map(|(path, why)| {
                scenario.problem(&format!("run.{path}"), sentence(&format!("run.{path}"), why))
            }));
            for (section, present, example) in [
                ("env", scenario.env.is_some(), "env: Foraging()"),
                ("agent", scenario.agent.is_some(), "agent: Random"),
            ] {
                match (present, run.plays()) {
                    (false, true) => {
                        let why = format!("`run` needs the field `{section}`, such as `{example}`");
                        problems.push(scenario.problem("run", why));
                    }
                    (true, false) => problems.push(
                        scenario.problem(section, format!("this run has no use for `{section}`")),
                    ),
                    _ => {}
                }
            }
        }
        let total_steps = scenario.run.as_ref().map_or(0, Run::training_steps);
        let mut files = BTreeMap::new();
        if let Some(agent) = &scenario.agent {
            for path in agent.config.files() {
                let read = sources.bytes(&path).and_then(|bytes| {
                    checkpoint::decode(Path::new(&path), bytes).map_err(|error| error.to_string())
                });
                match read {
                    Ok(read) => drop(files.insert(path, read)),
                    Err(why) => problems.push(scenario.named_file(agent, &path, why)),
                }
            }
        }
        // The agent is only built when the environment stands: its problems would otherwise be echoes.
        if let (Some(spec), Some(agent), true) = (&spec, &scenario.agent, problems.is_empty()) {
            let setting = Setting {
                spec,
                envs: batch.envs as usize,
                streams,
                device,
                total_steps,
                files: &files,
            };
            match (agent.config.build(&setting), &scenario.run) {
                (Ok(built), Some(run)) => {
                    if let Err(why) = run.accepts(&agent.name, &built) {
                        problems.push(scenario.problem("agent", why));
                    }
                }
                (Ok(_), None) => {}
                (Err(error), _) => problems.extend(scenario.locate(agent, error.problems)),
            }
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.at);
            return Err(scenario.invalid(problems));
        }
        let name = scenario.stem();
        let Scenario { text, seed, env, agent, run, batch, .. } = scenario;
        let arena = env.zip(spec).map(|(env, spec)| Arena {
            name: env.name,
            env: env.config,
            spec,
            envs: batch.envs,
            shard: batch.shard,
            streams,
        });
        let player = agent.map(|agent| Player {
            name: agent.name,
            factory: agent.config,
            device,
            total_steps,
            files,
        });
        Ok(Self { name, text, sources, seed, arena, player, run })
    }
}

impl Plan {
    /// The plan in a few lines, for `gambol check`.
    pub fn summary(&self) -> Value {
        let arena = self.arena.as_ref().map(|Arena { spec, envs, shard, .. }| {
            let action = match &spec.action {
                ActionSpace::Discrete { names } => json!({ "discrete": names }),
                space => json!({ "box": space.action_size() }),
            };
            json!({
                "env": spec.name,
                "env_version": spec.version,
                "agents": spec.agents,
                "observation": spec.observation.shape,
                "action": action,
                "state": spec.state,
                "payoff": spec.payoff.to_string(),
                "horizon": spec.horizon,
                "envs": envs,
                "shard": shard,
            })
        });
        json!({
            "scenario": self.name,
            "seed": self.seed,
            "arena": arena,
            "agent": self.player.as_ref().map(|player| &player.name),
            "config": self.player.as_ref().map(|player| format!("{:?}", player.factory)),
            "run": self.run.as_ref().map(|run| format!("{run:?}")),
        })
    }
}
