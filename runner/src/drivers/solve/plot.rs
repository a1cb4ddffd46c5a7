//! Expected payoff against strategic variance, one panel a player.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::report::{Point, Report};

/// Most panels; further players are left out, and the title says so.
const MOST_PANELS: usize = 4;

/// Size of a panel in pixels.
const PANEL: (u32, u32) = (640, 520);

/// Colours that people with colour blindness can tell apart (Okabe and Ito 2008), used in turn.
pub(crate) const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// The numbers' range with a margin; around a single number as wide as it is large.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if !(low.is_finite() && high.is_finite()) {
        return 0.0..1.0;
    }
    let width = high - low;
    // Differences in the last digits are noise, and no axis can be labelled with them.
    let margin = if width <= 1e-9 * low.abs().max(high.abs()).max(1e-3) {
        0.5 * low.abs().max(1e-3)
    } else {
        0.05 * width
    };
    low - margin..high + margin
}

pub(crate) fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    report: &Report,
    player: usize,
) -> Result<(), String> {
    let own = || report.series.iter().filter(|series| series.player == player);
    let points = || own().flat_map(|series| &series.points);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(format!("{}: {}", report.title, report.players[player]), ("sans-serif", 20))
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(
            range(points().map(|point| point.variance)),
            range(points().map(|point| point.payoff)),
        )
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc("strategic variance")
        .y_desc("expected payoff")
        .label_style(("sans-serif", 16))
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(failed)?;
    for (number, series) in own().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let place = |point: &Point| (point.variance, point.payoff);
        if series.line {
            let line = LineSeries::new(series.points.iter().map(place), colour.stroke_width(2));
            chart.draw_series(line).map_err(failed)?;
        }
        let dots = series.points.iter().map(|point| Circle::new(place(point), 4, colour.filled()));
        chart
            .draw_series(dots)
            .map_err(failed)?
            .label(series.label.clone())
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
    }
    if own().next().is_some() {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .label_font(("sans-serif", 16))
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.4))
            .draw()
            .map_err(failed)?;
    }
    Ok(())
}

/// Panels of this size side by side as SVG text, one a player, as far as there is room.
pub(crate) fn panels(
    count: usize,
    (width, height): (u32, u32),
    draw: impl Fn(usize, &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), String>,
) -> Result<String, String> {
    let count = count.clamp(1, MOST_PANELS);
    let mut svg = String::new();
    {
        let size = (width * count as u32, height);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (player, area) in root.split_evenly((1, count)).iter().enumerate() {
            draw(player, area)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// The plot as SVG text.
pub(super) fn frontier(report: &Report) -> Result<String, String> {
    panels(report.players.len(), PANEL, |player, area| panel(area, report, player))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_hold_what_they_are_of() {
        assert_eq!(range([].into_iter()), 0.0..1.0);
        assert_eq!(range([2.0].into_iter()), 1.0..3.0);
        let zero = range([0.0, 1e-17].into_iter());
        assert!(zero.start < 0.0 && zero.end > 1e-4);
        let wide = range([1.0, 3.0].into_iter());
        assert!(wide.start < 1.0 && wide.end > 3.0);
    }
}
