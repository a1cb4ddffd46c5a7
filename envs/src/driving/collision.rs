//! Collisions of rectangles by separating axes, now and within the next frame (fact sheet, 4.5).

use super::math::{dot, norm};
use super::vehicle::{BREADTH, LENGTH};

/// A rectangle that moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) centre: [f64; 2],
    /// Cosine and sine of its direction.
    pub(super) cos: f64,
    pub(super) sin: f64,
    pub(super) length: f64,
    pub(super) width: f64,
    /// m/s.
    pub(super) velocity: [f64; 2],
}

/// Half the diagonal of a vehicle.
pub(super) fn radius(length: f64, width: f64) -> f64 {
    (length * length + width * width).sqrt() / 2.0
}

/// How far apart along an axis two vehicles can be and still meet, at the given speed and frame.
pub(super) fn reach(speed: f64, dt: f64) -> f64 {
    2.0 * radius(LENGTH, BREADTH) + speed.max(0.0) * dt
}

/// What [`contact`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Contact {
    /// They overlap now.
    pub(super) now: bool,
    /// They overlap within the frame: the smallest displacement of the first that parts them.
    pub(super) push: Option<[f64; 2]>,
}

impl Block {
    fn corners(&self) -> [[f64; 2]; 4] {
        let (l, w) = (self.length / 2.0, self.width / 2.0);
        [(-l, -w), (-l, w), (l, w), (l, -w)].map(|(x, y)| {
            [
                self.cos * x - self.sin * y + self.centre[0],
                self.sin * x + self.cos * y + self.centre[1],
            ]
        })
    }
}

fn project(corners: &[[f64; 2]; 4], axis: [f64; 2]) -> (f64, f64) {
    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    for corner in corners {
        let place = dot(*corner, axis);
        range = (range.0.min(place), range.1.max(place));
    }
    range
}

/// Distance of two intervals, negative when they overlap.
fn apart(a: (f64, f64), b: (f64, f64)) -> f64 {
    if a.0 < b.0 { b.0 - a.1 } else { a.0 - b.1 }
}

/// Whether two rectangles overlap, or will within `dt` at their present velocities.
pub(super) fn contact(one: &Block, two: &Block, dt: f64) -> Contact {
    let corners = [one.corners(), two.corners()];
    let moved = [0, 1].map(|axis| one.velocity[axis] * dt - two.velocity[axis] * dt);
    let (mut now, mut soon) = (true, true);
    let (mut least, mut way) = (f64::INFINITY, [0.0; 2]);
    'polygons: for polygon in &corners {
        for side in 0..4 {
            let (from, to) = (polygon[side], polygon[(side + 1) % 4]);
            let (nx, ny) = (from[1] - to[1], to[0] - from[0]);
            let length = norm([nx, ny]);
            let axis = [nx / length, ny / length];
            let (mut a, b) = (project(&corners[0], axis), project(&corners[1], axis));
            now &= apart(a, b) <= 0.0;
            let motion = dot(axis, moved);
            if motion < 0.0 {
                a.0 += motion;
            } else {
                a.1 += motion;
            }
            let distance = apart(a, b);
            soon &= distance <= 0.0;
            if !now && !soon {
                break 'polygons;
            }
            if distance.abs() < least {
                least = distance.abs();
                let between = [one.centre[0] - two.centre[0], one.centre[1] - two.centre[1]];
                let away = dot(between, axis) > 0.0;
                way = if away { axis } else { axis.map(|part| -part) };
            }
        }
    }
    Contact { now, push: soon.then(|| way.map(|part| least * part)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: f64, y: f64, heading: f64, speed: f64) -> Block {
        let (sin, cos) = libm::sincos(heading);
        Block {
            centre: [x, y],
            cos,
            sin,
            length: LENGTH,
            width: BREADTH,
            velocity: [speed * cos, speed * sin],
        }
    }

    #[test]
    fn contacts_now_soon_and_never() {
        let stopped = block(20.0, 0.0, 0.0, 0.0);
        let dt = 1.0 / 15.0;
        // 30 m/s are 2 m a frame: from a gap of 1 m they overlap by 1 m.
        let soon = contact(&block(14.0, 0.0, 0.0, 30.0), &stopped, dt);
        assert!(!soon.now);
        assert_eq!(soon.push, Some([-1.0, 0.0]));
        let now = contact(&block(15.5, 0.0, 0.0, 30.0), &stopped, dt);
        assert!(now.now && now.push.is_some());
        assert_eq!(contact(&block(10.0, 0.0, 0.0, 30.0), &stopped, dt), Contact::default());
        assert_eq!(contact(&block(20.0, 2.5, 0.0, 0.0), &stopped, dt), Contact::default());
        // Turned by 45 degrees the corner reaches farther.
        let turned = contact(&block(20.0, 2.5, std::f64::consts::FRAC_PI_4, 0.0), &stopped, dt);
        assert!(turned.now);
    }

    #[test]
    fn pushes_part_what_overlaps() {
        for angle in [0.0, 0.3, 1.2, 2.9] {
            let (one, two) = (block(0.5, 1.1, angle, 0.0), block(2.0, 0.2, 0.7, 0.0));
            let found = contact(&one, &two, 0.1);
            assert!(found.now);
            let [dx, dy] = found.push.unwrap();
            let away =
                Block { centre: [one.centre[0] + dx * 1.001, one.centre[1] + dy * 1.001], ..one };
            assert!(!contact(&away, &two, 0.1).now, "{angle}");
        }
    }
}
