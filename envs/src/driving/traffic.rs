//! Who is where: for each instance, the vehicles on each lane in order along it, and all vehicles in order along the road.
//!
//! Both are rebuilt once a frame, after vehicles moved, by sorts that are linear on what is nearly sorted.
//! A look-up for a leader or follower is then a binary search, and a search for collisions looks only at vehicles within
//! reach: neither costs a square of the traffic.

use bevy_ecs::prelude::Component;

use super::road::Network;
use super::vehicle::{Body, Kind, Track};

/// Something on a lane: a vehicle's row, or an obstacle numbered behind all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Member {
    pub(super) s: f64,
    pub(super) who: u16,
}

/// Lists shorter than this are sorted by insertion.
const SHORT: usize = 64;

/// On each instance's row: the order of its traffic.
#[derive(Component, Clone, Debug, Default)]
pub struct Traffic {
    /// By lane, then by s, then in list order.
    members: Vec<Member>,
    /// Where each lane begins in `members`; one more than there are lanes.
    starts: Vec<u32>,
    /// All vehicles by their place along `axis`.
    sweep: Vec<u16>,
    /// 0 when the traffic stretches along x, 1 along y.
    axis: u8,
    /// Vehicles that are not on the lane that they aim at; may name one twice.
    pub(super) changing: Vec<u16>,
    /// What is found before it is put in order.
    found: Vec<(u16, Member)>,
}

fn sort(list: &mut [Member]) {
    if list.len() > SHORT {
        list.sort_unstable_by(|one, two| one.s.total_cmp(&two.s).then(one.who.cmp(&two.who)));
        return;
    }
    // Equal ones stay in the order of the list, which is by number.
    for index in 1..list.len() {
        let member = list[index];
        let mut at = index;
        while at > 0 && list[at - 1].s > member.s {
            list[at] = list[at - 1];
            at -= 1;
        }
        list[at] = member;
    }
}

impl Traffic {
    /// Empty, with room for everything that can be found.
    pub(super) fn new(slots: usize, network: &Network) -> Self {
        let lanes = network.lanes.len();
        let most = (slots + network.obstacles.len()) * lanes;
        Self {
            members: Vec::with_capacity(most),
            starts: vec![0; lanes + 1],
            sweep: Vec::with_capacity(slots),
            axis: 0,
            changing: Vec::with_capacity(6 * slots),
            found: Vec::with_capacity(most),
        }
    }

    /// Finds every vehicle's lane, and everyone's place in the order.
    pub(super) fn locate(
        &mut self,
        network: &Network,
        kinds: &[Kind],
        bodies: &[Body],
        tracks: &mut [Track],
        slots: usize,
    ) {
        self.found.clear();
        self.starts.fill(0);
        let Self { found, starts, .. } = self;
        for (slot, (body, track)) in bodies.iter().zip(tracks.iter_mut()).enumerate() {
            if kinds[slot] == Kind::Absent {
                continue;
            }
            let (lane, (s, r)) = network.survey([body.x, body.y], body.heading, |number, s| {
                found.push((number, Member { s, who: slot as u16 }));
                starts[usize::from(number) + 1] += 1;
            });
            *track = Track { lane, s, r };
        }
        for (index, obstacle) in network.obstacles.iter().enumerate() {
            network.survey([obstacle.x, obstacle.y], obstacle.heading, |number, s| {
                found.push((number, Member { s, who: (slots + index) as u16 }));
                starts[usize::from(number) + 1] += 1;
            });
        }
        for lane in 1..starts.len() {
            starts[lane] += starts[lane - 1];
        }
        self.members.clear();
        self.members.resize(self.found.len(), Member::default());
        // `starts` serves as the cursor of each lane and is moved back afterwards.
        for &(lane, member) in &self.found {
            let cursor = &mut self.starts[usize::from(lane)];
            self.members[*cursor as usize] = member;
            *cursor += 1;
        }
        for lane in (1..self.starts.len()).rev() {
            self.starts[lane] = self.starts[lane - 1];
        }
        self.starts[0] = 0;
        for lane in 0..self.starts.len() - 1 {
            let range = self.starts[lane] as usize..self.starts[lane + 1] as usize;
            sort(&mut self.members[range]);
        }
        self.order(kinds, bodies);
    }

