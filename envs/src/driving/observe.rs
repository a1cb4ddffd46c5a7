//! What learners see: nearby vehicles, an occupancy grid, times to collision, or distances along rays (fact sheet, 4.6).

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

use serde::{Deserialize, Serialize};

use super::cars::{BLOCK, Cars};
use super::lane::WIDTH;
use super::math::{line, norm, not_zero};
use super::road::Network;
use super::vehicle::{BREADTH, LENGTH};

/// A number about a vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// 1 where there is a vehicle.
    Presence,
    /// Position, in metres.
    X,
    /// Position, in metres.
    Y,
    /// Velocity, in m/s.
    Vx,
    /// Velocity, in m/s.
    Vy,
    /// Radians.
    Heading,
    /// Cosine of the heading.
    CosH,
    /// Sine of the heading.
    SinH,
    /// Direction of the end of the route, or 0; of others only with `observe_intentions`.
    CosD,
    /// Direction of the end of the route, or 0; of others only with `observe_intentions`.
    SinD,
    /// Metres along the lane.
    LongOff,
    /// Metres to the right of the lane's centre.
    LatOff,
    /// Heading against the lane's, in radians.
    AngOff,
    /// Occupancy grid only: 1 where there is road.
    OnRoad,
}

/// Numbers of the ego vehicle and of the nearest others, one row each.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kinematics {
    /// Rows, the ego's included; 5.
    pub vehicles: usize,
    /// Columns; presence, x, y, vx, vy.
    pub features: Vec<Feature>,
    /// Values that are taken to -1 and 1; x 200 m, y 4 m a lane of the road where the episode begins, vx and vy 80 m/s.
    pub ranges: BTreeMap<Feature, (f64, f64)>,
    /// Whether others are not seen relative to the ego.
    pub absolute: bool,
    /// Whether ranges are applied; true.
    pub normalize: bool,
    /// Whether what is beyond its range is cut; true.
    pub clip: bool,
    /// Whether vehicles more than 10 m behind are seen.
    pub see_behind: bool,
    /// Whether others' destinations are seen.
    pub observe_intentions: bool,
    /// Whether obstacles are seen; true.
    pub include_obstacles: bool,
    /// The ego's `x` is its place along the last lane between these nodes (the reference's exit observation).
    pub ego_x_along: Option<(String, String)>,
}

impl Default for Kinematics {
    fn default() -> Self {
        Self {
            vehicles: 5,
            features: vec![Feature::Presence, Feature::X, Feature::Y, Feature::Vx, Feature::Vy],
            ranges: BTreeMap::new(),
            absolute: false,
            normalize: true,
            clip: true,
            see_behind: false,
            observe_intentions: false,
            include_obstacles: true,
            ego_x_along: None,
        }
    }
}

/// Layers of cells around the ego.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grid {
    /// Layers; presence, vx, vy, `on_road`.
    pub features: Vec<Feature>,
    /// Metres along x and along y, from and to; 27.5 to all sides.
    pub size: ((f64, f64), (f64, f64)),
    /// Metres of a cell along x and y; 5.
    pub step: (f64, f64),
    /// Values that are taken to -1 and 1; vx and vy 80 m/s.
    pub ranges: BTreeMap<Feature, (f64, f64)>,
    /// Whether x is the ego's direction.
    pub align_to_vehicle_axes: bool,
    /// Whether values are cut to [-1, 1]; true.
    pub clip: bool,
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            features: vec![Feature::Presence, Feature::Vx, Feature::Vy, Feature::OnRoad],
            size: ((-27.5, 27.5), (-27.5, 27.5)),
            step: (5.0, 5.0),
            ranges: BTreeMap::new(),
            align_to_vehicle_axes: false,
            clip: true,
        }
    }
}

/// Distance and speed of what each ray meets.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lidar {
    /// Rays; 16.
    pub cells: usize,
    /// Metres; 60.
    pub maximum_range: f64,
    /// Whether both are divided by the range; true.
    pub normalize: bool,
}

impl Default for Lidar {
    fn default() -> Self {
        Self { cells: 16, maximum_range: 60.0, normalize: true }
    }
}

/// Predicted collisions: three target speeds around the present one, three lanes around the present one, and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ttc {
    /// Seconds; 10.
    pub horizon: u32,
}

impl Default for Ttc {
    fn default() -> Self {
        Self { horizon: 10 }
    }
}

