//! Lanes: centre curves with local coordinates (s along the lane, r to the right of travel).
//!
//! Geometry, widths and the L1 distance to a lane are those of highway-env 1.12.1 (fact sheet, 4.7).
//! The y axis points to the right of travel at heading 0, so lane numbers grow to the right.

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

use super::angles::{atan, atan2, sincos};
use super::math::{dot, norm, wrap};

/// Width of a lane unless said otherwise, in metres.
pub(super) const WIDTH: f64 = 4.0;

/// Speed limit of a lane unless said otherwise, in m/s: the reference's default, which merge, two-way and roundabout
/// roads keep.
pub(super) const LIMIT: f64 = 20.0;

/// How far before its start and after its end a lane still counts, in metres.
pub(super) const OVERHANG: f64 = 5.0;

/// The centre curve of a lane, in metres and radians.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Shape {
    /// A segment.
    Straight {
        /// Where it starts, (x, y).
        start: (f64, f64),
        /// Where it ends, (x, y).
        end: (f64, f64),
    },
    /// A segment whose lateral offset is `amplitude sin(pulsation s + phase)`; its length is the segment's.
    Sine {
        /// Where the segment starts, (x, y).
        start: (f64, f64),
        /// Where the segment ends, (x, y).
        end: (f64, f64),
        /// Largest offset, in metres.
        amplitude: f64,
        /// Radians a metre.
        pulsation: f64,
        /// Radians at the start.
        phase: f64,
    },
    /// A circular arc.
    Circular {
        /// Centre, (x, y).
        center: (f64, f64),
        /// Radius, in metres.
        radius: f64,
        /// Angle where it starts.
        start_phase: f64,
        /// Angle where it ends.
        end_phase: f64,
        /// Whether angles grow along the way.
        clockwise: bool,
    },
}

/// The segment under a straight or sine lane.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: [f64; 2],
    along: [f64; 2],
    heading: f64,
    /// Whether it lies along an axis, so that products need not be fused.
    aligned: bool,
}

impl Segment {
    fn new(start: (f64, f64), end: (f64, f64)) -> (Self, f64) {
        let (dx, dy) = (end.0 - start.0, end.1 - start.1);
        let length = norm([dx, dy]);
        let along = [dx / length, dy / length];
        let (start, heading) = ([start.0, start.1], atan2(dy, dx));
        (Self { start, along, heading, aligned: dx == 0.0 || dy == 0.0 }, length)
    }

    fn local(&self, [x, y]: [f64; 2]) -> (f64, f64) {
        let (dx, dy) = (x - self.start[0], y - self.start[1]);
        let [ax, ay] = self.along;
        if self.aligned {
            (dx * ax + dy * ay, dy * ax - dx * ay)
        } else {
            (dot([dx, dy], [ax, ay]), dot([dx, dy], [-ay, ax]))
        }
    }

    fn position(&self, s: f64, r: f64) -> [f64; 2] {
        let [ax, ay] = self.along;
        [self.start[0] + s * ax - r * ay, self.start[1] + s * ay + r * ax]
    }
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    Straight(Segment),
    Sine { base: Segment, amplitude: f64, pulsation: f64, phase: f64 },
    Circular { center: [f64; 2], radius: f64, start: f64, sense: f64 },
}

/// Direction and distance of a point from the last centre asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Polar {
    last: Option<([f64; 2], f64, f64)>,
}

impl Polar {
    fn of(&mut self, point: [f64; 2], center: [f64; 2]) -> (f64, f64) {
        if let Some((of, angle, distance)) = self.last
            && of.map(f64::to_bits) == center.map(f64::to_bits)
        {
            return (angle, distance);
        }
        let (dx, dy) = (point[0] - center[0], point[1] - center[1]);
        let found = (atan2(dy, dx), norm([dx, dy]));
        self.last = Some((center, found.0, found.1));
        found
    }
}

