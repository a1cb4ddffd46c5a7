//! Scenario files: what was written. What it means is a [`Plan`](crate::plan::Plan).
//!
//! ```ron
//! (
//!     version: 1,
//!     seed: 7,
//!     env: Foraging(task: "Foraging-8x8-2p-2f-coop-v3"),
//!     batch: (envs: 64),
//!     agent: Random,
//!     run: Evaluate(episodes: 10_000),
//! )
//! ```
//!
//! `env` and `agent` are looked up in the [`Registries`], so that names from other crates work like our own; the
//! configuration behind a name is a struct with named fields.
//! Every section is read by itself, so that one call reports the mistakes of all of them.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gambol_agents::AgentFactory;
use gambol_envs::registry::Registry;
use gambol_envs::{EnvFactory, SHARD};
use ron::extensions::Extensions;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::Registries;
use crate::drivers::Run;

pub mod edit;
mod explain;
pub mod tree;

use edit::Setting;
use explain::{explain, instead, listed};
use tree::{Kind, Node};

/// Newest version of the form that this build reads.
pub const VERSION: u32 = 1;

const FIELDS: [&str; 6] = ["version", "seed", "env", "batch", "agent", "run"];

/// How scenarios are read and, if need be, written: `Iql(lr: 0.1)` instead of `Iql((lr: 0.1))`, `x: 3` instead of
/// `x: Some(3)`.
pub fn ron_options() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES | Extensions::IMPLICIT_SOME)
}

/// One mistake in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column of the text, both from 1, in characters.
    pub at: Option<(usize, usize)>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Why a scenario cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A `--set` does not fit the file.
    #[error("{}: {why}", .path.display())]
    Set {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The text is wrong, everything at once.
    #[error("{}", render(.path, .text, .problems, *.edited))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Its text, after every `--set`.
        text: String,
        /// Whether a `--set` changed the text, so that it is not what stands in the file.
        edited: bool,
        /// Every problem that was found.
        problems: Vec<Problem>,
    },
}

fn render(path: &Path, text: &str, problems: &[Problem], edited: bool) -> String {
    let mut out = String::new();
    for (index, Problem { at, message }) in problems.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let path = path.display();
        let Some((line, column)) = *at else {
            let _ = write!(out, "{path}: {message}");
            continue;
        };
        let _ = write!(out, "{path}:{line}:{column}: {message}");
        if let Some(source) = text.lines().nth(line - 1) {
            // Tabs stay tabs before the caret, so that it stands below the right character.
            let before: String = source
                .chars()
                .take(column - 1)
                .map(|char| if char == '\t' { '\t' } else { ' ' })
                .collect();
            let _ = write!(out, "\n    {source}\n    {before}^");
        }
    }
    if edited {
        out.push_str("\n(lines and columns are those of the text after every --set)");
    }
    out
}

/// How many instances act at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Instances of the environment, at least 1; 64.
    pub envs: u32,
    /// Instances in one ECS world, at least 1; changes nothing but speed.
    pub shard: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { envs: 64, shard: SHARD }
    }
}

/// A section that names an entry of a registry.
#[derive(Debug)]
pub struct Named<T: ?Sized> {
    /// The entry's name.
    pub name: String,
    /// The configuration.
    pub config: Box<T>,
    /// The field that holds it.
    section: &'static str,
    /// The whole value in the text.
    node: Node,
}

/// A scenario as it is written, every section read.
#[derive(Debug)]
pub struct Scenario {
    /// Where it came from, for messages.
    pub path: PathBuf,
    /// The text after every `--set`.
    pub text: String,
    /// Whether a `--set` changed it.
    edited: bool,
    /// The run's one seed.
    pub seed: u64,
    /// The environment, if one is named.
    pub env: Option<Named<dyn EnvFactory>>,
    /// How many instances act at once.
    pub batch: Batch,
    /// The agent, if one is named.
    pub agent: Option<Named<dyn AgentFactory>>,
    /// What to do, if anything.
    pub run: Option<Run>,
    tree: Node,
}

#[derive(Deserialize)]
#[serde(rename = "Scenario")]
struct Head {
    version: u32,
}

/// Reads a registered configuration through its erased parser.
struct Config<'a, T: ?Sized>(&'a gambol_envs::registry::Entry<T>);

impl<'de, T: ?Sized> DeserializeSeed<'de> for Config<'_, T> {
    type Value = Box<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Box<T>, D::Error> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        (self.0.parse)(&mut erased).map_err(serde::de::Error::custom)
    }
}

/// The text with everything outside `keep` blanked, so that positions stay what they are.
fn blanked(text: &str, keep: Range<usize>, also: Option<Range<usize>>) -> String {
    text.char_indices()
        .take_while(|(at, _)| *at < keep.end)
        .map(|(at, char)| {
            let kept = keep.contains(&at) && !also.as_ref().is_some_and(|name| name.contains(&at));
            if kept || char == '\n' || char == '\t' { char } else { ' ' }
        })
        .collect()
}

