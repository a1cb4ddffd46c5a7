//! `gambol replay`: recorded episodes, as text or as one HTML file.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::run::recorded;
use super::{DeviceName, Failure, note, print};
use crate::Registries;
use crate::clock;
use crate::record::{Record, write};
use crate::replay::{Replay, Screen, page};

#[derive(Debug, Args)]
pub(super) struct ReplayRun {
    /// The run directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Write a page that any browser shows, without a server and without a network
    #[arg(long, value_name = "FILE.html", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Only this one of the recorded episodes, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    episode: Option<u32>,
    /// Steps a second, where the standard output is a terminal
    #[arg(long, value_name = "X", default_value_t = 4.0)]
    speed: f64,
    /// Print one JSON object with every moment
    #[arg(long)]
    json: bool,
}

/// Puts the cursor into the upper left corner and clears what is below.
const HOME: &str = "\u{1b}[H\u{1b}[J";

impl ReplayRun {
    fn read(&self, registries: &Registries) -> Result<Replay, Failure> {
        // Nothing is computed on tensors, so any device is as good.
        let device: DeviceName = "cpu".parse().map_err(Failure::Input)?;
        let (manifest, plan) = recorded(&self.run, registries, &device)?;
        let tape = Record::tape(&self.run)?.ok_or_else(|| {
            Failure::Input(format!(
                "{} holds no episodes: `run: Evaluate` and `run: Train` keep some once an evaluation has ended",
                self.run.display()
            ))
        })?;
        let arena = plan.arena.as_ref().ok_or_else(|| {
            Failure::Input(format!("{}: its scenario has no `env`", self.run.display()))
        })?;
        let agent = plan.player.as_ref().map(|player| player.name.as_str());
        Replay::of(&tape, arena, &manifest.scenario, agent, manifest.seed)
            .map_err(|error| Failure::Run(format!("{}: {error}", self.run.display())))
    }

    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        if !(self.speed > 0.0 && self.speed <= 1000.0) {
            return Err(Failure::Input(format!(
                "--speed {}: it must be above 0 and at most 1000 steps a second",
                self.speed
            )));
        }
        let mut replay = self.read(registries)?;
        if let Some(number) = self.episode {
            let count = replay.episodes.len();
            let index = number as usize - 1;
            if index >= count {
                return Err(Failure::Input(format!(
                    "--episode {number}: {} holds {count} episodes",
                    self.run.display()
                )));
            }
            replay.episodes = vec![replay.episodes.swap_remove(index)];
        }
        if self.json {
            return print(&format!("{}\n", replay.json()));
        }
        if let Some(path) = &self.html {
            write(path, page(&replay.json()).as_bytes())?;
            let count = replay.episodes.len();
            note(&format!("wrote {count} episodes to {}", path.display()));
            return Ok(());
        }
        let screen = Screen::new(&replay);
        let terminal = io::stdout().is_terminal();
        for episode in &replay.episodes {
            for step in 0..episode.moments.len() {
                let frame = screen.frame(episode, step);
                if terminal {
                    print(&format!("{HOME}{frame}"))?;
                    clock::pause(1.0 / self.speed);
                } else {
                    print(&format!("{frame}\n"))?;
                }
            }
        }
        Ok(())
    }
}