/// One lane with all that is computed once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    curve: Curve,
    pub(super) length: f64,
    pub(super) width: f64,
    /// Largest speed of IDM vehicles, if there is one, in m/s.
    pub(super) limit: Option<f64>,
    /// Whether changing into this lane is forbidden.
    pub(super) forbidden: bool,
    /// Right of way: the lower value yields.
    pub(super) priority: i32,
    /// Edge of the network that it belongs to.
    pub(super) edge: u16,
    /// Its number on that edge, counted from the left.
    pub(super) id: u16,
    /// Whether it leads away from an intersection's crossing.
    pub(super) leaves: bool,
}

impl Lane {
    pub(super) fn new(shape: &Shape, width: f64, limit: Option<f64>) -> Self {
        let (curve, length) = match *shape {
            Shape::Straight { start, end } => {
                let (segment, length) = Segment::new(start, end);
                (Curve::Straight(segment), length)
            }
            Shape::Sine { start, end, amplitude, pulsation, phase } => {
                let (base, length) = Segment::new(start, end);
                (Curve::Sine { base, amplitude, pulsation, phase }, length)
            }
            Shape::Circular { center, radius, start_phase, end_phase, clockwise } => {
                let sense = if clockwise { 1.0 } else { -1.0 };
                let center = [center.0, center.1];
                let curve = Curve::Circular { center, radius, start: start_phase, sense };
                (curve, radius * (end_phase - start_phase) * sense)
            }
        };
        let (forbidden, priority, edge, id, leaves) = (false, 0, 0, 0, false);
        Self { curve, length, width, limit, forbidden, priority, edge, id, leaves }
    }

    /// (s, r) of a point.
    pub(super) fn local(&self, point: [f64; 2]) -> (f64, f64) {
        self.local_with(point, &mut Polar::default())
    }

    /// The same, for many lanes and one point: arcs around one centre share the direction to the point.
    pub(super) fn local_with(&self, point: [f64; 2], polar: &mut Polar) -> (f64, f64) {
        match self.curve {
            Curve::Straight(segment) => segment.local(point),
            Curve::Sine { base, amplitude, pulsation, phase } => {
                let (s, r) = base.local(point);
                (s, r - amplitude * sincos(pulsation * s + phase).0)
            }
            Curve::Circular { center, radius, start, sense } => {
                let (angle, distance) = polar.of(point, center);
                // The angle is kept in [start - pi, start + pi): an arc of more than half a circle is cut there,
                // as in the reference.
                let phi = start + wrap(angle - start);
                (sense * (phi - start) * radius, sense * (radius - distance))
            }
        }
    }

    /// Lower bounds of |r| and of how far s is outside the lane, without transcendental functions; nothing where
    /// [`local`](Self::local) has none itself.
    pub(super) fn glance(&self, point: [f64; 2]) -> Option<(f64, f64)> {
        let outside = |s: f64| (s - self.length).max(-s).max(0.0);
        match self.curve {
            Curve::Straight(_) => None,
            Curve::Sine { base, amplitude, .. } => {
                let (s, r) = base.local(point);
                Some(((r.abs() - amplitude.abs()).max(0.0), outside(s)))
            }
            Curve::Circular { center, radius, .. } => {
                let distance = norm([point[0] - center[0], point[1] - center[1]]);
                Some(((radius - distance).abs(), 0.0))
            }
        }
    }

    /// The point at (s, r).
    pub(super) fn position(&self, s: f64, r: f64) -> [f64; 2] {
        match self.curve {
            Curve::Straight(segment) => segment.position(s, r),
            Curve::Sine { base, amplitude, pulsation, phase } => {
                base.position(s, r + amplitude * sincos(pulsation * s + phase).0)
            }
            Curve::Circular { center, radius, start, sense } => {
                let (sin, cos) = sincos(sense * s / radius + start);
                let distance = radius - r * sense;
                [center[0] + distance * cos, center[1] + distance * sin]
            }
        }
    }

    /// Points along the lane, `r` metres to the right of its middle, close enough together to be drawn as straight lines.
    pub(super) fn line(&self, r: f64) -> Vec<[f64; 2]> {
        let parts = match self.curve {
            Curve::Straight(_) => 1,
            // Two metres, at a radius of 20 m: 2.5 cm from the arc.
            _ => (self.length / 2.0).ceil().max(1.0) as u32,
        };
        (0..=parts)
            .map(|part| self.position(self.length * f64::from(part) / f64::from(parts), r))
            .collect()
    }

