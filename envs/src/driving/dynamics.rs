//! How vehicles move: the kinematic bicycle and the dynamical one with tyre friction (fact sheet, 4.2).

use std::f64::consts::{FRAC_PI_2, TAU};

use super::vehicle::{BREADTH, Body, Command, Damage, Drift, Facing, LENGTH};

/// Largest speed forwards and backwards, in m/s.
const FASTEST: f64 = 40.0;

/// Half the length: from the centre to an axle.
const AXLE: f64 = LENGTH / 2.0;

/// Brakes crashed vehicles, and holds the others near the speed limits of the model.
fn clip(body: &Body, damage: &Damage, command: &mut Command) {
    if damage.crashed {
        *command = Command { acceleration: -body.speed, steering: 0.0 };
    }
    if body.speed > FASTEST {
        command.acceleration = command.acceleration.min(FASTEST - body.speed);
    } else if body.speed < -FASTEST {
        command.acceleration = command.acceleration.max(-FASTEST - body.speed);
    }
}

/// Applies a pending push.
fn push(body: &mut Body, damage: &mut Damage) {
    if damage.hit {
        body.x += damage.push[0];
        body.y += damage.push[1];
        *damage = Damage { crashed: true, hit: false, push: [0.0; 2] };
    }
}

/// One explicit Euler step of the kinematic bicycle, in the reference's order.
pub(super) fn kinematic(
    body: &mut Body,
    facing: &mut Facing,
    damage: &mut Damage,
    command: &mut Command,
    dt: f64,
) {
    clip(body, damage, command);
    if command.steering == 0.0 {
        body.x += body.speed * facing.cos * dt;
        body.y += body.speed * facing.sin * dt;
        push(body, damage);
    } else {
        let slip = libm::atan(0.5 * libm::tan(command.steering));
        let course = Facing::at(body.heading + slip, body.speed);
        body.x += body.speed * course.cos * dt;
        body.y += body.speed * course.sin * dt;
        push(body, damage);
        body.heading += body.speed * libm::sin(slip) / AXLE * dt;
        *facing = Facing::at(body.heading, body.speed);
    }
    body.speed += command.acceleration * dt;
}

/// State of the dynamical model: x, y, heading, speed, lateral speed, yaw rate.
type State = [f64; 6];

/// Rajamani, Vehicle Dynamics and Control (2011), chapter 2, with unit mass, equations 2.21 to 2.28.
fn derivative(state: State, acceleration: f64, steering: f64) -> State {
    const INERTIA: f64 = (LENGTH * LENGTH + BREADTH * BREADTH) / 12.0;
    const FRICTION: f64 = 15.0;
    let [_, _, heading, speed, lateral, yaw_rate] = state;
    let mut front = 2.0 * FRICTION * (steering - libm::atan2(lateral + AXLE * yaw_rate, speed));
    let mut rear = 2.0 * FRICTION * -libm::atan2(lateral - AXLE * yaw_rate, speed);
    if speed.abs() < 1.0 {
        front = -lateral - INERTIA / AXLE * yaw_rate;
        rear = -lateral + INERTIA / AXLE * yaw_rate;
    }
    let (sin, cos) = libm::sincos(heading);
    [
        cos * speed - sin * lateral,
        sin * speed + cos * lateral,
        yaw_rate,
        acceleration,
        front + rear - yaw_rate * speed,
        (AXLE * front - AXLE * rear) / INERTIA,
    ]
}