/// What learners see, as a scenario file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Look {
    /// Rows of numbers about vehicles.
    Kinematics(Kinematics),
    /// A grid around the ego.
    OccupancyGrid(Grid),
    /// Times to collision; needs meta-actions.
    TimeToCollision(Ttc),
    /// Rays.
    Lidar(Lidar),
}

impl Default for Look {
    fn default() -> Self {
        Self::Kinematics(Kinematics::default())
    }
}

/// How far vehicles are seen, in metres.
const SIGHT: f64 = 200.0;

/// Buffers of a shard's observations.
#[derive(Debug, Default)]
pub(super) struct Seeing {
    found: Vec<(f64, u16)>,
}

impl Seeing {
    pub(super) fn new(slots: usize, obstacles: usize) -> Self {
        Self { found: Vec::with_capacity(slots + obstacles) }
    }
}

/// The observer: its row, its target speeds, and the number of lanes where its episode began.
#[derive(Clone, Copy)]
pub(super) struct Observer<'a> {
    pub(super) slot: usize,
    pub(super) speeds: &'a [f64],
    pub(super) lanes: u16,
    /// Decisions a second.
    pub(super) frequency: f64,
}

impl Look {
    /// Checks; the shape, the smallest and the largest values.
    pub(super) fn space(
        &self,
        network: &Network,
        frequency: u32,
        speeds: usize,
        problems: &mut Vec<String>,
    ) -> (Vec<usize>, Vec<f32>, Vec<f32>) {
        let mut refuse = |why: String| problems.push(format!("`observation`: {why}"));
        let any = (f32::NEG_INFINITY, f32::INFINITY);
        let spread = |count: usize, (low, high): (f32, f32)| (vec![low; count], vec![high; count]);
        match self {
            Self::Kinematics(look) => {
                if !(1..=1000).contains(&look.vehicles) {
                    refuse(format!("`vehicles` is {}, there must be 1 to 1000", look.vehicles));
                }
                if look.features.is_empty() || look.features.contains(&Feature::OnRoad) {
                    refuse("`features` must name at least one, and not `on_road`".to_owned());
                }
                check_ranges(&look.ranges, &mut refuse);
                if let Some((from, to)) = &look.ego_x_along
                    && network.edge(from, to).is_none()
                {
                    refuse(format!(
                        "`ego_x_along`: the road does not lead from `{from}` to `{to}`"
                    ));
                }
                let bounds = |feature: &Feature| {
                    let cut = look.normalize && look.clip && look.range(*feature, 1).is_some();
                    match feature {
                        Feature::Presence => (0.0, 1.0),
                        Feature::CosH | Feature::SinH | Feature::CosD | Feature::SinD => {
                            (-1.0, 1.0)
                        }
                        Feature::AngOff => (-PI as f32, PI as f32),
                        _ if cut => (-1.0, 1.0),
                        _ => any,
                    }
                };
                let (low, high): (Vec<f32>, Vec<f32>) = look.features.iter().map(bounds).unzip();
                let shape = vec![look.vehicles, look.features.len()];
                (shape, low.repeat(look.vehicles), high.repeat(look.vehicles))
            }
            Self::OccupancyGrid(grid) => {
                let (columns, rows) = grid.cells();
                let ordered = grid.size.0.0 < grid.size.0.1 && grid.size.1.0 < grid.size.1.1;
                let positive = grid.step.0 > 0.0 && grid.step.1 > 0.0;
                if !(ordered
                    && positive
                    && (1..=1000).contains(&columns)
                    && (1..=1000).contains(&rows))
                {
                    refuse(
                        "`size` and `step` must give 1 to 1000 cells along each axis".to_owned(),
                    );
                }
                if grid.features.is_empty() {
                    refuse("`features` must name at least one".to_owned());
                }
                check_ranges(&grid.ranges, &mut refuse);
                let shape = vec![grid.features.len(), columns.min(1000), rows.min(1000)];
                let count = shape.iter().product();
                let (low, high) = spread(count, if grid.clip { (-1.0, 1.0) } else { any });
                (shape, low, high)
            }
            Self::TimeToCollision(ttc) => {
                let times = ttc.horizon * frequency;
                if !(1..=1000).contains(&times) {
                    refuse(format!(
                        "`horizon` is {} s: {times} decisions, there must be 1 to 1000",
                        ttc.horizon
                    ));
                }
                if speeds < 2 {
                    refuse(
                        "`TimeToCollision` needs meta-actions with at least 2 target speeds"
                            .to_owned(),
                    );
                }
                let shape = vec![3, 3, times.min(1000) as usize];
                let (low, high) = spread(shape.iter().product(), (0.0, 1.0));
                (shape, low, high)
            }
            Self::Lidar(lidar) => {
                if !(2..=1000).contains(&lidar.cells) {
                    refuse(format!("`cells` is {}, there must be 2 to 1000", lidar.cells));
                }
                if !(lidar.maximum_range > 0.0 && lidar.maximum_range.is_finite()) {
                    refuse("`maximum_range` must be above 0".to_owned());
                }
                let (low, high) = spread(2 * lidar.cells.min(1000), any);
                (vec![lidar.cells.min(1000), 2], low, high)
            }
        }
    }

