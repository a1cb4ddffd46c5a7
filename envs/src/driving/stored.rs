//! One vehicle as JSON, for people, and as bytes, for snapshots.

use serde_json::{Value, json};

use super::cars::Cars;
use super::routes::Route;
use super::vehicle::{Body, Command, Damage, Drift, Facing, Goal, Kind, Mind};
use crate::batch::BatchError;
use crate::snapshot::{Reader, Writer};

/// A snapshot that does not fit.
pub(super) fn bad(why: &str) -> BatchError {
    BatchError::Snapshot { why: why.to_owned() }
}

/// The vehicle in a slot, with the number of the learner who drives it.
pub(super) fn describe(cars: &Cars<'_>, slot: usize, learner: Option<usize>) -> Value {
    let body = &cars.bodies[slot];
    let index = |lane: u16| {
        let (from, to, id) = cars.network.index(lane);
        json!([from, to, id])
    };
    let mut value = json!({
        "kind": cars.kinds[slot].name(),
        "x": body.x,
        "y": body.y,
        "heading": body.heading,
        "speed": body.speed,
        "lane": index(cars.tracks[slot].lane),
        "crashed": cars.damages[slot].crashed,
    });
    if cars.kinds[slot].controlled() {
        value["target_lane"] = index(cars.goals[slot].lane);
        value["target_speed"] = Value::from(cars.goals[slot].speed);
    }
    if let Some(learner) = learner {
        value["learner"] = Value::from(learner);
    }
    value
}

/// Appends the vehicle in a slot.
pub(super) fn save(cars: &Cars<'_>, slot: usize, to: &mut Writer) {
    let kind = Kind::ALL.iter().position(|&kind| kind == cars.kinds[slot]);
    to.u8(kind.unwrap_or(0) as u8);
    let Body { x, y, heading, speed } = cars.bodies[slot];
    let facing = cars.facings[slot];
    let Goal { lane, index, speed: target } = cars.goals[slot];
    let Command { acceleration, steering } = cars.commands[slot];
    let Mind { timer, exponent, changes_lanes, looks, yields } = cars.minds[slot];
    let Damage { crashed, hit, push } = cars.damages[slot];
    let Drift { lateral, yaw_rate } = cars.drifts[slot];
    for number in [
        x,
        y,
        heading,
        speed,
        facing.cos,
        facing.sin,
        target,
        acceleration,
        steering,
        timer,
        exponent,
        push[0],
        push[1],
        lateral,
        yaw_rate,
    ] {
        to.f64(number);
    }
    to.u32(u32::from(lane));
    to.u8(index);
    for flag in [changes_lanes, looks, yields, crashed, hit] {
        to.u8(u8::from(flag));
    }
    to.u32(cars.ways[slot].next);
    to.u32(cars.ways[slot].end);
}

/// Takes back what [`save`] wrote; the slot stays as it was where the bytes do not fit.
pub(super) fn restore(
    cars: &mut Cars<'_>,
    slot: usize,
    from: &mut Reader<'_>,
) -> Result<(), BatchError> {
    let kind = from.u8()?;
    let kind = *Kind::ALL.get(usize::from(kind)).ok_or_else(|| bad("a driver is of no kind"))?;
    let mut numbers = [0.0; 15];
    for number in &mut numbers {
        *number = from.f64()?;
    }
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(bad("a vehicle has a number that is not finite"));
    }
    let [
        x,
        y,
        heading,
        speed,
        cos,
        sin,
        target,
        acceleration,
        steering,
        timer,
        exponent,
        push_x,
        push_y,
        lateral,
        yaw_rate,
    ] = numbers;
    let lane = from.u32()?;
    if lane as usize >= cars.network.lanes.len() {
        return Err(bad("a vehicle aims at a lane that the road has not"));
    }
    let index = from.u8()?;
    let mut flags = [false; 5];
    for flag in &mut flags {
        *flag = match from.u8()? {
            0 => false,
            1 => true,
            _ => return Err(bad("a flag is neither 0 nor 1")),
        };
    }
    let [changes_lanes, looks, yields, crashed, hit] = flags;
    let way = Route { next: from.u32()?, end: from.u32()? };
    if !cars.routes.holds(way) {
        return Err(bad("a vehicle has a route that this road has not"));
    }
    cars.kinds[slot] = kind;
    cars.bodies[slot] = Body { x, y, heading, speed };
    cars.facings[slot] = Facing { cos, sin };
    cars.goals[slot] = Goal { lane: lane as u16, index, speed: target };
    cars.commands[slot] = Command { acceleration, steering };
    cars.minds[slot] = Mind { timer, exponent, changes_lanes, looks, yields };
    cars.damages[slot] = Damage { crashed, hit, push: [push_x, push_y] };
    cars.drifts[slot] = Drift { lateral, yaw_rate };
    cars.ways[slot] = way;
    Ok(())
}
