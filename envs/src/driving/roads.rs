//! The roads of highway-env 1.12.1, lane by lane in its order (fact sheet, 4.6 and 4.7).

use std::f64::consts::{FRAC_PI_2, PI};

use serde::{Deserialize, Serialize};

use super::lane::{LIMIT, Shape, WIDTH};
use super::road::{Obstacle, Part, Plan};

/// A road, by name or lane by lane.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Road {
    /// Straight parallel lanes from node `0` to node `1`.
    Highway {
        /// Number of lanes; 4.
        #[serde(default = "four")]
        lanes: usize,
        /// Metres; 10,000.
        #[serde(default = "long")]
        length: f64,
        /// m/s; 30.
        #[serde(default = "fast")]
        speed_limit: f64,
    },
    /// Lanes `a` to `b` at y = 0 and 4, and the lane from `b` back to `a` at y = 0.
    TwoWay {
        /// Metres; 800.
        #[serde(default = "two_way_length")]
        length: f64,
    },
    /// Two lanes `a`, `b`, `c`, `d` and a ramp `j`, `k`, `b` that joins them between `b` and `c`, with an obstacle at its end.
    Merge,
    /// Two rings of radius 20 and 24 with four arms.
    Roundabout,
    /// Four arms of 100 m with right and left turns; horizontal traffic has the right of way.
    Intersection,
    /// Straight lanes with a further one between 400 and 500 m, from which a ramp of radius 150 leaves.
    Exit {
        /// Number of lanes that go straight on; 6.
        #[serde(default = "six")]
        lanes: usize,
    },
    /// Two double lanes of 128 m joined by half circles.
    UTurn,
    /// A closed course of nine sections with two lanes of width 5.
    Racetrack,
    /// Any lanes and obstacles.
    Custom {
        /// The lanes; order decides which of two equally near lanes a vehicle is on.
        lanes: Vec<Part>,
        /// What stands on them.
        #[serde(default)]
        obstacles: Vec<Obstacle>,
    },
}

fn four() -> usize {
    4
}

fn six() -> usize {
    6
}

fn long() -> f64 {
    10_000.0
}

fn fast() -> f64 {
    30.0
}

fn two_way_length() -> f64 {
    800.0
}

impl Road {
    /// Its lanes and obstacles.
    pub(super) fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        match self {
            Self::Highway { lanes, length, speed_limit } => {
                plan.parallel("0", "1", *lanes, 0.0, *length, |_| *speed_limit);
            }
            Self::TwoWay { length } => {
                plan.straight("a", "b", (0.0, 0.0), (*length, 0.0));
                plan.straight("a", "b", (0.0, WIDTH), (*length, WIDTH));
                plan.straight("b", "a", (*length, 0.0), (0.0, 0.0));
            }
            Self::Merge => merge(&mut plan),
            Self::Roundabout => roundabout(&mut plan),
            Self::Intersection => intersection(&mut plan),
            Self::Exit { lanes } => exit(&mut plan, *lanes),
            Self::UTurn => u_turn(&mut plan),
            Self::Racetrack => racetrack(&mut plan),
            Self::Custom { lanes, obstacles } => {
                plan = Plan { parts: lanes.clone(), obstacles: obstacles.clone() };
            }
        }
        plan
    }
}

impl Plan {
    /// Adds a lane and returns it for further settings.
    fn add(&mut self, from: &str, to: &str, shape: Shape) -> &mut Part {
        let at = self.parts.len();
        self.parts.push(Part {
            from: from.to_owned(),
            to: to.to_owned(),
            shape,
            width: WIDTH,
            speed_limit: Some(LIMIT),
            forbidden: false,
            priority: 0,
        });
        &mut self.parts[at]
    }

    fn straight(&mut self, from: &str, to: &str, start: (f64, f64), end: (f64, f64)) -> &mut Part {
        self.add(from, to, Shape::Straight { start, end })
    }

    /// An arc whose phases are given in degrees.
    fn arc(
        &mut self,
        from: &str,
        to: &str,
        center: (f64, f64),
        radius: f64,
        (start, end): (f64, f64),
    ) -> &mut Part {
        let shape = Shape::Circular {
            center,
            radius,
            start_phase: start.to_radians(),
            end_phase: end.to_radians(),
            clockwise: end > start,
        };
        self.add(from, to, shape)
    }