    /// Writes one learner's observation.
    pub(super) fn write(
        &self,
        cars: &Cars<'_>,
        observer: Observer<'_>,
        seeing: &mut Seeing,
        out: &mut [f32],
    ) {
        match self {
            Self::Kinematics(look) => look.write(cars, observer, seeing, out),
            Self::OccupancyGrid(grid) => grid.write(cars, observer, seeing, out),
            Self::TimeToCollision(_) => time_to_collision(cars, observer, out),
            Self::Lidar(lidar) => lidar.write(cars, observer, out),
        }
    }
}

fn check_ranges(ranges: &BTreeMap<Feature, (f64, f64)>, refuse: &mut impl FnMut(String)) {
    for (feature, &(low, high)) in ranges {
        if !(low.is_finite() && high.is_finite() && low < high) {
            refuse(format!("`ranges`: that of {feature:?} does not grow"));
        }
    }
}

/// A number about a vehicle or an obstacle. What an obstacle has not, such as a lane offset, is 0.
fn value(cars: &Cars<'_>, who: u16, feature: Feature, intentions: bool) -> f64 {
    let slot = usize::from(who);
    let vehicle = slot < cars.slots();
    let direction = || {
        if vehicle {
            (cars.facings[slot].cos, cars.facings[slot].sin)
        } else {
            let (sin, cos) = libm::sincos(cars.network.obstacles[slot - cars.slots()].heading);
            (cos, sin)
        }
    };
    match feature {
        Feature::Presence => 1.0,
        Feature::X => cars.point(who)[0],
        Feature::Y => cars.point(who)[1],
        Feature::Vx => cars.velocity(who)[0],
        Feature::Vy => cars.velocity(who)[1],
        Feature::CosH => direction().0,
        Feature::SinH => direction().1,
        _ if !vehicle => 0.0,
        Feature::Heading => cars.bodies[slot].heading,
        Feature::CosD if intentions => towards_goal(cars, slot)[0],
        Feature::SinD if intentions => towards_goal(cars, slot)[1],
        Feature::LongOff => cars.tracks[slot].s,
        Feature::LatOff => cars.tracks[slot].r,
        Feature::AngOff => cars.lane(slot).angle(cars.bodies[slot].heading, cars.tracks[slot].s),
        Feature::CosD | Feature::SinD | Feature::OnRoad => 0.0,
    }
}

/// Unit vector to the end of a vehicle's route, or 0.
fn towards_goal(cars: &Cars<'_>, slot: usize) -> [f64; 2] {
    let Some(leg) = cars.route(slot).last() else { return [0.0; 2] };
    let lanes = &cars.network.edges[usize::from(leg.edge)].lanes;
    let lane = &cars.network.lanes[usize::from(lanes.start + leg.id.unwrap_or(0))];
    let [x, y] = lane.position(lane.length, 0.0);
    let (dx, dy) = (x - cars.bodies[slot].x, y - cars.bodies[slot].y);
    let norm = norm([dx, dy]);
    if norm > 0.0 { [dx / norm, dy / norm] } else { [0.0; 2] }
}

impl Kinematics {
    /// What is taken to -1 and 1.
    fn range(&self, feature: Feature, lanes: u16) -> Option<(f64, f64)> {
        if !self.ranges.is_empty() {
            return self.ranges.get(&feature).copied();
        }
        let most = match feature {
            Feature::X => SIGHT,
            Feature::Y => WIDTH * f64::from(lanes),
            Feature::Vx | Feature::Vy => 80.0,
            _ => return None,
        };
        Some((-most, most))
    }

