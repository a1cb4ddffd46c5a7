//! Who is where: for each instance, the vehicles on each lane in order along it, and all vehicles in order along the road.
//!
//! Both are rebuilt once a frame, after vehicles moved, by sorts that are linear on what is nearly sorted.
//! A look-up for a leader or follower is then a binary search, and a search for collisions looks only at vehicles within
//! reach: neither costs a square of the traffic.

use bevy_ecs::prelude::Component;

use super::road::{Network, closer};
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
            let mut best = (f64::INFINITY, 0);
            let mut at = (0.0, 0.0);
            network.around([body.x, body.y], |number, lane, local| {
                if lane.holds(local, 1.0) {
                    found.push((number, Member { s: local.0, who: slot as u16 }));
                    starts[usize::from(number) + 1] += 1;
                }
                let before = best.0;
                closer(&mut best, number, lane, local, body.heading);
                if best.0 < before {
                    at = local;
                }
            });
            *track = Track { lane: best.1, s: at.0, r: at.1 };
        }
        for (index, obstacle) in network.obstacles.iter().enumerate() {
            network.around([obstacle.x, obstacle.y], |number, lane, local| {
                if lane.holds(local, 1.0) {
                    let who = (slots + index) as u16;
                    found.push((number, Member { s: local.0, who }));
                    starts[usize::from(number) + 1] += 1;
                }
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