    fn parallel(
        &mut self,
        from: &str,
        to: &str,
        lanes: usize,
        start: f64,
        length: f64,
        limit: impl Fn(usize) -> f64,
    ) {
        for lane in 0..lanes {
            let y = lane as f64 * WIDTH;
            let part = self.straight(from, to, (start, y), (start + length, y));
            part.speed_limit = Some(limit(lane));
        }
    }
}

fn merge(plan: &mut Plan) {
    // Before, converging, merging, after.
    let (before, converged, merged, after) = (150.0, 230.0, 310.0, 460.0);
    for y in [0.0, WIDTH] {
        plan.straight("a", "b", (0.0, y), (converged, y));
        plan.straight("b", "c", (converged, y), (merged, y));
        plan.straight("c", "d", (merged, y), (after, y));
    }
    let amplitude = 3.25;
    let ramp = 6.5 + 4.0 + 4.0;
    plan.straight("j", "k", (0.0, ramp), (before, ramp)).forbidden = true;
    let shape = Shape::Sine {
        start: (before, ramp - amplitude),
        end: (converged, ramp - amplitude),
        amplitude,
        pulsation: 2.0 * PI / (2.0 * 80.0),
        phase: FRAC_PI_2,
    };
    plan.add("k", "b", shape).forbidden = true;
    let joined = ramp - 2.0 * amplitude;
    plan.straight("b", "c", (converged, joined), (merged, joined)).forbidden = true;
    plan.obstacles.push(Obstacle { x: merged, y: joined, heading: 0.0 });
}

fn roundabout(plan: &mut Plan) {
    let alpha = 24.0;
    let ring = [
        ("se", "ex", 90.0 - alpha, alpha),
        ("ex", "ee", alpha, -alpha),
        ("ee", "nx", -alpha, -90.0 + alpha),
        ("nx", "ne", -90.0 + alpha, -90.0 - alpha),
        ("ne", "wx", -90.0 - alpha, -180.0 + alpha),
        ("wx", "we", -180.0 + alpha, -180.0 - alpha),
        ("we", "sx", 180.0 - alpha, 90.0 + alpha),
        ("sx", "se", 90.0 + alpha, 90.0 - alpha),
    ];
    for radius in [20.0, 24.0] {
        for (from, to, start, end) in ring {
            plan.arc(from, to, (0.0, 0.0), radius, (start, end));
        }
    }
    let (access, dev, a) = (170.0, 85.0, 5.0);
    let entry = 0.2 * dev;
    let exit = dev - entry;
    let pulsation = 2.0 * PI / dev;
    let half = dev / 2.0;
    // Each arm is the southern one, turned: a point (x, y) there is at `turn(x, y)`.
    let arms: [(&str, fn(f64, f64) -> (f64, f64)); 4] = [
        ("s", |x, y| (x, y)),
        ("e", |x, y| (y, -x)),
        ("n", |x, y| (-x, -y)),
        ("w", |x, y| (-y, x)),
    ];
    for (arm, turn) in arms {
        let node = |suffix: &str| format!("{arm}{suffix}");
        plan.straight(&node("er"), &node("es"), turn(2.0, access), turn(2.0, half));
        let mut bend = |from: &str, to: &str, start, end, phase| {
            let shape = Shape::Sine { start, end, amplitude: a, pulsation, phase };
            plan.add(from, to, shape);
        };
        bend(&node("es"), &node("e"), turn(2.0 + a, half), turn(2.0 + a, half - entry), -FRAC_PI_2);
        bend(
            &node("x"),
            &node("xs"),
            turn(-2.0 - a, -half + exit),
            turn(-2.0 - a, half),
            -FRAC_PI_2 + pulsation * exit,
        );
        plan.straight(&node("xs"), &node("xr"), turn(-2.0, half), turn(-2.0, access));
    }
}