    fn write(&self, cars: &Cars<'_>, observer: Observer<'_>, seeing: &mut Seeing, out: &mut [f32]) {
        let ego = observer.slot;
        self.find(cars, ego, &mut seeing.found);
        let others = seeing.found.iter().map(|&(_, who)| who);
        let mut rows = out.chunks_exact_mut(self.features.len());
        // The list comes first: `zip` must not take a row that it has nobody for.
        for (who, row) in std::iter::once(ego as u16).chain(others).zip(rows.by_ref()) {
            let own = usize::from(who) == ego;
            for (entry, &feature) in row.iter_mut().zip(&self.features) {
                let mut number = value(cars, who, feature, own || self.observe_intentions);
                let relative =
                    matches!(feature, Feature::X | Feature::Y | Feature::Vx | Feature::Vy);
                if own
                    && feature == Feature::X
                    && let Some((from, to)) = &self.ego_x_along
                    && let Some(edge) = cars.network.edge(from, to)
                {
                    let lane = cars.network.edges[usize::from(edge)].lanes.end - 1;
                    number = cars.local(ego, lane).0;
                } else if relative && !own && !self.absolute {
                    number -= value(cars, ego as u16, feature, true);
                }
                if self.normalize
                    && let Some(range) = self.range(feature, observer.lanes)
                {
                    number = line(number, range, (-1.0, 1.0));
                    if self.clip {
                        number = number.clamp(-1.0, 1.0);
                    }
                }
                *entry = number as f32;
            }
        }
        for row in rows {
            row.fill(0.0);
        }
    }

    /// The nearest others along the ego's lane, nearest first, those earlier in the list first among equals.
    fn find(&self, cars: &Cars<'_>, ego: usize, found: &mut Vec<(f64, u16)>) {
        found.clear();
        let room = self.vehicles - 1;
        if room == 0 {
            return;
        }
        let body = cars.bodies[ego];
        let mut consider = |who: u16, see_behind: bool| {
            let [x, y] = cars.point(who);
            let (dx, dy) = (x - body.x, y - body.y);
            if norm([dx, dy]) >= SIGHT {
                return;
            }
            let ahead = cars.gap(ego, who);
            if !see_behind && ahead <= -2.0 * LENGTH {
                return;
            }
            let key = (ahead.abs(), who);
            if found.len() == room {
                if found.last().is_some_and(|&last| last <= key) {
                    return;
                }
                found.pop();
            }
            let at = found.partition_point(|&other| other < key);
            found.insert(at, key);
        };
        for who in cars.traffic.within(cars.bodies, &body, SIGHT) {
            if usize::from(who) != ego {
                consider(who, self.see_behind);
            }
        }
        if self.include_obstacles {
            for index in 0..cars.network.obstacles.len() {
                consider((cars.slots() + index) as u16, false);
            }
        }
    }
}

impl Grid {
    fn cells(&self) -> (usize, usize) {
        let count = |(low, high): (f64, f64), step: f64| ((high - low) / step).floor().max(0.0);
        (count(self.size.0, self.step.0) as usize, count(self.size.1, self.step.1) as usize)
    }

    fn range(&self, feature: Feature) -> Option<(f64, f64)> {
        if !self.ranges.is_empty() {
            return self.ranges.get(&feature).copied();
        }
        matches!(feature, Feature::Vx | Feature::Vy).then_some((-80.0, 80.0))
    }

    /// The cell of a point relative to the ego, if it is in the grid.
    fn cell(&self, [x, y]: [f64; 2], (cos, sin): (f64, f64)) -> Option<usize> {
        let (x, y) = if self.align_to_vehicle_axes {
            (cos * x + sin * y, -sin * x + cos * y)
        } else {
            (x, y)
        };
        let (columns, rows) = self.cells();
        let column = ((x - self.size.0.0) / self.step.0).floor();
        let row = ((y - self.size.1.0) / self.step.1).floor();
        let inside = column >= 0.0 && row >= 0.0 && column < columns as f64 && row < rows as f64;
        inside.then(|| column as usize * rows + row as usize)
    }