/// One Runge-Kutta step of fourth order of the dynamical bicycle. As in the reference, pushes do not move it.
pub(super) fn dynamical(
    body: &mut Body,
    facing: &mut Facing,
    drift: &mut Drift,
    damage: &Damage,
    command: &mut Command,
    dt: f64,
) {
    clip(body, damage, command);
    command.steering = command.steering.clamp(-FRAC_PI_2, FRAC_PI_2);
    drift.yaw_rate = drift.yaw_rate.clamp(-TAU, TAU);
    let state = [body.x, body.y, body.heading, body.speed, drift.lateral, drift.yaw_rate];
    let slope = |state: State| derivative(state, command.acceleration, command.steering);
    let ahead = |slope: &State, time: f64| -> State {
        std::array::from_fn(|index| state[index] + slope[index] * time)
    };
    let one = slope(state);
    let two = slope(ahead(&one, dt / 2.0));
    let three = slope(ahead(&two, dt / 2.0));
    let four = slope(ahead(&three, dt));
    let next: State = std::array::from_fn(|index| {
        state[index] + dt / 6.0 * (one[index] + 2.0 * two[index] + 2.0 * three[index] + four[index])
    });
    let [x, y, heading, speed, lateral, yaw_rate] = next;
    *body = Body { x, y, heading, speed };
    *drift = Drift { lateral, yaw_rate };
    *facing = Facing::new(body.heading);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-8, "{found} against {expected}");
    }

    const DT: f64 = 1.0 / 15.0;

    /// Recorded trajectory T1 of the fact sheet.
    #[test]
    fn fact_28_kinematic_bicycle() {
        let mut body = Body { heading: 0.1, speed: 20.0, ..Body::default() };
        let mut facing = Facing::new(0.1);
        let mut damage = Damage::default();
        let mut command = Command { acceleration: 1.0, steering: 0.05 };
        let expected = [
            (1, 1.322_927_624, 0.166_253_662, 0.113_340_280, 20.066_666_667),
            (2, 2.647_921_702, 0.350_753_187, 0.126_725_028, 20.133_333_333),
            (5, 6.632_669_217, 1.015_146_521, 0.167_146_078, 20.333_333_333),
            (15, 19.936_189_249, 4.470_160_760, 0.304_773_305, 21.0),
            (30, 39.411_295_843, 13.402_269_813, 0.519_551_819, 22.0),
        ];
        for frame in 1..=30 {
            kinematic(&mut body, &mut facing, &mut damage, &mut command, DT);
            if let Some(line) = expected.iter().find(|line| line.0 == frame) {
                near(body.x, line.1);
                near(body.y, line.2);
                near(body.heading, line.3);
                near(body.speed, line.4);
            }
        }
    }

    /// Recorded trajectory T1b of the fact sheet.
    #[test]
    fn t1b_dynamical_bicycle() {
        let mut body = Body { heading: 0.1, speed: 20.0, ..Body::default() };
        let mut facing = Facing::new(0.1);
        let mut drift = Drift::default();
        let mut command = Command { acceleration: 1.0, steering: 0.05 };
        let expected = [
            (1, [1.328_560_758, 0.136_516_908, 0.102_931_364, 0.035_669_516, 0.080_755_262]),
            (15, [20.236_260_051, 3.214_257_752, 0.278_047_669, -0.859_864_539, 0.208_890_788]),
            (30, [40.507_881_572, 10.337_718_277, 0.492_141_964, -1.138_536_976, 0.219_192_305]),
        ];
        for frame in 1..=30 {
            let damage = Damage::default();
            dynamical(&mut body, &mut facing, &mut drift, &damage, &mut command, DT);
            if let Some((_, line)) = expected.iter().find(|line| line.0 == frame) {
                let found = [body.x, body.y, body.heading, drift.lateral, drift.yaw_rate];
                for (found, expected) in found.into_iter().zip(*line) {
                    near(found, expected);
                }
            }
        }
    }

    #[test]
    fn crashed_vehicles_lose_a_fifteenth_of_their_speed_a_frame() {
        let mut body = Body { speed: 30.0, ..Body::default() };
        let mut damage = Damage { crashed: true, ..Damage::default() };
        for frame in 1..=5 {
            let mut command = Command { acceleration: 3.0, steering: 0.2 };
            kinematic(&mut body, &mut Facing::default(), &mut damage, &mut command, DT);
            near(body.speed, 30.0 * (1.0 - DT).powi(frame));
            near(body.heading, 0.0);
        }
    }
}
