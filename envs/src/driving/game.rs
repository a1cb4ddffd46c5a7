//! Driving in the ECS: components, the systems of a step, saved lanes.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemState;
use serde_json::{Value, json};

use super::cars::Cars;
use super::control::Meta;
use super::math::line;
use super::observe::{Observer, Seeing};
use super::reward::Deed;
use super::routes::Route;
use super::spawn::{reseat, warmed};
use super::tick::{LOST, Scratch, Trouble};
use super::traffic::Traffic;
use super::vehicle::{
    BREADTH, Body, Command, Damage, Drift, Facing, Goal, Kind, LENGTH, Mind, Track,
};
use super::{Controls, Rules, Start, stored};
use crate::batch::{Actions, BatchError, End};
use crate::ecs::{Clock, Dice, EcsGame, Phase, Reward, Scope, Stages, column, whole};
use crate::snapshot::{Reader, Writer};
use crate::spec::EnvSpec;

/// On each learner's row: the vehicle that it drives.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// Row of the vehicle within its instance.
    pub vehicle: u16,
    /// Lanes of the road on which the episode began, which observations of `y` are scaled by.
    pub lanes: u16,
}

/// On each learner's row: its discrete action.
#[derive(Component, Clone, Copy, Debug, Default)]
struct Intent(u16);

/// On each learner's row: its continuous action.
#[derive(Component, Clone, Copy, Debug, Default)]
struct Pedals([f32; 2]);

/// On each instance's row: what belongs to no single vehicle.
#[derive(Component, Clone, Copy, Debug, Default)]
struct Scenery {
    /// Frames since the road was built, which right of way is timed by.
    frames: u32,
    /// Why the instance was stopped.
    trouble: Option<(u16, Trouble)>,
}

#[derive(Resource, Clone)]
struct Setup(Arc<Rules>);

/// Buffers of the systems.
#[derive(Resource)]
struct Workspace(Scratch);

/// The systems of one frame of the simulation, 0 first: decisions, right of way, motion, contacts.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame(pub u32);

/// Runs between a [`Frame`] and the next one; all are within [`Phase::Dynamics`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AfterFrame(pub u32);

const TABLE: &str = "driving's components are stored in tables";

type Vehicles = (
    &'static mut Kind,
    &'static mut Body,
    &'static mut Facing,
    &'static mut Track,
    &'static mut Goal,
    &'static mut Command,
    &'static mut Mind,
    &'static mut Damage,
    &'static mut Drift,
    &'static mut Route,
);
type Instances =
    (&'static mut Clock, &'static mut Dice, &'static mut Traffic, &'static mut Scenery);
type Learners = (&'static mut Seat, &'static mut Intent, &'static mut Pedals, &'static mut Reward);

/// The columns of one shard.
struct Table<'a> {
    rules: &'a Rules,
    kinds: &'a mut [Kind],
    bodies: &'a mut [Body],
    facings: &'a mut [Facing],
    tracks: &'a mut [Track],
    goals: &'a mut [Goal],
    commands: &'a mut [Command],
    minds: &'a mut [Mind],
    damages: &'a mut [Damage],
    drifts: &'a mut [Drift],
    ways: &'a mut [Route],
    clocks: &'a mut [Clock],
    dice: &'a mut [Dice],
    traffic: &'a mut [Traffic],
    sceneries: &'a mut [Scenery],
    seats: &'a mut [Seat],
    intents: &'a mut [Intent],
    pedals: &'a mut [Pedals],
    rewards: &'a mut [Reward],
}

/// One instance: its vehicles, and its other rows.
struct Instance<'a> {
    cars: Cars<'a>,
    clock: &'a mut Clock,
    dice: &'a mut Dice,
    scenery: &'a mut Scenery,
    seats: &'a mut [Seat],
    intents: &'a mut [Intent],
    pedals: &'a mut [Pedals],
    rewards: &'a mut [Reward],
}

