//! The meta-game as a heat map, the meta-strategy over iterations, mean against variance.

use plotters::prelude::*;
use serde_json::Value;

use super::report::Report;
use crate::drivers::solve::plot::{COLOURS, failed, panels, range};

/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (560, 480);

/// Policies of one player that a heat map shows at most.
const MOST_POLICIES: usize = 64;

/// A colour between blue (least), white (middle) and orange (most), for `share` in `[0, 1]`.
fn shade(share: f64) -> RGBColor {
    let (low, high) = ((0.0, 114.0, 178.0), (213.0, 94.0, 0.0));
    let towards = |end: f64, part: f64| (255.0 + (end - 255.0) * part) as u8;
    let (end, part) =
        if share < 0.5 { (low, 1.0 - 2.0 * share) } else { (high, 2.0 * share - 1.0) };
    RGBColor(towards(end.0, part), towards(end.1, part), towards(end.2, part))
}

/// Mean payoffs of each player; with more than two players the others play their first policies.
pub(super) fn heatmap(report: &Report<'_>) -> Result<String, String> {
    let game = report.game;
    let shape = game.shape();
    let rows = shape[0].min(MOST_POLICIES);
    let columns = shape.get(1).map_or(1, |&columns| columns.min(MOST_POLICIES));
    panels(game.players(), PANEL, |player, area| {
        let tensor = game.payoff_tensor(player);
        let at = |row: usize, column: usize| {
            let mut profile = vec![0; shape.len()];
            profile[0] = row;
            if let Some(second) = profile.get_mut(1) {
                *second = column;
            }
            tensor[profile.as_slice()]
        };
        let cells: Vec<(usize, usize, f64)> = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column, at(row, column))))
            .collect();
        let least = cells.iter().fold(f64::INFINITY, |least, cell| least.min(cell.2));
        let most = cells.iter().fold(f64::NEG_INFINITY, |most, cell| most.max(cell.2));
        let title =
            format!("{}: player {player}, {least:.3} (blue) to {most:.3} (orange)", report.name);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .caption(title, ("sans-serif", 16))
            .x_label_area_size(40)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..columns as f64, rows as f64..0.0)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("policy of player 1")
            .y_desc("policy of player 0")
            .label_style(("sans-serif", 14))
            .draw()
            .map_err(failed)?;
        let wide = if most > least { most - least } else { 1.0 };
        let squares = cells.iter().map(|&(row, column, payoff)| {
            let (x, y) = (column as f64, row as f64);
            Rectangle::new([(x, y), (x + 1.0, y + 1.0)], shade((payoff - least) / wide).filled())
        });
        chart.draw_series(squares).map_err(failed)?;
        Ok(())
    })
}

/// Shares of every policy, stacked, iteration by iteration.
pub(super) fn meta(report: &Report<'_>) -> Result<String, String> {
    panels(report.game.players(), PANEL, |player, area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .caption(format!("{}: what player {player} plays", report.name), ("sans-serif", 16))
            .x_label_area_size(40)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..report.lines.len().max(1) as f64, 0.0..1.0)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("iteration")
            .y_desc("share, oldest policy at the bottom")
            .label_style(("sans-serif", 14))
            .draw()
            .map_err(failed)?;
        let mut bars = Vec::new();
        for (iteration, line) in report.lines.iter().enumerate() {
            let mut from = 0.0;
            let shares = line["meta"][player].as_array().into_iter().flatten();
            for (policy, share) in shares.filter_map(Value::as_f64).enumerate() {
                let to = from + share;
                if share > 0.0 {
                    let colour = COLOURS[policy % COLOURS.len()];
                    let x = iteration as f64;
                    bars.push(Rectangle::new([(x + 0.05, from), (x + 0.95, to)], colour.filled()));
                }
                from = to;
            }
        }
        chart.draw_series(bars).map_err(failed)?;
        Ok(())
    })
}

/// Mean payoff against strategic variance of every policy and of every iteration's mixture, against what the others
/// play in the end.
pub(super) fn frontier(report: &Report<'_>) -> Result<String, String> {
    panels(report.frontiers.len(), PANEL, |player, area| {
        let Some(points) = report.frontiers.get(player) else { return Ok(()) };
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .caption(format!("{}: player {player}", report.name), ("sans-serif", 16))
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(
                range(points.iter().map(|point| point.variance)),
                range(points.iter().map(|point| point.mean)),
            )
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc("strategic variance")
            .y_desc("expected payoff")
            .label_style(("sans-serif", 14))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(failed)?;
        for (mixture, label) in
            [(false, "policies"), (true, "mixtures, lighter to darker over iterations")]
        {
            let own: Vec<_> = points.iter().filter(|point| point.mixture == mixture).collect();
            let colour = COLOURS[usize::from(mixture)];
            let count = own.len() as f64;
            let dots = own.iter().enumerate().map(|(place, point)| {
                let strength =
                    if mixture { 0.25 + 0.75 * (place as f64 + 1.0) / count } else { 0.6 };
                Circle::new((point.variance, point.mean), 4, colour.mix(strength).filled())
            });
            chart
                .draw_series(dots)
                .map_err(failed)?
                .label(label)
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .label_font(("sans-serif", 13))
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.4))
            .draw()
            .map_err(failed)?;
        Ok(())
    })
}