    /// Direction of travel at s, in radians, not wrapped.
    pub(super) fn heading(&self, s: f64) -> f64 {
        match self.curve {
            Curve::Straight(segment) => segment.heading,
            Curve::Sine { base, amplitude, pulsation, phase } => {
                base.heading + atan(amplitude * pulsation * sincos(pulsation * s + phase).1)
            }
            Curve::Circular { radius, start, sense, .. } => {
                sense * s / radius + start + FRAC_PI_2 * sense
            }
        }
    }

    /// Whether (s, r) is on the lane, widened by `margin` on both sides.
    pub(super) fn holds(&self, (s, r): (f64, f64), margin: f64) -> bool {
        r.abs() <= self.width / 2.0 + margin && -OVERHANG <= s && s < self.length + OVERHANG
    }

    /// Whether a vehicle at (s, r) may change into this lane.
    pub(super) fn reachable(&self, (s, r): (f64, f64)) -> bool {
        !self.forbidden && r.abs() <= 2.0 * self.width && 0.0 <= s && s < self.length + OVERHANG
    }

    /// Whether s is so near the end that the next lane should be followed.
    pub(super) fn ends_at(&self, s: f64) -> bool {
        s > self.length - OVERHANG / 2.0
    }

    /// L1 distance of (s, r) to the lane.
    pub(super) fn distance(&self, (s, r): (f64, f64)) -> f64 {
        r.abs() + (s - self.length).max(0.0) + (-s).max(0.0)
    }

    /// How much a vehicle's heading differs from the lane's at s, in [-pi, pi).
    pub(super) fn angle(&self, heading: f64, s: f64) -> f64 {
        wrap(heading - self.heading(s))
    }

    /// How many times shorter the straight way to the lane can be than [`distance`](Self::distance).
    pub(super) fn slack(&self) -> f64 {
        match self.curve {
            Curve::Sine { amplitude, pulsation, .. } => {
                let slope = amplitude * pulsation;
                (1.0 + slope * slope).sqrt()
            }
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    fn lanes() -> Vec<Lane> {
        let arc = |clockwise, start_phase, end_phase| Shape::Circular {
            center: (3.0, -2.0),
            radius: 20.0,
            start_phase,
            end_phase,
            clockwise,
        };
        [
            Shape::Straight { start: (1.0, 2.0), end: (31.0, 42.0) },
            Shape::Sine {
                start: (0.0, 5.0),
                end: (-80.0, 5.0),
                amplitude: 3.25,
                pulsation: PI / 80.0,
                phase: FRAC_PI_2,
            },
            arc(true, 0.3, 2.0),
            arc(false, 2.0, 0.3),
        ]
        .iter()
        .map(|shape| Lane::new(shape, WIDTH, Some(LIMIT)))
        .collect()
    }

    #[test]
    fn points_survive_the_way_there_and_back() {
        for lane in lanes() {
            assert!(lane.length > 30.0);
            for step in 0..=20 {
                let s = lane.length * f64::from(step) / 20.0;
                for r in [-3.0, 0.0, 1.5] {
                    let (back, across) = lane.local(lane.position(s, r));
                    assert!((back - s).abs() < 1e-9, "{lane:?}: {s} {back}");
                    assert!((across - r).abs() < 1e-9, "{lane:?}: {r} {across}");
                }
            }
        }
    }

    #[test]
    fn headings_are_the_directions_of_travel() {
        for lane in lanes() {
            for step in 1..20 {
                let s = lane.length * f64::from(step) / 20.0;
                let ([x0, y0], [x1, y1]) =
                    (lane.position(s - 1e-5, 0.0), lane.position(s + 1e-5, 0.0));
                let numeric = libm::atan2(y1 - y0, x1 - x0);
                assert!(wrap(lane.heading(s) - numeric).abs() < 1e-8, "{lane:?} at {s}");
            }
        }
    }
}
