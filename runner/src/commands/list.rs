//! `gambol list`: what scenarios may name.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gambol_envs::registry::Registry;
use gambol_solvers::game::catalogue;
use serde_json::{Value, json};

use super::{Failure, print};
use crate::{Registries, games, solvers};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Envs,
    Agents,
    Solvers,
    Games,
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

fn entries<T: ?Sized>(registry: &Registry<T>) -> Vec<(String, String)> {
    let entries = registry.entries().iter();
    entries.map(|entry| (entry.name.to_owned(), entry.summary.to_owned())).collect()
}

/// A game of the catalogue: its title and shape.
fn game(entry: &catalogue::Entry) -> Result<(String, String), Failure> {
    let game = games::named(entry.name)?;
    let sizes: Vec<_> = game.shape().iter().map(usize::to_string).collect();
    Ok((entry.name.to_owned(), format!("{} ({})", game.title(), sizes.join(" x "))))
}

/// The scenario files of a folder, each with the comment on its first line.
fn scenarios(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let failed = |error| Failure::Input(format!("cannot read {}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "ron") {
            let text = std::fs::read_to_string(&path).map_err(failed)?;
            let first = text.lines().next().unwrap_or_default();
            let about = first.strip_prefix("//").unwrap_or_default().trim().to_owned();
            found.push((path.display().to_string(), about));
        }
    }
    found.sort();
    Ok(found)
}

impl List {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let wanted = |what| self.what.is_none() || self.what == Some(what);
        let mut lists = Vec::new();
        if wanted(What::Envs) {
            lists.push(("envs", entries(&registries.envs)));
        }
        if wanted(What::Agents) {
            lists.push(("agents", entries(&registries.agents)));
        }
        if wanted(What::Solvers) {
            let infos = solvers::infos().into_iter();
            lists.push((
                "solvers",
                infos.map(|info| (info.name.to_owned(), info.about.to_owned())).collect(),
            ));
        }
        if wanted(What::Games) {
            let games = catalogue::GAMES.iter();
            lists.push(("games", games.map(game).collect::<Result<_, _>>()?));
        }
        // Without being asked for, scenarios are only listed where there are some.
        if self.what == Some(What::Scenarios) || (self.what.is_none() && self.scenarios.is_dir()) {
            lists.push(("scenarios", scenarios(&self.scenarios)?));
        }
        if self.json {
            let mut all = serde_json::Map::new();
            for (name, list) in lists {
                let list =
                    list.into_iter().map(|(name, about)| json!({ "name": name, "about": about }));
                all.insert(name.to_owned(), list.collect());
            }
            return print(&format!("{}\n", Value::Object(all)));
        }
        let mut text = String::new();
        for (name, list) in lists {
            let width = list.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            text.push_str(&format!("{name}\n"));
            for (name, about) in list {
                text.push_str(format!("  {name:width$}  {about}").trim_end());
                text.push('\n');
            }
        }
        print(&text)
    }
}