impl<'a> Table<'a> {
    fn new(
        rules: &'a Rules,
        vehicles: &'a mut Query<Vehicles>,
        instances: &'a mut Query<Instances>,
        learners: &'a mut Query<Learners>,
    ) -> Self {
        let (kinds, bodies, facings, tracks, goals, commands, minds, damages, drifts, ways) =
            whole(vehicles.contiguous_iter_mut().expect(TABLE));
        let (clocks, dice, traffic, sceneries) =
            whole(instances.contiguous_iter_mut().expect(TABLE));
        let (seats, intents, pedals, rewards) = whole(learners.contiguous_iter_mut().expect(TABLE));
        Self {
            rules,
            kinds: column(kinds),
            bodies: column(bodies),
            facings: column(facings),
            tracks: column(tracks),
            goals: column(goals),
            commands: column(commands),
            minds: column(minds),
            damages: column(damages),
            drifts: column(drifts),
            ways: column(ways),
            clocks: column(clocks),
            dice: column(dice),
            traffic: column(traffic),
            sceneries: column(sceneries),
            seats: column(seats),
            intents: column(intents),
            pedals: column(pedals),
            rewards: column(rewards),
        }
    }

    fn envs(&self) -> usize {
        self.clocks.len()
    }

    fn lane(&mut self, lane: usize) -> Instance<'_> {
        let (slots, agents) = (self.rules.slots, self.rules.roles.len());
        let rows = lane * slots..(lane + 1) * slots;
        let chairs = lane * agents..(lane + 1) * agents;
        let cars = Cars {
            network: &self.rules.network,
            routes: &self.rules.routes,
            kinds: &mut self.kinds[rows.clone()],
            bodies: &mut self.bodies[rows.clone()],
            facings: &mut self.facings[rows.clone()],
            tracks: &mut self.tracks[rows.clone()],
            goals: &mut self.goals[rows.clone()],
            commands: &mut self.commands[rows.clone()],
            minds: &mut self.minds[rows.clone()],
            damages: &mut self.damages[rows.clone()],
            drifts: &mut self.drifts[rows.clone()],
            ways: &mut self.ways[rows],
            traffic: &mut self.traffic[lane],
            connected: self.rules.connected,
        };
        Instance {
            cars,
            clock: &mut self.clocks[lane],
            dice: &mut self.dice[lane],
            scenery: &mut self.sceneries[lane],
            seats: &mut self.seats[chairs.clone()],
            intents: &mut self.intents[chairs.clone()],
            pedals: &mut self.pedals[chairs.clone()],
            rewards: &mut self.rewards[chairs],
        }
    }
}