    /// Brings `sweep` up to date.
    fn order(&mut self, kinds: &[Kind], bodies: &[Body]) {
        let present = kinds.iter().filter(|&&kind| kind != Kind::Absent).count();
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for (body, _) in bodies.iter().zip(kinds).filter(|(_, kind)| **kind != Kind::Absent) {
            for (axis, place) in [body.x, body.y].into_iter().enumerate() {
                low[axis] = low[axis].min(place);
                high[axis] = high[axis].max(place);
            }
        }
        let axis = u8::from(high[1] - low[1] > high[0] - low[0]);
        let place = |who: u16| along(&bodies[usize::from(who)], axis);
        // Vehicles are never reordered between rows without `rebuild`, so the old order is nearly right.
        if self.sweep.len() != present || self.axis != axis {
            self.axis = axis;
            self.sweep.clear();
            self.sweep.extend(
                (0..kinds.len() as u16).filter(|&who| kinds[usize::from(who)] != Kind::Absent),
            );
            self.sweep.sort_unstable_by(|&one, &two| {
                place(one).total_cmp(&place(two)).then(one.cmp(&two))
            });
            return;
        }
        for index in 1..self.sweep.len() {
            let who = self.sweep[index];
            let key = place(who);
            let mut at = index;
            while at > 0 && place(self.sweep[at - 1]) > key {
                self.sweep[at] = self.sweep[at - 1];
                at -= 1;
            }
            self.sweep[at] = who;
        }
    }

    /// Forgets the order, because rows were filled anew.
    pub(super) fn rebuild(&mut self) {
        self.sweep.clear();
        self.axis = u8::MAX;
    }

    /// All on a lane, in order along it.
    pub(super) fn on(&self, lane: u16) -> &[Member] {
        let lane = usize::from(lane);
        &self.members[self.starts[lane] as usize..self.starts[lane + 1] as usize]
    }

    /// The one ahead of s (or level with it, then the last of the list) and the one behind it on a lane, without `me`.
    pub(super) fn neighbours(
        &self,
        lane: u16,
        s: f64,
        me: u16,
    ) -> (Option<Member>, Option<Member>) {
        let list = self.on(lane);
        let split = list.partition_point(|member| member.s < s);
        let mut leader = None;
        for member in &list[split..] {
            if member.who == me {
                continue;
            }
            match leader {
                None => leader = Some(*member),
                Some(first) if member.s <= first.s => leader = Some(*member),
                Some(_) => break,
            }
        }
        let mut follower: Option<Member> = None;
        for member in list[..split].iter().rev() {
            if member.who == me {
                continue;
            }
            match follower {
                None => follower = Some(*member),
                Some(first) if member.s >= first.s => follower = Some(*member),
                Some(_) => break,
            }
        }
        (leader, follower)
    }

    /// All vehicles within `reach` of a place along the road's longer axis, nearest or not.
    pub(super) fn within<'a>(
        &'a self,
        bodies: &'a [Body],
        around: &Body,
        reach: f64,
    ) -> impl Iterator<Item = u16> + 'a {
        let place = along(around, self.axis);
        let from = self
            .sweep
            .partition_point(|&who| along(&bodies[usize::from(who)], self.axis) < place - reach);
        self.sweep[from..]
            .iter()
            .copied()
            .take_while(move |&who| along(&bodies[usize::from(who)], self.axis) <= place + reach)
    }

    /// Pairs `(one, two)` with `one < two` that are less than `reach` apart along the longer axis, into `pairs`, in the
    /// order in which the reference tests them.
    pub(super) fn pairs(&self, bodies: &[Body], reach: f64, pairs: &mut Vec<(u16, u16)>) {
        pairs.clear();
        for (index, &one) in self.sweep.iter().enumerate() {
            let limit = along(&bodies[usize::from(one)], self.axis) + reach;
            for &two in &self.sweep[index + 1..] {
                if along(&bodies[usize::from(two)], self.axis) > limit {
                    break;
                }
                pairs.push((one.min(two), one.max(two)));
            }
        }
        pairs.sort_unstable();
    }
}