fn intersection(plan: &mut Plan) {
    let right = WIDTH + 5.0;
    let left = right + WIDTH;
    let outer = right + WIDTH / 2.0;
    let access = 100.0;
    for corner in 0..4_usize {
        let angle = (90.0 * corner as f64).to_radians();
        let (sin, cos) = libm::sincos(angle);
        let turn = |x: f64, y: f64| (cos * x - sin * y, sin * x + cos * y);
        let priority = if corner % 2 == 1 { 3 } else { 1 };
        let inner = |step: usize| format!("il{}", (corner + step) % 4);
        let (road, entry) = (format!("o{corner}"), format!("ir{corner}"));
        let set = |part: &mut Part, priority: i32| {
            part.speed_limit = Some(10.0);
            part.priority = priority;
        };
        let (far, near) = (access + outer, outer);
        let part = plan.straight(&road, &entry, turn(WIDTH / 2.0, far), turn(WIDTH / 2.0, near));
        set(part, priority);
        let bend = |center, radius, start: f64, end: f64, clockwise| Shape::Circular {
            center,
            radius,
            start_phase: angle + start.to_radians(),
            end_phase: angle + end.to_radians(),
            clockwise,
        };
        let shape = bend(turn(outer, outer), right, 180.0, 270.0, true);
        set(plan.add(&entry, &inner(3), shape), priority);
        let centre = turn(-left + WIDTH / 2.0, left - WIDTH / 2.0);
        let shape = bend(centre, left, 0.0, -90.0, false);
        set(plan.add(&entry, &inner(1), shape), priority - 1);
        let part =
            plan.straight(&entry, &inner(2), turn(WIDTH / 2.0, near), turn(WIDTH / 2.0, -near));
        set(part, priority);
        let (start, end) = (turn(near, WIDTH / 2.0), turn(far, WIDTH / 2.0));
        let part = plan.straight(&inner(3), &format!("o{}", (corner + 3) % 4), start, end);
        set(part, priority);
    }
}

fn exit(plan: &mut Plan, lanes: usize) {
    let (position, length, total) = (400.0, 100.0, 1000.0);
    let limit = |lane: usize| 26.0 - 3.4 * lane as f64;
    plan.parallel("0", "1", lanes, 0.0, position, limit);
    plan.parallel("1", "2", lanes + 1, position, length, limit);
    plan.parallel("2", "3", lanes, position + length, total - position - length, limit);
    let radius = 150.0;
    let center = (position + length, lanes as f64 * WIDTH + radius);
    plan.arc("2", "exit", center, radius, (270.0, 360.0)).forbidden = true;
}

fn u_turn(plan: &mut Plan) {
    let length = 128.0;
    plan.straight("c", "d", (length, WIDTH), (0.0, WIDTH));
    plan.straight("c", "d", (length, 0.0), (0.0, 0.0));
    for radius in [20.0, 20.0 + WIDTH] {
        plan.arc("b", "c", (length, WIDTH + 20.0), radius, (90.0, -90.0));
    }
    let offset = 40.0;
    for y in [WIDTH + offset, 2.0 * WIDTH + offset] {
        plan.straight("a", "b", (0.0, y), (length, y));
    }
}

fn racetrack(plan: &mut Plan) {
    let first = plan.parts.len();
    plan.straight("a", "b", (42.0, 0.0), (100.0, 0.0));
    plan.straight("a", "b", (42.0, 5.0), (100.0, 5.0));
    for radius in [20.0, 25.0] {
        plan.arc("b", "c", (100.0, -20.0), radius, (90.0, -1.0));
    }
    plan.straight("c", "d", (120.0, -20.0), (120.0, -30.0));
    plan.straight("c", "d", (125.0, -20.0), (125.0, -30.0));
    for radius in [15.0, 20.0] {
        plan.arc("d", "e", (105.0, -30.0), radius, (0.0, -181.0));
    }
    plan.arc("e", "f", (70.0, -30.0), 20.0, (0.0, 136.0));
    plan.arc("e", "f", (70.0, -30.0), 15.0, (0.0, 137.0));
    plan.straight("f", "g", (55.7, -15.7), (35.7, -35.7));
    plan.straight("f", "g", (59.3934, -19.2), (39.3934, -39.2));
    let center = (18.1, -18.1);
    plan.arc("g", "h", center, 25.0, (315.0, 170.0));
    plan.arc("g", "h", center, 30.0, (315.0, 165.0));
    plan.arc("h", "i", center, 25.0, (170.0, 56.0));
    plan.arc("h", "i", center, 30.0, (170.0, 58.0));
    plan.arc("i", "a", (43.2, 23.4), 23.5, (240.0, 270.0));
    plan.arc("i", "a", (43.2, 23.4), 18.5, (238.0, 268.0));
    for part in &mut plan.parts[first..] {
        part.width = 5.0;
        part.speed_limit = Some(10.0);
    }
}

