//! A system of one's own in an environment of Gambol: `cargo run -p own-system -- run tests/examples/own_system/fog.ron`.

use bevy_ecs::prelude::*;
use gambol_envs::batch::BatchEnv;
use gambol_envs::ecs::{After, Phase, Plugin, Stages};
use gambol_envs::foraging::{Cell, Foraging, Sight};
use gambol_envs::registry::Registered;
use gambol_envs::seed::Streams;
use gambol_envs::{BuildError, EnvFactory};
use std::ops::Range;

/// Foraging with fog over the rows from `from_row` on, in which nobody sees farther than `sight`.
#[derive(Clone, Debug, serde::Deserialize, Resource)]
#[serde(deny_unknown_fields)]
struct FoggyForaging {
    forest: Foraging,
    from_row: u8,
    sight: u8,
}

fn fog(fog: Res<FoggyForaging>, mut players: Query<(&Cell, &mut Sight)>) {
    let clear = fog.forest.sight.unwrap_or(u8::MAX);
    players.iter_mut().for_each(|(cell, mut sight)| {
        sight.0 = if cell.row < fog.from_row { clear } else { fog.sight };
    });
}

impl Plugin for FoggyForaging {
    fn build(&self, world: &mut World, stages: &mut Stages) {
        world.insert_resource(self.clone());
        stages.observe.add_systems(fog.in_set(After(Phase::Observe)));
    }
}

impl EnvFactory for FoggyForaging {
    fn build(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        self.forest.build_with(lanes, shard, streams, vec![Box::new(self.clone())])
    }
}

impl Registered<dyn EnvFactory> for FoggyForaging {
    const NAME: &'static str = "FoggyForaging";
    const SUMMARY: &'static str = "foraging with fog over the lower rows";

    fn boxed(self) -> Box<dyn EnvFactory> {
        Box::new(self)
    }
}

fn main() -> std::process::ExitCode {
    let mut registries = gambol_runner::Registries::standard();
    registries.envs.register::<FoggyForaging>();
    gambol_runner::main_with(registries)
}
