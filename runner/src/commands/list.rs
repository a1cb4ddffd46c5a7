//! `gambol list`: what scenarios may name.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gambol_envs::registry::Registry;
use gambol_solvers::game::{catalogue, sequential};
use serde_json::{Value, json};

use super::{Failure, print};
use crate::{Registries, drivers, fields, games, solvers};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Environments, for `env`
    Envs,
    /// Agents, for `agent`
    Agents,
    /// What a scenario can ask for, for `run`
    Runs,
    /// Solvers of `gambol solve`
    Solvers,
    /// Games of the catalogue
    Games,
    /// Scenario files
    Scenarios,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this list
    what: Option<What>,
    /// Folder of scenario files
    #[arg(long, value_name = "DIR", default_value = "assets/scenarios")]
    scenarios: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One thing that may be named.
struct Item {
    name: String,
    about: String,
    /// What may stand in its parentheses.
    fields: Vec<&'static str>,
}

impl Item {
    fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self { name: name.into(), about: about.into(), fields: Vec::new() }
    }

    fn json(&self) -> Value {
        let mut value = json!({ "name": self.name, "about": self.about });
        if !self.fields.is_empty() {
            value["fields"] = json!(self.fields);
        }
        value
    }
}

fn entries<T: ?Sized>(registry: &Registry<T>) -> Vec<Item> {
    let entries = registry.entries().iter();
    entries
        .map(|entry| Item { fields: fields::of(entry), ..Item::new(entry.name, entry.summary) })
        .collect()
}

/// A game of the catalogue: its title and shape.
fn game(entry: &catalogue::Entry) -> Result<Item, Failure> {
    let game = games::named(entry.name)?;
    let sizes: Vec<_> = game.shape().iter().map(usize::to_string).collect();
    Ok(Item::new(entry.name, format!("{} ({})", game.title(), sizes.join(" x "))))
}

/// The scenario files of a folder, each with the comment on its first line.
fn scenarios(folder: &Path) -> Result<Vec<Item>, Failure> {
    let failed = |error| {
        let folder = folder.display();
        Failure::Input(format!("cannot read {folder}: {error}; --scenarios names another folder"))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "ron") {
            let text = std::fs::read_to_string(&path).map_err(failed)?;
            let first = text.lines().next().unwrap_or_default();
            let about = first.strip_prefix("//").unwrap_or_default().trim();
            found.push(Item::new(path.display().to_string(), about));
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Names with commas between, in lines of at most 100 characters.
fn wrapped(names: &[&str], indent: usize) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![String::new()];
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 < names.len() { "," } else { "" };
        if let Some(line) = lines.last()
            && !line.is_empty()
            && indent + line.len() + name.len() + 2 > WIDTH
        {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let space = if line.is_empty() { "" } else { " " };
            line.push_str(&format!("{space}{name}{comma}"));
        }
    }
    lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

impl List {
    fn lists(&self, registries: &Registries) -> Result<Vec<(&'static str, Vec<Item>)>, Failure> {
        let wanted = |what| self.what.is_none() || self.what == Some(what);
        let mut lists = Vec::new();
        if wanted(What::Envs) {
            lists.push(("envs", entries(&registries.envs)));
        }
        if wanted(What::Agents) {
            lists.push(("agents", entries(&registries.agents)));
        }
        if wanted(What::Runs) {
            let runs = drivers::RUNS.iter();
            lists.push(("runs", runs.map(|&(name, about)| Item::new(name, about)).collect()));
        }
        if wanted(What::Solvers) {
            let infos = solvers::infos().into_iter();
            lists.push(("solvers", infos.map(|info| Item::new(info.name, info.about)).collect()));
        }
        if wanted(What::Games) {
            let games = catalogue::GAMES.iter();
            lists.push(("games", games.map(game).collect::<Result<_, _>>()?));
            let games = sequential::GAMES.iter();
            let items = games.map(|entry| Item::new(entry.name, entry.about)).collect();
            lists.push(("sequential games", items));
        }
        // Without being asked for, scenarios are only listed where there are some.
        if self.what == Some(What::Scenarios) || (self.what.is_none() && self.scenarios.is_dir()) {
            lists.push(("scenarios", scenarios(&self.scenarios)?));
        }
        Ok(lists)
    }

    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let lists = self.lists(registries)?;
        if self.json {
            let lists = lists.into_iter().map(|(name, items)| {
                (name.to_owned(), items.iter().map(Item::json).collect::<Value>())
            });
            return print(&format!("{}\n", Value::Object(lists.collect())));
        }
        let mut text = String::new();
        for (index, (name, items)) in lists.iter().enumerate() {
            let width = items.iter().map(|item| item.name.chars().count()).max().unwrap_or(0);
            let gap = if index > 0 { "\n" } else { "" };
            text.push_str(&format!("{gap}{name}\n"));
            for Item { name, about, fields } in items {
                text.push_str(format!("  {name:width$}  {about}").trim_end());
                text.push('\n');
                if !fields.is_empty() {
                    text.push_str(&wrapped(fields, width + 6));
                }
            }
        }
        print(&text)
    }
}