/// Collects problems with their places.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..byte];
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.chars().rev().take_while(|&char| char != '\n').count();
        (line, column)
    }

    fn problem(&mut self, byte: usize, message: impl Into<String>) {
        let at = Some(self.position(byte));
        self.problems.push(Problem { at, message: message.into() });
    }

    /// A text that is not RON.
    fn syntax(&mut self, error: &ron::error::SpannedError) {
        let at = Some((error.span.start.line, error.span.start.col));
        let message = explain::syntax(&error.code.to_string(), self.text);
        self.problems.push(Problem { at, message });
    }

    /// Byte of a place as `ron` counts it.
    fn byte(&self, at: ron::error::Position) -> usize {
        let line = self.text.split_inclusive('\n').take(at.line - 1).map(str::len).sum::<usize>();
        let chars = self.text[line..].chars().take(at.col - 1);
        line + chars.map(char::len_utf8).sum::<usize>()
    }

    /// A text that is RON and not what a section takes.
    fn misfit(&mut self, error: &ron::error::SpannedError, tree: &Node) {
        let span = self.byte(error.span.start)..self.byte(error.span.end);
        let (byte, message) = explain(&error.code.to_string(), span, self.text, tree);
        self.problem(byte, message);
    }

    /// Reads one section into a type of its own.
    fn section<T: DeserializeOwned>(&mut self, node: &Node, tree: &Node) -> Option<T> {
        let alone = blanked(self.text, node.span.clone(), None);
        ron_options().from_str(&alone).map_err(|error| self.misfit(&error, tree)).ok()
    }

    /// Reads a section that names an entry of a registry.
    fn named<T: ?Sized>(
        &mut self,
        section: &'static str,
        tree: &Node,
        registry: &Registry<T>,
    ) -> Option<Named<T>> {
        let node = tree.child(section)?;
        let (name, config) = self.entry(section, node, tree, registry)?;
        Some(Named { name, config, section, node: node.clone() })
    }

    /// Reads a value that names an entry of a registry; `path` leads to it.
    fn entry<T: ?Sized>(
        &mut self,
        path: &str,
        node: &Node,
        tree: &Node,
        registry: &Registry<T>,
    ) -> Option<(String, Box<T>)> {
        let names = registry.names();
        let Some(name) = node.name(self.text) else {
            let message = format!("`{path}` begins with a name, one of {}", listed(names));
            self.problem(node.span.start, message);
            return None;
        };
        let Some(entry) = registry.get(name) else {
            let instead = instead(name, "choice", &names);
            self.problem(node.span.start, format!("`{path}` cannot be `{name}`{instead}"));
            return None;
        };
        // The parser reads a struct without a name, whatever its type is called; `Random` alone means `Random()`.
        let end = node.span.start + name.len();
        let mut alone = blanked(self.text, node.span.clone(), Some(node.span.start..end));
        if node.kind == Kind::Name {
            alone.push_str("()");
        }
        match ron_options().from_str_seed(&alone, Config(entry)) {
            Ok(config) => Some((name.to_owned(), config)),
            Err(error) => {
                self.misfit(&error, tree);
                None
            }
        }
    }

    /// Reads the agents that an agent's fields name, and those that theirs name.
    fn members(
        &mut self,
        path: &str,
        agent: &mut dyn AgentFactory,
        node: &Node,
        tree: &Node,
        registry: &Registry<dyn AgentFactory>,
    ) {
        for field in agent.members() {
            let Some(node) = node.child(field) else { continue };
            let path = format!("{path}.{field}");
            if let Some((_, mut member)) = self.entry(&path, node, tree, registry) {
                self.members(&path, &mut *member, node, tree, registry);
                agent.take_member(field, member);
            }
        }
    }
}