    fn write(&self, cars: &Cars<'_>, observer: Observer<'_>, seeing: &mut Seeing, out: &mut [f32]) {
        let ego = observer.slot;
        let body = cars.bodies[ego];
        let axes = (cars.facings[ego].cos, cars.facings[ego].sin);
        let (columns, rows) = self.cells();
        out.fill(0.0);
        let ((left, right), (top, bottom)) = self.size;
        let reach = left.abs().max(right.abs()) + top.abs().max(bottom.abs());
        seeing.found.clear();
        seeing.found.extend(cars.traffic.within(cars.bodies, &body, reach).map(|who| (0.0, who)));
        // The first of the list is seen where several are in one cell.
        seeing.found.sort_unstable_by_key(|&(_, who)| std::cmp::Reverse(who));
        for (layer, &feature) in out.chunks_exact_mut(columns * rows).zip(&self.features) {
            if feature == Feature::OnRoad {
                self.road(cars, &body, axes, layer);
                continue;
            }
            for &(_, who) in &seeing.found {
                let [x, y] = cars.point(who);
                let Some(cell) = self.cell([x - body.x, y - body.y], axes) else { continue };
                let mut number = value(cars, who, feature, true);
                if matches!(feature, Feature::X | Feature::Y | Feature::Vx | Feature::Vy) {
                    number -= value(cars, ego as u16, feature, true);
                }
                if let Some(range) = self.range(feature) {
                    number = line(number, range, (-1.0, 1.0));
                }
                if self.clip {
                    number = number.clamp(-1.0, 1.0);
                }
                layer[cell] = number as f32;
            }
        }
    }

    /// Marks the cells under points along all lanes, up to 100 m from the ego.
    fn road(&self, cars: &Cars<'_>, body: &super::Body, axes: (f64, f64), layer: &mut [f32]) {
        const NEAR: f64 = 100.0;
        let spacing = self.step.0.min(self.step.1);
        let count = (2.0 * NEAR / spacing).ceil() as usize;
        for lane in &cars.network.lanes {
            let (origin, _) = lane.local([body.x, body.y]);
            for index in 0..count {
                let s = (origin - NEAR + spacing * index as f64).clamp(0.0, lane.length);
                let [x, y] = lane.position(s, 0.0);
                if let Some(cell) = self.cell([x - body.x, y - body.y], axes) {
                    layer[cell] = 1.0;
                }
            }
        }
    }
}

/// Costs of being on a lane at a time at a speed: 1 when centres meet, a half when bumpers do.
fn time_to_collision(cars: &Cars<'_>, observer: Observer<'_>, out: &mut [f32]) {
    let ego = observer.slot;
    let times = out.len() / 9;
    let lanes = cars.network.beside(cars.tracks[ego].lane);
    let own = cars.lane(ego);
    let (index, facing) = (usize::from(cars.goals[ego].index), cars.facings[ego]);
    let top = observer.speeds.len() - 1;
    // Beyond the road's sides a collision is certain.
    let lane_of = |column: usize| {
        let lane = i32::from(own.id) + column as i32 - 1;
        (0..lanes.len() as i32).contains(&lane).then_some(lane as u16)
    };
    for (row, out) in out.chunks_exact_mut(3 * times).enumerate() {
        let speed = observer.speeds[(index + row).saturating_sub(1).min(top)];
        for (column, out) in out.chunks_exact_mut(times).enumerate() {
            out.fill(if lane_of(column).is_some() { 0.0 } else { 1.0 });
        }
        for other in 0..cars.slots() {
            let absent = cars.kinds[other] == super::Kind::Absent;
            let body = &cars.bodies[other];
            #[expect(clippy::float_cmp, reason = "the reference skips exactly equal speeds")]
            if absent || other == ego || speed == body.speed {
                continue;
            }
            let there = cars.lane(other);
            if !cars.network.connected(own.edge, there.edge, cars.route(ego), 3) {
                continue;
            }
            let same = cars.network.beside(cars.tracks[other].lane).len() == lanes.len();
            let gap = cars.gap(ego, other as u16);
            let along = cars.facings[other].cos * facing.cos + cars.facings[other].sin * facing.sin;
            let closing = not_zero(speed - body.speed * along);
            for (margin, cost) in [(0.0, 1.0), (-LENGTH, 0.5), (LENGTH, 0.5)] {
                let time = (gap + margin) / closing;
                if time < 0.0 {
                    continue;
                }
                let time = time * observer.frequency;
                for time in [time.floor(), time.ceil()] {
                    if time >= times as f64 {
                        continue;
                    }
                    for (column, out) in out.chunks_exact_mut(times).enumerate() {
                        let hit = match lane_of(column) {
                            Some(lane) => !same || lane == there.id,
                            None => false,
                        };
                        if hit {
                            let cell = &mut out[time as usize];
                            *cell = cell.max(cost);
                        }
                    }
                }
            }
        }
    }
}