/// Calls `task` for every instance of a shard that has not been stopped.
fn each(
    rules: &Rules,
    mut vehicles: Query<Vehicles>,
    mut instances: Query<Instances>,
    mut learners: Query<Learners>,
    mut task: impl FnMut(Instance<'_>),
) {
    let mut table = Table::new(rules, &mut vehicles, &mut instances, &mut learners);
    for lane in 0..table.envs() {
        let instance = table.lane(lane);
        if instance.scenery.trouble.is_none() {
            task(instance);
        }
    }
}

/// Whether a vehicle without a learner has left an intersection's view.
fn gone(cars: &Cars<'_>, slot: usize) -> bool {
    let lane = cars.lane(slot);
    lane.leaves && cars.tracks[slot].s >= lane.length - 4.0 * LENGTH
}

/// Vehicles come and go where they flow, then learners' actions take effect.
fn act(
    setup: Res<Setup>,
    vehicles: Query<Vehicles>,
    instances: Query<Instances>,
    learners: Query<Learners>,
) {
    let rules = &*setup.0;
    each(rules, vehicles, instances, learners, |mut instance| {
        // The reference does this at the end of the step before, after observations were made.
        if rules.flows && instance.clock.step > 1 {
            flow(rules, &mut instance);
        }
        let Instance { cars, seats, intents, pedals, .. } = &mut instance;
        for ((seat, intent), pedals) in seats.iter().zip(intents.iter()).zip(pedals.iter()) {
            let slot = usize::from(seat.vehicle);
            match &rules.controls {
                Controls::Meta { actions, speeds } => {
                    let action = actions.get(usize::from(intent.0)).copied();
                    cars.meta(slot, action.unwrap_or(Meta::Idle), speeds);
                }
                Controls::Wheel(wheel) => {
                    let mut left = pedals.0.iter().map(|&pedal| f64::from(pedal).clamp(-1.0, 1.0));
                    let mut pedal = |used: bool, range: (f64, f64)| {
                        let value = if used { left.next() } else { None };
                        value.map_or(0.0, |value| line(value, (-1.0, 1.0), range))
                    };
                    let acceleration = pedal(wheel.longitudinal, wheel.acceleration_range);
                    let steering = pedal(wheel.lateral, wheel.steering_range);
                    cars.commands[slot] = Command { acceleration, steering };
                }
            }
        }
    });
}

fn flow(rules: &Rules, instance: &mut Instance<'_>) {
    let Instance { cars, seats, dice, .. } = instance;
    let before = cars.count();
    let mut places = [0_u16; super::MOST];
    let places = &mut places[..seats.len()];
    for (place, seat) in places.iter_mut().zip(seats.iter()) {
        *place = seat.vehicle;
    }
    let taken = {
        let mut taken = [u16::MAX; super::MOST];
        taken[..places.len()].copy_from_slice(places);
        taken
    };
    cars.remove(
        |cars, slot| gone(cars, slot) && !taken.contains(&(slot as u16)),
        |from, to| reseat(places, from, to),
    );
    for (place, seat) in places.iter().zip(seats.iter_mut()) {
        seat.vehicle = *place;
    }
    let mut changed = cars.count() != before;
    if rules.spawn.arrivals > 0.0 {
        changed |= rules.spawn.arrive(cars, &mut dice.0);
    }
    if changed {
        cars.settle();
    }
}

fn decide(
    setup: Res<Setup>,
    vehicles: Query<Vehicles>,
    instances: Query<Instances>,
    learners: Query<Learners>,
) {
    let rules = &*setup.0;
    each(rules, vehicles, instances, learners, |mut instance| instance.cars.decide(&rules.idm));
}

fn regulate(
    setup: Res<Setup>,
    mut workspace: ResMut<Workspace>,
    vehicles: Query<Vehicles>,
    instances: Query<Instances>,
    learners: Query<Learners>,
) {
    let rules = &*setup.0;
    let Some(every) = rules.regulated else { return };
    each(rules, vehicles, instances, learners, |mut instance| {
        instance.scenery.frames = instance.scenery.frames.wrapping_add(1);
        if instance.scenery.frames.is_multiple_of(every) {
            instance.cars.regulate(&mut workspace.0.forecasts);
        }
    });
}

fn advance(
    setup: Res<Setup>,
    vehicles: Query<Vehicles>,
    instances: Query<Instances>,
    learners: Query<Learners>,
) {
    let rules = &*setup.0;
    each(rules, vehicles, instances, learners, |mut instance| {
        let cars = &mut instance.cars;
        cars.advance(rules.dt);
        while let Some((slot, trouble)) = cars.trouble() {
            let first = instance.scenery.trouble.unwrap_or((slot as u16, trouble));
            instance.scenery.trouble = Some(first);
            // What is left of the instance is only shown; it must be finite.
            cars.clear(slot);
            cars.settle();
        }
    });
}

fn touch(
    setup: Res<Setup>,
    mut workspace: ResMut<Workspace>,
    vehicles: Query<Vehicles>,
    instances: Query<Instances>,
    learners: Query<Learners>,
) {
    let rules = &*setup.0;
    each(rules, vehicles, instances, learners, |mut instance| {
        instance.cars.touch(rules.dt, &mut workspace.0);
    });
}

/// Whether the time limit is reached.
fn late(rules: &Rules, clock: &Clock) -> bool {
    rules.horizon.is_some_and(|horizon| clock.step >= horizon)
}

/// Rewards and ends.
fn judge(
    setup: Res<Setup>,
    mut vehicles: Query<Vehicles>,
    mut instances: Query<Instances>,
    mut learners: Query<Learners>,
) {
    let rules = &*setup.0;
    let mut table = Table::new(rules, &mut vehicles, &mut instances, &mut learners);
    for lane in 0..table.envs() {
        let Instance { cars, clock, scenery, seats, intents, pedals, rewards, .. } =
            table.lane(lane);
        if scenery.trouble.is_some() {
            rewards.fill(Reward(0.0));
            clock.end = End::Truncated;
            continue;
        }
        let (mut crashed, mut off, mut all_arrived) = (false, false, true);
        for (agent, seat) in seats.iter().enumerate() {
            let (slot, pay) = (usize::from(seat.vehicle), &rules.pays[agent]);
            let deed = match &rules.controls {
                Controls::Meta { actions, speeds } => Deed {
                    meta: actions.get(usize::from(intents[agent].0)).copied(),
                    norm: 0.0,
                    speeds: speeds.len(),
                },
                Controls::Wheel(_) => {
                    let used = &pedals[agent].0[..rules.controls.dimension()];
                    let sum: f64 = used.iter().map(|&p| f64::from(p) * f64::from(p)).sum();
                    Deed { meta: None, norm: sum.sqrt(), speeds: 3 }
                }
            };
            rewards[agent].0 = pay.pay(&cars, slot, deed) as f32;
            crashed |= cars.damages[slot].crashed;
            off |= pay.offroad_terminal && !cars.on_road(slot);
            all_arrived &= pay.arrived(&cars, slot);
        }
        let late = late(rules, clock);
        clock.end = if crashed || off || all_arrived {
            End::Terminated
        } else if late {
            End::Truncated
        } else {
            End::Running
        };
    }
}

fn begin(
    setup: Res<Setup>,
    mut workspace: ResMut<Workspace>,
    mut vehicles: Query<Vehicles>,
    mut instances: Query<Instances>,
    mut learners: Query<Learners>,
) {
    let rules = &*setup.0;
    let mut table = Table::new(rules, &mut vehicles, &mut instances, &mut learners);
    for lane in 0..table.envs() {
        let Instance { mut cars, clock, dice, scenery, seats, .. } = table.lane(lane);
        if !clock.end.is_over() {
            continue;
        }
        let mut places = [0_u16; super::MOST];
        let places = &mut places[..seats.len()];
        match &rules.start {
            Start::Fixed { rows, seats } => {
                for slot in 0..cars.slots() {
                    match rows.get(slot) {
                        Some(row) => cars.put(slot, row),
                        None => cars.clear(slot),
                    }
                }
                places.copy_from_slice(seats);
                cars.settle();
            }
            Start::Random => rules.spawn.draw(&mut cars, places, &mut dice.0, &mut workspace.0),
        }
        for (seat, place) in seats.iter_mut().zip(places.iter()) {
            let track = cars.tracks[usize::from(*place)];
            let lanes = cars.network.beside(track.lane).len() as u16;
            *seat = Seat { vehicle: *place, lanes };
        }
        let frames = if rules.flows { warmed(rules.frequency) } else { 0 };
        *scenery = Scenery { frames, trouble: None };
    }
}

type Access = SystemState<(
    Query<'static, 'static, Vehicles>,
    Query<'static, 'static, Instances>,
    Query<'static, 'static, Learners>,
)>;

/// Access to one shard's columns from outside its schedule.
pub struct Columns {
    access: Access,
    seeing: Seeing,
}

impl Columns {
    fn with<T>(
        &mut self,
        world: &mut World,
        rules: &Rules,
        use_columns: impl FnOnce(&mut Table<'_>, &mut Seeing) -> T,
    ) -> T {
        let (mut vehicles, mut instances, mut learners) =
            self.access.get_mut(world).expect("queries need no resource");
        let mut table = Table::new(rules, &mut vehicles, &mut instances, &mut learners);
        use_columns(&mut table, &mut self.seeing)
    }
}

/// Driving with validated rules.
#[derive(Clone)]
pub struct Game {
    spec: Arc<EnvSpec>,
    rules: Arc<Rules>,
}

impl Game {
    pub(super) fn new(spec: EnvSpec, rules: Rules) -> Self {
        Self { spec: Arc::new(spec), rules: Arc::new(rules) }
    }
}

/// Which meta-actions have an effect of their own, as the reference's `get_available_actions`.
fn mask(cars: &Cars<'_>, slot: usize, actions: &[Meta], speeds: usize, out: &mut [bool]) {
    let track = cars.tracks[slot];
    let all = cars.network.beside(track.lane);
    let side = |lane: u16| {
        let lane_at = &cars.network.lanes[usize::from(lane)];
        all.contains(&lane) && lane_at.reachable(cars.local(slot, lane))
    };
    let index = usize::from(cars.goals[slot].index);
    for (allowed, action) in out.iter_mut().zip(actions) {
        *allowed = match action {
            Meta::Idle => true,
            Meta::Left => track.lane > all.start && side(track.lane - 1),
            Meta::Right => track.lane + 1 < all.end && side(track.lane + 1),
            Meta::Faster => index + 1 < speeds,
            Meta::Slower => index > 0,
        };
    }
}

impl EcsGame for Game {
    type Columns = Columns;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn spawn(&self, world: &mut World, rows: Vec<(Clock, Dice)>) -> Columns {
        let rules = &*self.rules;
        let (envs, slots) = (rows.len(), rules.slots);
        world.insert_resource(Setup(self.rules.clone()));
        world.insert_resource(Workspace(Scratch::new(slots)));
        for (clock, dice) in rows {
            let traffic = Traffic::new(slots, &rules.network);
            world.spawn((clock, dice, traffic, Scenery::default()));
        }
        let learner = (Seat::default(), Intent::default(), Pedals::default(), Reward::default());
        world.spawn_batch(std::iter::repeat_n(learner, envs * rules.roles.len()));
        let vehicle = (
            Kind::default(),
            Body::default(),
            Facing::default(),
            Track::default(),
            Goal::default(),
            Command::default(),
            Mind::default(),
            Damage::default(),
            Drift::default(),
            Route::default(),
        );
        world.spawn_batch(std::iter::repeat_n(vehicle, envs * slots));
        let seeing = Seeing::new(slots, rules.network.obstacles.len());
        Columns { access: SystemState::new(world), seeing }
    }

    fn systems(&self, stages: &mut Stages) {
        let step = &mut stages.step;
        step.add_systems(act.in_set(Phase::Act));
        for frame in 0..self.rules.frames {
            step.configure_sets((Frame(frame), AfterFrame(frame)).chain().in_set(Phase::Dynamics));
            if frame > 0 {
                step.configure_sets(AfterFrame(frame - 1).before(Frame(frame)));
            }
            if self.rules.regulated.is_some() {
                step.add_systems((decide, regulate, advance, touch).chain().in_set(Frame(frame)));
            } else {
                step.add_systems((decide, advance, touch).chain().in_set(Frame(frame)));
            }
        }
        step.add_systems(judge.in_set(Phase::Reward));
        stages.reset.add_systems(begin.in_set(Phase::Reset));
    }

    fn act(&self, columns: &mut Columns, world: &mut World, actions: Actions<'_>) {
        let size = self.rules.controls.dimension();
        columns.with(world, &self.rules, |table, _| match actions {
            Actions::Discrete(actions) => {
                for (intent, &action) in table.intents.iter_mut().zip(actions) {
                    intent.0 = action;
                }
            }
            Actions::Continuous(actions) => {
                for (pedals, action) in table.pedals.iter_mut().zip(actions.chunks_exact(size)) {
                    pedals.0[..size].copy_from_slice(action);
                }
            }
        });
    }

    fn observe(
        &self,
        columns: &mut Columns,
        world: &mut World,
        scope: Scope,
        frame: crate::ecs::Frame<'_>,
    ) {
        let rules = &*self.rules;
        let (agents, obs) = (rules.roles.len(), rules.observation);
        let crate::ecs::Frame { observations, masks, state, tallies } = frame;
        columns.with(world, rules, |table, seeing| {
            for lane in 0..table.envs() {
                let Instance { cars, clock, seats, .. } = table.lane(lane);
                if scope == Scope::Ended && !clock.end.is_over() {
                    continue;
                }
                for (agent, seat) in seats.iter().enumerate() {
                    let row = lane * agents + agent;
                    let slot = usize::from(seat.vehicle);
                    if let Some(out) = tallies.get_mut(row) {
                        *out = f32::from(u8::from(cars.damages[slot].crashed));
                    }
                    let observer = Observer {
                        slot,
                        speeds: rules.controls.speeds(),
                        lanes: seat.lanes,
                        frequency: rules.policy,
                    };
                    let place = row * obs..(row + 1) * obs;
                    if let Some(out) = observations.get_mut(place.clone()) {
                        rules.look.write(&cars, observer, seeing, out);
                    }
                    if let Some(out) = state.get_mut(place.clone()) {
                        match observations.get(place) {
                            Some(seen) => out.copy_from_slice(seen),
                            None => rules.look.write(&cars, observer, seeing, out),
                        }
                    }
                    if let Controls::Meta { actions, speeds } = &rules.controls {
                        let count = actions.len();
                        if let Some(out) = masks.get_mut(row * count..(row + 1) * count) {
                            mask(&cars, slot, actions, speeds.len(), out);
                        }
                    }
                }
            }
        });
    }

    fn save(&self, columns: &mut Columns, world: &mut World, lane: usize, to: &mut Writer) {
        columns.with(world, &self.rules, |table, _| {
            let Instance { cars, scenery, seats, .. } = table.lane(lane);
            to.u32(scenery.frames);
            for seat in seats.iter() {
                to.u32(u32::from(seat.vehicle));
                to.u32(u32::from(seat.lanes));
            }
            for slot in 0..cars.slots() {
                stored::save(&cars, slot, to);
            }
        });
    }

    fn restore(
        &self,
        columns: &mut Columns,
        world: &mut World,
        lane: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), BatchError> {
        let rules = &*self.rules;
        columns.with(world, rules, |table, _| {
            let Instance { mut cars, scenery, seats, .. } = table.lane(lane);
            *scenery = Scenery { frames: from.u32()?, trouble: None };
            for seat in seats.iter_mut() {
                let vehicle = from.u32()?;
                if vehicle as usize >= rules.slots {
                    return Err(stored::bad("a learner sits in no vehicle"));
                }
                *seat = Seat { vehicle: vehicle as u16, lanes: from.u32()? as u16 };
            }
            for slot in 0..cars.slots() {
                stored::restore(&mut cars, slot, from)?;
            }
            cars.settle();
            if cars.trouble().is_some() {
                return Err(stored::bad("a vehicle is far from every lane"));
            }
            Ok(())
        })
    }

    fn describe(&self, columns: &mut Columns, world: &mut World, lane: usize) -> Value {
        let rules = &*self.rules;
        columns.with(world, rules, |table, _| {
            let Instance { cars, clock, scenery, seats, .. } = table.lane(lane);
            let learner = |slot: usize| {
                seats.iter().position(|seat| usize::from(seat.vehicle) == slot)
            };
            let shown = |slot: &usize| {
                // Vehicles that leave an intersection are still seen, but are off its list already.
                cars.kinds[*slot] != Kind::Absent
                    && !(rules.flows
                        && clock.step > 0
                        && learner(*slot).is_none()
                        && gone(&cars, *slot))
            };
            let vehicles: Vec<Value> = (0..cars.slots())
                .filter(shown)
                .map(|slot| stored::describe(&cars, slot, learner(slot)))
                .collect();
            let mut state = json!({ "vehicles": vehicles, "learners": rules.roles });
            if late(rules, clock) {
                state["truncated"] = Value::from(true);
            }
            if let Some((slot, trouble)) = scenery.trouble {
                state["quarantined"] = Value::from(match trouble {
                    Trouble::NotFinite => {
                        format!("vehicle {slot} has a position, heading or speed that is not a finite number")
                    }
                    Trouble::Lost => format!("vehicle {slot} is more than {LOST} m from every lane"),
                });
            }
            state
        })
    }

    fn scenery(&self) -> Value {
        let network = &self.rules.network;
        let lanes: Vec<Value> = (0..network.lanes.len() as u16)
            .map(|number| {
                let lane = &network.lanes[usize::from(number)];
                let (from, to, id) = network.index(number);
                json!({
                    "lane": [from, to, id],
                    "last": usize::from(id) + 1 == network.beside(number).len(),
                    "width": lane.width,
                    "left": lane.line(-lane.width / 2.0),
                    "middle": lane.line(0.0),
                    "right": lane.line(lane.width / 2.0),
                })
            })
            .collect();
        let obstacles: Vec<Value> = network
            .obstacles
            .iter()
            .map(
                |obstacle| json!({ "x": obstacle.x, "y": obstacle.y, "heading": obstacle.heading }),
            )
            .collect();
        json!({
            "lanes": lanes,
            "obstacles": obstacles,
            "vehicle": [LENGTH, BREADTH],
            "seconds": 1.0 / self.rules.policy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Driving, Population};
    use super::*;
    use crate::batch::{BatchEnv, Buffers};
    use crate::ecs::{After, Plugin};
    use crate::seed::Streams;

    /// Cross wind: in every frame everyone is blown to the right; and one car gets a number that it should not have.
    struct Weather {
        wind: f64,
        broken: Option<Broken>,
    }

    #[derive(Resource)]
    struct Wind(f64);

    /// What happens to the row at that step.
    #[derive(Resource, Clone, Copy)]
    struct Broken(usize, u32, fn(&mut Body));

    fn blow(wind: Res<Wind>, mut cars: Query<&mut Body>) {
        for mut body in &mut cars {
            body.y += wind.0;
        }
    }

    fn break_one(broken: Res<Broken>, clocks: Query<&Clock>, mut cars: Query<&mut Body>) {
        if clocks.iter().next().is_some_and(|clock| clock.step == broken.1)
            && let Some(mut body) = cars.iter_mut().nth(broken.0)
        {
            broken.2(&mut body);
        }
    }

    impl Plugin for Weather {
        fn build(&self, world: &mut World, stages: &mut Stages) {
            let step = &mut stages.step;
            world.insert_resource(Wind(self.wind));
            for frame in 0..15 {
                step.add_systems(blow.in_set(AfterFrame(frame)));
            }
            if let Some(broken) = self.broken {
                world.insert_resource(broken);
                step.add_systems(break_one.in_set(After(Phase::Act)));
            }
        }

        fn save(&self, _world: &mut World, _lane: usize, _to: &mut Writer) {}

        fn restore(
            &self,
            _world: &mut World,
            _lane: usize,
            _from: &mut Reader<'_>,
        ) -> Result<(), BatchError> {
            Ok(())
        }
    }

    fn batch(weather: Weather) -> (Box<dyn BatchEnv>, Buffers) {
        let population = Population { vehicles: Some(8), ..Population::default() };
        let config = Driving { population, ..Driving::task("highway-v0") };
        let plugins: Vec<Box<dyn Plugin>> = vec![Box::new(weather)];
        let mut env = config.build_with(0..3, 3, Streams::new(8), plugins).unwrap();
        let mut out = Buffers::new(env.spec(), 3);
        env.watch(1).unwrap();
        env.reset(0, out.outbox()).unwrap();
        (env, out)
    }

    #[test]
    fn numbers_that_cannot_be_stop_their_own_instance_only() {
        let finite = "vehicle 3 has a position, heading or speed that is not a finite number";
        let lost = "vehicle 3 is more than 1000 m from every lane";
        let cases: [(fn(&mut Body), &str); 7] = [
            (|body| body.x = f64::NAN, finite),
            (|body| body.y = f64::INFINITY, finite),
            (|body| body.heading = f64::NAN, finite),
            (|body| body.speed = f64::NEG_INFINITY, finite),
            (|body| body.y = 2e3, lost),
            (|body| body.x = -1e300, lost),
            (|body| (body.x, body.y) = (1e9, -1e9), lost),
        ];
        for (breaks, message) in cases {
            let (mut whole, mut expected) = batch(Weather { wind: 0.0, broken: None });
            // Row 3 of the second instance of nine rows.
            let broken = Some(Broken(9 + 3, 2, breaks));
            let (mut env, mut out) = batch(Weather { wind: 0.0, broken });
            for step in 1..=4 {
                let actions = [1_u16; 3];
                whole.step(Actions::Discrete(&actions), expected.outbox()).unwrap();
                env.step(Actions::Discrete(&actions), out.outbox()).unwrap();
                if step == 2 {
                    assert_eq!(out.ends, [End::Running, End::Truncated, End::Running], "{message}");
                    assert_eq!(out.rewards[1].to_bits(), 0.0_f32.to_bits());
                    assert_eq!(env.describe_last(1).unwrap()["quarantined"], message);
                }
                let size = out.observations.len() / 3;
                for lane in [0, 2] {
                    let part = lane * size..(lane + 1) * size;
                    assert_eq!(out.observations[part.clone()], expected.observations[part]);
                }
                let seen = out.observations.iter().chain(&out.last_observations);
                assert!(seen.chain(&out.rewards).all(|value| value.is_finite()), "{message}");
            }
        }
    }

    #[test]
    fn systems_from_outside_act_between_frames() {
        let (mut env, mut out) = batch(Weather { wind: 0.1, broken: None });
        let y =
            |env: &mut dyn BatchEnv| env.describe(0).unwrap()["vehicles"][0]["y"].as_f64().unwrap();
        let before = y(&mut *env);
        env.step(Actions::Discrete(&[1; 3]), out.outbox()).unwrap();
        let after = y(&mut *env);
        // It is blown by 1.5 m in all, against which it steers.
        assert!(after - before > 0.2 && after - before < 1.5, "{before} {after}");
    }
}