/// Place along an axis.
fn along(body: &Body, axis: u8) -> f64 {
    if axis == 0 { body.x } else { body.y }
}

#[cfg(test)]
mod tests {
    use gambol_solvers::seed::{Purpose, Streams, unit_f64};

    use super::super::roads::Road;
    use super::*;

    /// Leader and follower as the reference finds them: by looking at everyone, in list order.
    fn searched(
        network: &Network,
        bodies: &[Body],
        lane: u16,
        s: f64,
        me: usize,
    ) -> (Option<u16>, Option<u16>) {
        let lane = &network.lanes[usize::from(lane)];
        let (mut leader, mut follower): (Option<(f64, u16)>, Option<(f64, u16)>) = (None, None);
        let obstacles = network.obstacles.iter().map(|obstacle| [obstacle.x, obstacle.y]);
        let points = bodies.iter().map(|body| [body.x, body.y]).chain(obstacles);
        for (who, point) in points.enumerate().filter(|&(who, _)| who != me) {
            let local = lane.local(point);
            if !lane.holds(local, 1.0) {
                continue;
            }
            if s <= local.0 && leader.is_none_or(|(first, _)| local.0 <= first) {
                leader = Some((local.0, who as u16));
            }
            if local.0 < s && follower.is_none_or(|(first, _)| local.0 > first) {
                follower = Some((local.0, who as u16));
            }
        }
        (leader.map(|found| found.1), follower.map(|found| found.1))
    }

    #[test]
    fn look_ups_find_whom_a_search_over_all_finds() {
        let mut rng = Streams::new(9).at(Purpose::Generate, 0, 0);
        for (road, count) in [
            (Road::Merge, 40),
            (Road::Roundabout, 60),
            (Road::Highway { lanes: 3, length: 400.0, speed_limit: 30.0 }, 300),
        ] {
            let network = Network::new(&road.plan()).unwrap();
            let mut traffic = Traffic::new(count, &network);
            let kinds = vec![Kind::Idm; count];
            let mut bodies = vec![Body::default(); count];
            let mut tracks = vec![Track::default(); count];
            let mut pairs = Vec::new();
            for round in 0..6 {
                for body in &mut bodies {
                    let lane =
                        &network.lanes[(unit_f64(&mut rng) * network.lanes.len() as f64) as usize];
                    // Whole metres, so that several are level.
                    let s = (lane.length * unit_f64(&mut rng)).round();
                    let [x, y] = lane.position(s, (6.0 * unit_f64(&mut rng) - 3.0).round());
                    *body = Body { x, y, heading: lane.heading(s), speed: 20.0 };
                }
                if round == 3 {
                    traffic.rebuild();
                }
                traffic.locate(&network, &kinds, &bodies, &mut tracks, count);
                for me in 0..count {
                    for lane in 0..network.lanes.len() as u16 {
                        let (s, _) =
                            network.lanes[usize::from(lane)].local([bodies[me].x, bodies[me].y]);
                        let (leader, follower) = traffic.neighbours(lane, s, me as u16);
                        let found = (leader.map(|m| m.who), follower.map(|m| m.who));
                        assert_eq!(found, searched(&network, &bodies, lane, s, me), "{road:?}");
                    }
                    let near: std::collections::BTreeSet<u16> =
                        traffic.within(&bodies, &bodies[me], 50.0).collect();
                    for (other, body) in bodies.iter().enumerate() {
                        let (dx, dy) = (body.x - bodies[me].x, body.y - bodies[me].y);
                        if dx * dx + dy * dy <= 2500.0 {
                            assert!(near.contains(&(other as u16)));
                        }
                    }
                }
                traffic.pairs(&bodies, 8.0, &mut pairs);
                assert!(pairs.is_sorted() && pairs.iter().all(|(one, two)| one < two));
                for one in 0..count {
                    for two in one + 1..count {
                        let (dx, dy) =
                            (bodies[one].x - bodies[two].x, bodies[one].y - bodies[two].y);
                        if dx * dx + dy * dy <= 64.0 {
                            assert!(pairs.binary_search(&(one as u16, two as u16)).is_ok());
                        }
                    }
                }
                assert!(pairs.len() < count * (count - 1) / 3, "{} pairs", pairs.len());
            }
        }
    }
}