impl Lidar {
    fn write(&self, cars: &Cars<'_>, observer: Observer<'_>, out: &mut [f32]) {
        let ego = observer.slot;
        let angle = TAU / self.cells as f64;
        let origin = cars.point(ego as u16);
        let own = cars.velocity(ego as u16);
        let rays = out.as_chunks_mut::<2>().0;
        rays.fill([self.maximum_range as f32, self.maximum_range as f32]);
        let cell = |at: f64| {
            let cell = (at / angle).floor();
            cell.rem_euclid(self.cells as f64) as usize % self.cells
        };
        let along = |ray: usize| {
            let (sin, cos) = libm::sincos(ray as f64 * angle);
            [cos, sin]
        };
        let bearing = |[x, y]: [f64; 2]| libm::atan2(y - origin[1], x - origin[0]) + angle / 2.0;
        let all = (0..cars.slots()).filter(|&slot| cars.kinds[slot] != super::Kind::Absent);
        let obstacles = cars.slots()..cars.slots() + cars.network.obstacles.len();
        for who in all.chain(obstacles).filter(|&who| who != ego) {
            let point = cars.point(who as u16);
            let (dx, dy) = (point[0] - origin[0], point[1] - origin[1]);
            let distance = norm([dx, dy]);
            if distance > self.maximum_range {
                continue;
            }
            let vehicle = who < cars.slots();
            let (cos, sin, length, width) = if vehicle {
                (cars.facings[who].cos, cars.facings[who].sin, LENGTH, BREADTH)
            } else {
                let block = cars.obstacle(who - cars.slots());
                (block.cos, block.sin, BLOCK, BLOCK)
            };
            let velocity = cars.velocity(who as u16);
            let relative = [velocity[0] - own[0], velocity[1] - own[1]];
            let mut meet = |ray: usize, distance: f64| {
                if distance <= f64::from(rays[ray][0]) {
                    let way = along(ray);
                    let speed = relative[0] * way[0] + relative[1] * way[1];
                    rays[ray] = [distance as f32, speed as f32];
                }
            };
            meet(cell(bearing(point)), distance - width / 2.0);
            let (l, w) = (length / 2.0, width / 2.0);
            let corners = [(-l, -w), (-l, w), (l, w), (l, -w)]
                .map(|(x, y)| [cos * x - sin * y + point[0], sin * x + cos * y + point[1]]);
            let angles = corners.map(bearing);
            let (mut low, mut high) =
                angles.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &at| {
                    (low.min(at), high.max(at))
                });
            if low < -FRAC_PI_2 && FRAC_PI_2 < high {
                // The corners lie on both sides of the direction -x.
                (low, high) = (high, low + TAU);
            }
            let (start, end) = (cell(low), cell(high));
            let count = if start < end { end - start + 1 } else { self.cells - start + end + 1 };
            for index in 0..count {
                let ray = (start + index) % self.cells;
                let way = along(ray);
                meet(ray, hit(origin, way, self.maximum_range, &corners));
            }
        }
        if self.normalize {
            for value in rays.as_flattened_mut() {
                *value /= self.maximum_range as f32;
            }
        }
    }
}

/// Distance at which a ray meets a rectangle, or infinity.
fn hit(origin: [f64; 2], way: [f64; 2], range: f64, corners: &[[f64; 2]; 4]) -> f64 {
    let [a, b, _, d] = *corners;
    let minus = |one: [f64; 2], two: [f64; 2]| [one[0] - two[0], one[1] - two[1]];
    let dot = |one: [f64; 2], two: [f64; 2]| one[0] * two[0] + one[1] * two[1];
    // Where along the ray, in shares of its range, it is between two opposite sides.
    let between = |from: [f64; 2], to: [f64; 2]| {
        let side = minus(to, from);
        let norm = dot(side, side).sqrt();
        let unit = [side[0] / norm, side[1] / norm];
        let run = range * dot(way, unit);
        let ends = (dot(minus(from, origin), unit) / run, dot(minus(to, origin), unit) / run);
        if run >= 0.0 { ends } else { (ends.1, ends.0) }
    };
    let apart = |a: (f64, f64), b: (f64, f64)| if a.0 < b.0 { b.0 - a.1 } else { a.0 - b.1 };
    let (one, two) = (between(a, b), between(a, d));
    if apart(one, two) <= 0.0 && apart((0.0, 1.0), one) <= 0.0 && apart((0.0, 1.0), two) <= 0.0 {
        one.0.max(two.0) * range
    } else {
        f64::INFINITY
    }
}
