//! Which lanes can matter at a point: a grid over the road with a short list of lanes in each cell.
//!
//! A vehicle's lane is the nearest of all lanes, so without help every vehicle would be projected on every lane in every
//! frame. A lane is left out of a cell's list only if bounds show that no vehicle in the cell, at any heading, can be on
//! it or have it as its nearest lane; the result is therefore the same as that of the search over all lanes.

use std::f64::consts::PI;

use super::lane::{Lane, OVERHANG};

/// Side of a cell, in metres.
const CELL: f64 = 8.0;
/// From its centre to a corner.
const REACH: f64 = CELL * std::f64::consts::FRAC_1_SQRT_2;
/// How far beyond the lanes the grid reaches, in metres.
const RIM: f64 = 24.0;
/// Roads of fewer lanes are searched whole.
const FEW: usize = 7;
/// Roads are searched whole rather than cut into more cells.
const MOST: usize = 1 << 18;

#[derive(Clone, Debug)]
pub(super) struct Near {
    origin: [f64; 2],
    columns: usize,
    rows: usize,
    /// Where each cell's lanes begin in `lanes`; one more than there are cells.
    starts: Vec<u32>,
    lanes: Vec<u16>,
    all: Vec<u16>,
}

/// Points along a lane, at most half a metre apart.
fn along(lane: &Lane) -> impl Iterator<Item = [f64; 2]> + '_ {
    let pieces = (lane.length * 2.0).ceil();
    (0..=pieces as usize).map(move |piece| lane.position(lane.length * piece as f64 / pieces, 0.0))
}

fn distance([x0, y0]: [f64; 2], [x1, y1]: [f64; 2]) -> f64 {
    ((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)).sqrt()
}

/// Straight distance from a point to a lane, up to the quarter of a metre between samples.
fn away(samples: &[[f64; 2]], point: [f64; 2]) -> f64 {
    samples.iter().fold(f64::INFINITY, |least, &sample| least.min(distance(sample, point))) - 0.25
}

/// An upper bound of the L1 distance to the lane over a whole cell, if one is known.
fn at_most(lane: &Lane, centre: [f64; 2]) -> f64 {
    // Inside the stretch the L1 distance is |r|, which changes by at most `slack` a metre; along a curve s changes faster
    // than the point does on its inner side, so the stretch is checked at the cell's corners with a metre to spare.
    let mut most = 0.0_f64;
    for (dx, dy) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0), (0.0, 0.0)] {
        let (s, r) = lane.local([centre[0] + dx * CELL / 2.0, centre[1] + dy * CELL / 2.0]);
        if s < 1.0 || s > lane.length - 1.0 || r.abs() > 2.0 * CELL {
            return f64::INFINITY;
        }
        most = most.max(r.abs());
    }
    most + lane.slack() * CELL
}

impl Near {
    pub(super) fn new(lanes: &[Lane]) -> Self {
        let all: Vec<u16> = (0..lanes.len() as u16).collect();
        let none = Self {
            origin: [0.0; 2],
            columns: 0,
            rows: 0,
            starts: vec![0],
            lanes: Vec::new(),
            all: all.clone(),
        };
        if lanes.len() < FEW {
            return none;
        }
        let samples: Vec<Vec<[f64; 2]>> = lanes.iter().map(|lane| along(lane).collect()).collect();
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in samples.iter().flatten() {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        let cells = |axis: usize| ((high[axis] - low[axis] + 2.0 * RIM) / CELL).ceil() as usize;
        let (columns, rows) = (cells(0), cells(1));
        let cost: usize = samples.iter().map(Vec::len).sum();
        if columns * rows > MOST || columns * rows * cost > 1 << 29 {
            return none;
        }
        let origin = [low[0] - RIM, low[1] - RIM];
        let (mut starts, mut lists) = (vec![0], Vec::new());
        for cell in 0..columns * rows {
            let middle = |index: usize, from: f64| from + (index as f64 + 0.5) * CELL;
            let centre = [middle(cell % columns, origin[0]), middle(cell / columns, origin[1])];
            let bound = lanes.iter().map(|lane| at_most(lane, centre));
            let bound = bound.fold(f64::INFINITY, f64::min) + PI;
            for (&number, lane) in all.iter().zip(lanes) {
                let least = away(&samples[usize::from(number)], centre) - REACH;
                let holds = least <= lane.width / 2.0 + 1.0 + OVERHANG * lane.slack();
                if holds || least / lane.slack() <= bound {
                    lists.push(number);
                }
            }
            starts.push(lists.len() as u32);
        }
        Self { origin, columns, rows, starts, lanes: lists, all }
    }

    /// The lanes that matter at a point, in order.
    pub(super) fn at(&self, [x, y]: [f64; 2]) -> &[u16] {
        let (column, row) = ((x - self.origin[0]) / CELL, (y - self.origin[1]) / CELL);
        // Also false when a coordinate is not a number.
        let inside =
            column >= 0.0 && row >= 0.0 && column < self.columns as f64 && row < self.rows as f64;
        if !inside {
            return &self.all;
        }
        let cell = row as usize * self.columns + column as usize;
        &self.lanes[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }
}