#[cfg(test)]
mod tests {
    use gambol_solvers::seed::{Purpose, Streams, unit_f64};

    use super::super::road::{Network, closer};
    use super::*;

    fn all() -> [(Road, (usize, usize, usize), f64); 8] {
        let highway = Road::Highway { lanes: 4, length: 10_000.0, speed_limit: 30.0 };
        [
            (highway, (2, 1, 4), 40_000.0),
            (Road::TwoWay { length: 800.0 }, (2, 2, 3), 2400.0),
            (Road::Merge, (6, 5, 9), 1230.0),
            (Road::Roundabout, (24, 24, 32), 1_432.460_154),
            (Road::Intersection, (12, 20, 20), 1_026.230_077),
            (Road::Exit { lanes: 6 }, (5, 4, 20), 6_335.619_449),
            (Road::UTurn, (4, 3, 6), 650.230_077),
            (Road::Racetrack, (9, 9, 18), 730.129_952),
        ]
    }

    fn network(road: &Road) -> Network {
        Network::new(&road.plan()).unwrap()
    }

    #[test]
    fn fact_36_nodes_edges_lanes_and_lengths() {
        for (road, counts, length) in all() {
            let network = network(&road);
            let found = (network.nodes(), network.edges.len(), network.lanes.len());
            assert_eq!(found, counts, "{road:?}");
            let total: f64 = network.lanes.iter().map(|lane| lane.length).sum();
            assert!((total - length).abs() < 1e-5, "{road:?}: {total}");
        }
    }

    #[test]
    fn fact_37_shortest_paths_go_by_name() {
        let path = |road: &Road, from: &str, to: &str| {
            let network = network(road);
            let nodes = network.shortest(network.node(from).unwrap(), network.node(to).unwrap());
            let names: Vec<String> =
                nodes.unwrap().into_iter().map(|node| network.name(node).to_owned()).collect();
            names.join(",")
        };
        assert_eq!(path(&Road::Roundabout, "ses", "sxr"), "se,ex,ee,nx,ne,wx,we,sx,sxs,sxr");
        assert_eq!(path(&Road::Intersection, "ir0", "o1"), "il1,o1");
        let highway = network(&Road::UTurn);
        assert_eq!(highway.shortest(highway.node("d").unwrap(), highway.node("a").unwrap()), None);
    }

    #[test]
    fn fact_38_lengths_at_the_intersection() {
        let network = network(&Road::Intersection);
        let length =
            |from, to| network.lanes[usize::from(network.lane(from, to, 0).unwrap())].length;
        for (from, to, expected) in [
            ("o0", "ir0", 100.0),
            ("ir0", "il3", 14.137_167),
            ("ir0", "il1", 20.420_352),
            ("ir0", "il2", 22.0),
            ("il3", "o3", 100.0),
        ] {
            assert!(
                (length(from, to) - expected).abs() < 1e-6,
                "{from} {to}: {}",
                length(from, to)
            );
        }
    }

    /// The short lists of lanes give what a search over all lanes gives.
    #[test]
    fn nearby_lanes_are_all_that_matter() {
        let mut rng = Streams::new(5).at(Purpose::Generate, 0, 0);
        for (road, ..) in all() {
            let network = network(&road);
            for _ in 0..4000 {
                // Around a random point of a random lane.
                let lane =
                    &network.lanes[(unit_f64(&mut rng) * network.lanes.len() as f64) as usize];
                let along = lane.length * (1.4 * unit_f64(&mut rng) - 0.2);
                let point = lane.position(along, 24.0 * unit_f64(&mut rng) - 12.0);
                let heading = 12.0 * unit_f64(&mut rng) - 6.0;
                let mut best = (f64::INFINITY, 0);
                let mut on = Vec::new();
                for (number, lane) in network.lanes.iter().enumerate() {
                    let local = lane.local(point);
                    closer(&mut best, number as u16, lane, local, heading);
                    if lane.holds(local, 1.0) {
                        on.push(number as u16);
                    }
                }
                let mut found = Vec::new();
                let (lane, at) = network.survey(point, heading, |number, _| found.push(number));
                assert_eq!(lane, best.1, "{road:?} at {point:?}");
                assert_eq!(at, network.lanes[usize::from(lane)].local(point));
                assert_eq!(found, on, "{road:?} at {point:?}");
            }
        }
    }
}