impl Scenario {
    /// Reads a file; `sets` are applied in order before anything is looked at.
    ///
    /// # Errors
    /// [`ScenarioError`] with every problem.
    pub fn read(
        path: &Path,
        sets: &[Setting],
        registries: &Registries,
    ) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text, sets, registries)
    }

    /// Reads a text; `path` is only named in messages.
    ///
    /// # Errors
    /// [`ScenarioError`] with every problem.
    pub fn parse(
        path: &Path,
        original: &str,
        sets: &[Setting],
        registries: &Registries,
    ) -> Result<Self, ScenarioError> {
        let syntax = |text: &str| {
            let mut reader = Reader { text, problems: Vec::new() };
            let valid = ron_options().from_str::<IgnoredAny>(text);
            if let Err(error) = valid {
                reader.syntax(&error);
            }
            reader.problems
        };
        let invalid = |text: &str, problems| ScenarioError::Invalid {
            path: path.to_owned(),
            text: text.to_owned(),
            edited: !sets.is_empty(),
            problems,
        };
        let problems = syntax(original);
        if !problems.is_empty() {
            return Err(invalid(original, problems));
        }
        let mut text = original.to_owned();
        for set in sets {
            text = set
                .apply(&text)
                .map_err(|why| ScenarioError::Set { path: path.to_owned(), why })?;
        }
        let problems = syntax(&text);
        if !problems.is_empty() {
            return Err(invalid(&text, problems));
        }
        let mut reader = Reader { text: &text, problems: Vec::new() };
        let tree = match Node::parse(&text) {
            Ok(tree) => tree,
            Err(lost) => {
                reader.problem(lost.at, format!("Expected {}", lost.expected));
                return Err(invalid(&text, reader.problems));
            }
        };
        // The version decides how everything else is read, so nothing else is looked at when it does not fit.
        match ron_options().from_str::<Head>(&text) {
            Ok(Head { version: VERSION }) => {}
            Ok(Head { version }) => {
                let at = tree.follow("version").span.start;
                let message = if version > VERSION {
                    format!("version {version} is newer than this build reads (up to {VERSION})")
                } else {
                    format!("version {version} does not exist; the first is 1")
                };
                reader.problem(at, message);
                return Err(invalid(&text, reader.problems));
            }
            Err(error) => {
                reader.misfit(&error, &tree);
                return Err(invalid(&text, reader.problems));
            }
        }
        let parts = reader.parts(&tree, registries);
        match parts {
            Some((seed, env, batch, agent, run)) if reader.problems.is_empty() => Ok(Self {
                path: path.to_owned(),
                edited: !sets.is_empty(),
                seed,
                env,
                batch,
                agent,
                run,
                tree,
                text,
            }),
            _ => {
                reader.problems.sort_by_key(|problem| problem.at);
                let problems = reader.problems;
                Err(invalid(&text, problems))
            }
        }
    }

    /// An error that carries the scenario's text, for problems found later.
    pub fn invalid(&self, problems: Vec<Problem>) -> ScenarioError {
        ScenarioError::Invalid {
            path: self.path.clone(),
            text: self.text.clone(),
            edited: self.edited,
            problems,
        }
    }

    /// A problem of a whole section, or of the whole scenario when there is no such section.
    pub fn problem(&self, section: &str, message: impl Into<String>) -> Problem {
        let reader = Reader { text: &self.text, problems: Vec::new() };
        let at = Some(reader.position(self.tree.follow(section).span.start));
        Problem { at, message: message.into() }
    }

    /// Places problems that begin with a field's name in backticks at that field of a named section.
    pub fn locate<T: ?Sized>(&self, section: &Named<T>, problems: Vec<String>) -> Vec<Problem> {
        let reader = Reader { text: &self.text, problems: Vec::new() };
        let place = |message: String| {
            // Fields are written small; a name such as `Iql` is that of the section itself.
            let field = message.strip_prefix('`').and_then(|rest| rest.split('`').next());
            let field = field.filter(|field| field.starts_with(char::is_lowercase));
            let node = section.node.follow(field.unwrap_or_default());
            let message = match field {
                Some(_) => format!("`{}.{}", section.section, &message[1..]),
                None => format!("`{}`: {message}", section.section),
            };
            Problem { at: Some(reader.position(node.span.start)), message }
        };
        problems.into_iter().map(place).collect()
    }

    /// A problem of a file that a section names, placed at its path.
    pub fn named_file<T: ?Sized>(
        &self,
        section: &Named<T>,
        path: &str,
        message: impl Into<String>,
    ) -> Problem {
        let reader = Reader { text: &self.text, problems: Vec::new() };
        let node = section.node.find_text(&self.text, path).unwrap_or(&section.node);
        Problem { at: Some(reader.position(node.span.start)), message: message.into() }
    }

    /// The file's name without its ending.
    pub fn stem(&self) -> String {
        let stem = self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        stem.unwrap_or_else(|| "scenario".to_owned())
    }
}

type Parts =
    (u64, Option<Named<dyn EnvFactory>>, Batch, Option<Named<dyn AgentFactory>>, Option<Run>);

impl Reader<'_> {
    /// Reads every section; `None` when one that is needed is missing or wrong.
    fn parts(&mut self, tree: &Node, registries: &Registries) -> Option<Parts> {
        for (index, field) in tree.fields().iter().enumerate() {
            let name = &field.name;
            if !FIELDS.contains(&name.as_str()) {
                let instead = instead(name, "field", &FIELDS);
                let message = format!("the scenario has no field `{name}`{instead}");
                self.problem(field.at.start, message);
            } else if tree.fields()[..index].iter().any(|earlier| earlier.name == *name) {
                let message = format!("the scenario has the field `{name}` twice");
                self.problem(field.at.start, message);
            }
        }
        let seed = match tree.child("seed") {
            Some(node) => self.section(node, tree),
            None => {
                self.problem(tree.span.end - 1, "the scenario lacks the field `seed`");
                None
            }
        };
        let env = self.named("env", tree, &registries.envs);
        let batch = match tree.child("batch") {
            Some(node) => self.section(node, tree),
            None => Some(Batch::default()),
        };
        let mut agent = self.named("agent", tree, &registries.agents);
        if let Some(Named { config, node, .. }) = &mut agent {
            self.members("agent", &mut **config, node, tree, &registries.agents);
        }
        let run = tree.child("run").and_then(|node| self.section(node, tree));
        Some((seed?, env, batch?, agent, run))
    }
}
