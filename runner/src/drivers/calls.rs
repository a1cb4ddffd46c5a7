//! Where a policy that is made of two calls the costlier one: how often, in what kind of moment, and where on the board.

use std::collections::BTreeMap;

use gambol_envs::Moment;
use plotters::prelude::*;
use serde_json::{Value, json};

/// How many moments there were, and in how many the costlier policy was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    moments: u64,
    calls: u64,
}

impl Count {
    fn add(&mut self, moments: u64, calls: u64) {
        self.moments += moments;
        self.calls += calls;
    }

    fn value(self) -> Value {
        let Self { moments, calls } = self;
        json!({ "moments": moments, "calls": calls, "fraction": self.fraction() })
    }

    /// Not a number without moments, which JSON writes as null.
    fn fraction(self) -> f64 {
        self.calls as f64 / self.moments as f64
    }
}

/// Calls over an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    all: Count,
    /// By the kind of moment.
    classes: BTreeMap<&'static str, Count>,
    /// Rows and columns.
    board: Option<(usize, usize)>,
    /// By the cells of the board, row by row: moments in which an agent stood there.
    cells: Vec<Count>,
}

/// Size of a cell in pixels, and of the space around the board.
const CELL: usize = 56;
const MARGIN: usize = 40;

impl Calls {
    /// Nothing yet.
    pub(super) fn new(board: Option<(usize, usize)>) -> Self {
        let cells = board.map_or(0, |(rows, cols)| rows * cols);
        Self {
            all: Count::default(),
            classes: BTreeMap::new(),
            board,
            cells: vec![Count::default(); cells],
        }
    }

    /// Counts one moment of one instance.
    pub(super) fn count(&mut self, called: bool, moment: Option<Moment>) {
        let call = u64::from(called);
        self.all.add(1, call);
        let Some(Moment { class, cells }) = moment else { return };
        self.classes.entry(class).or_default().add(1, call);
        for (row, col) in cells {
            let at = self.board.map_or(0, |(_, cols)| row * cols + col);
            if let Some(cell) = self.cells.get_mut(at) {
                cell.add(1, call);
            }
        }
    }

    /// Adds what another group of instances counted on the same board.
    pub(super) fn merge(&mut self, other: &Self) {
        self.all.add(other.all.moments, other.all.calls);
        for (class, count) in &other.classes {
            self.classes.entry(class).or_default().add(count.moments, count.calls);
        }
        for (cell, count) in self.cells.iter_mut().zip(&other.cells) {
            cell.add(count.moments, count.calls);
        }
    }

    /// Share of moments with a call.
    pub fn fraction(&self) -> f64 {
        self.all.fraction()
    }

    /// As JSON, without the board.
    pub(super) fn summary(&self) -> Value {
        let mut value = self.all.value();
        if !self.classes.is_empty() {
            let classes = self.classes.iter();
            value["classes"] = classes.map(|(&class, count)| (class, count.value())).collect();
        }
        value
    }

    /// The board as SVG text, a cell the darker the larger the share of calls while an agent stands there, with that
    /// share in percent; `None` when nobody looked where agents are.
    pub(super) fn heat_map(&self) -> Option<Result<String, String>> {
        let (rows, cols) = self.board?;
        (!self.classes.is_empty()).then(|| self.draw(rows, cols))
    }

    fn draw(&self, rows: usize, cols: usize) -> Result<String, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let known = |count: &&Count| count.moments > 0;
        let most =
            self.cells.iter().filter(known).map(|count| count.fraction()).fold(0.0, f64::max);
        let size = ((cols * CELL + 2 * MARGIN) as u32, (rows * CELL + 2 * MARGIN) as u32);
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            root.fill(&WHITE).map_err(|error| failed(&error))?;
            let title = format!(
                "share of calls while an agent stands there; at most {:.2} %",
                100.0 * most
            );
            let write = |text: String, x: usize, y: usize, colour: RGBColor| {
                let style = ("sans-serif", 14).into_font().color(&colour);
                root.draw(&Text::new(text, (x as i32, y as i32), style))
            };
            write(title, MARGIN, 12, BLACK).map_err(|error| failed(&error))?;
            for (number, count) in self.cells.iter().enumerate() {
                let (x, y) = (MARGIN + number % cols * CELL, MARGIN + number / cols * CELL);
                let corners = [(x as i32, y as i32), ((x + CELL) as i32, (y + CELL) as i32)];
                let share = if count.moments > 0 { count.fraction() } else { 0.0 };
                let dark = if most > 0.0 { share / most } else { 0.0 };
                // From white to the blue of Okabe and Ito.
                let mix = |full: f64| (255.0 - (255.0 - full) * dark).round() as u8;
                let colour = RGBColor(mix(0.0), mix(114.0), mix(178.0));
                root.draw(&Rectangle::new(corners, colour.filled()))
                    .and_then(|()| root.draw(&Rectangle::new(corners, BLACK.mix(0.3))))
                    .map_err(|error| failed(&error))?;
                let text = if count.moments > 0 {
                    format!("{:.2}", 100.0 * share)
                } else {
                    "none".to_owned()
                };
                let ink = if dark > 0.6 { WHITE } else { BLACK };
                write(text, x + 10, y + CELL / 2 - 6, ink).map_err(|error| failed(&error))?;
            }
            root.present().map_err(|error| failed(&error))?;
        }
        Ok(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_kind_and_by_cell() {
        let mut calls = Calls::new(Some((2, 3)));
        let moment =
            |class, cells: &[(usize, usize)]| Some(Moment { class, cells: cells.to_vec() });
        calls.count(true, moment("near", &[(0, 0), (1, 2)]));
        calls.count(false, moment("far", &[(0, 0), (0, 1)]));
        let mut more = Calls::new(Some((2, 3)));
        more.count(false, moment("near", &[(1, 2), (1, 1)]));
        more.count(true, None);
        calls.merge(&more);
        assert_eq!(
            calls.summary(),
            json!({
                "moments": 4, "calls": 2, "fraction": 0.5,
                "classes": {
                    "far": { "moments": 1, "calls": 0, "fraction": 0.0 },
                    "near": { "moments": 2, "calls": 1, "fraction": 0.5 },
                },
            })
        );
        let cells: Vec<_> = calls.cells.iter().map(|cell| (cell.moments, cell.calls)).collect();
        assert_eq!(cells, [(2, 1), (1, 0), (0, 0), (0, 0), (1, 0), (2, 1)]);
        let svg = calls.heat_map().unwrap().unwrap();
        assert!(svg.contains("50.00") && svg.contains("none") && svg.ends_with("</svg>\n"));
        assert!(Calls::new(Some((2, 3))).heat_map().is_none());
    }
}
