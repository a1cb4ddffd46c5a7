//! The table of a run: a row an answer and player for one game, means over games otherwise.

use gambol_solvers::game::NormalForm;
use serde_json::{Value, json};

use super::{Answer, Contender, Solve, Solved};
use crate::drivers::evaluate::Mean;
use crate::table::{Table, mix, one_line, short};

/// One cell of the table.
#[derive(Clone, Debug)]
enum Cell {
    Text(String),
    Count(usize),
    Number(f64),
    Empty,
}

impl Cell {
    fn maybe(number: Option<f64>) -> Self {
        number.map_or(Self::Empty, Self::Number)
    }

    fn short(&self) -> String {
        match self {
            Self::Number(number) => short(*number),
            _ => self.exact(),
        }
    }

    fn exact(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Empty => String::new(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Number(number) => json!(number),
            Self::Empty => Value::Null,
        }
    }
}

/// A point of the plot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) variance: f64,
    pub(super) payoff: f64,
}

/// The points of one solver for one player, in the order of the swept values.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) label: String,
    pub(super) player: usize,
    pub(super) points: Vec<Point>,
    /// Whether there is one point a value, so that a line through them means something.
    pub(super) line: bool,
}

/// Everything that is told about a run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) title: String,
    pub(super) players: Vec<String>,
    pub(super) series: Vec<Series>,
    head: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// The mean over cases of what `of` says of every answer, an answer counting by its share of its case.
fn mean(cases: &[&[Answer]], of: impl Fn(&Answer) -> Option<f64>) -> Option<Mean> {
    let values: Vec<f64> = cases
        .iter()
        .filter(|answers| !answers.is_empty())
        .map(|answers| {
            let values: Option<Vec<f64>> = answers.iter().map(&of).collect();
            values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
        })
        .collect::<Option<_>>()?;
    (!values.is_empty()).then(|| Mean::of(values.iter().copied()))
}

impl Report {
    pub(super) fn new(
        solve: &Solve,
        game: &NormalForm,
        contenders: &[Contender],
        done: &[Solved],
    ) -> Self {
        let players = game.player_labels().iter().map(|label| one_line(label)).collect();
        let count =
            if solve.seeds == 1 { String::new() } else { format!(", {} seeds", solve.seeds) };
        let mut report = Self {
            title: format!("{}{count}", one_line(&solve.game.name())),
            players,
            series: Vec::new(),
            head: Vec::new(),
            rows: Vec::new(),
        };
        let swept = solve.sweep.as_ref().map(|sweep| sweep.parameter.clone());
        let one = solve.seeds == 1;
        let columns: &[&str] = if one {
            &[
                "answer",
                "player",
                "payoff",
                "regret",
                "gap",
                "variance",
                "total variance",
                "strategy",
            ]
        } else {
            &[
                "solved",
                "failed",
                "answers",
                "converged",
                "player",
                "payoff",
                "payoff +-",
                "regret",
                "gap",
                "variance",
                "variance +-",
                "total variance",
                "total variance +-",
            ]
        };
        report.head = std::iter::once("solver".to_owned())
            .chain(swept)
            .chain(columns.iter().map(|&name| name.to_owned()))
            .collect();
        for (number, contender) in contenders.iter().enumerate() {
            let cases: Vec<_> = done.iter().filter(|solved| solved.contender == number).collect();
            let solved: Vec<&[Answer]> =
                cases.iter().filter_map(|case| case.answers.as_deref().ok()).collect();
            let mut start = vec![Cell::Text(contender.label.clone())];
            if solve.sweep.is_some() {
                start.push(Cell::maybe(contender.value));
            }
            if one {
                report.answers(
                    game,
                    contender,
                    &start,
                    solved.first().copied().unwrap_or_default(),
                );
            } else {
                let failed = cases.len() - solved.len();
                report.means(contender, &start, &solved, failed);
            }
        }
        report
    }

    /// One row an answer and player.
    fn answers(
        &mut self,
        game: &NormalForm,
        contender: &Contender,
        start: &[Cell],
        answers: &[Answer],
    ) {
        for (number, answer) in answers.iter().enumerate() {
            for player in 0..self.players.len() {
                let variance = answer.variance.as_ref().map(|variance| variance[player]);
                let mut row = start.to_vec();
                row.extend([
                    Cell::Count(number + 1),
                    Cell::Text(self.players[player].clone()),
                    Cell::Number(answer.payoffs[player]),
                    Cell::Number(answer.regret[player]),
                    Cell::maybe(answer.gap.as_ref().map(|gap| gap[player])),
                    Cell::maybe(variance),
                    Cell::Number(answer.total_variance[player]),
                    Cell::Text(mix(game, player, &answer.mixes[player])),
                ]);
                self.rows.push(row);
                if let Some(variance) = variance {
                    let point = Point { variance, payoff: answer.payoffs[player] };
                    self.point(&contender.label, player, point, answers.len() == 1);
                }
            }
        }
    }

    /// One row a player, of means over cases with the half-width of their normal 95 % intervals.
    fn means(
        &mut self,
        contender: &Contender,
        start: &[Cell],
        solved: &[&[Answer]],
        failed: usize,
    ) {
        let answers: usize = solved.iter().map(|answers| answers.len()).sum();
        let ended = solved.iter().copied().flatten().filter(|answer| answer.ended).count();
        for player in 0..self.players.len() {
            let payoff = mean(solved, |answer| Some(answer.payoffs[player]));
            let regret = mean(solved, |answer| Some(answer.regret[player]));
            let gap = mean(solved, |answer| answer.gap.as_ref().map(|gap| gap[player]));
            let variance = mean(solved, |answer| answer.variance.as_ref().map(|own| own[player]));
            let total = mean(solved, |answer| Some(answer.total_variance[player]));
            let middle = |mean: Option<Mean>| Cell::maybe(mean.map(|mean| mean.mean));
            let width = |mean: Option<Mean>| Cell::maybe(mean.map(|mean| 1.96 * mean.error));
            let mut row = start.to_vec();
            row.extend([
                Cell::Count(solved.len()),
                Cell::Count(failed),
                Cell::Count(answers),
                Cell::Count(ended),
                Cell::Text(self.players[player].clone()),
                middle(payoff),
                width(payoff),
                middle(regret),
                middle(gap),
                middle(variance),
                width(variance),
                middle(total),
                width(total),
            ]);
            self.rows.push(row);
            if let (Some(payoff), Some(variance)) = (payoff, variance) {
                let point = Point { variance: variance.mean, payoff: payoff.mean };
                self.point(&contender.label, player, point, true);
            }
        }
    }

    fn point(&mut self, label: &str, player: usize, point: Point, line: bool) {
        let known = |series: &&mut Series| series.label == label && series.player == player;
        match self.series.iter_mut().find(known) {
            Some(series) => {
                series.points.push(point);
                series.line &= line;
            }
            None => {
                let label = label.to_owned();
                self.series.push(Series { label, player, points: vec![point], line });
            }
        }
    }

    fn table(&self, cell: impl Fn(&Cell) -> String) -> Table {
        let head: Vec<_> = self.head.iter().map(String::as_str).collect();
        let mut table = Table::new(&head);
        for row in &self.rows {
            table.row(row.iter().map(&cell).collect());
        }
        table
    }

    pub(super) fn markdown(&self) -> String {
        let note = "Variances are those of the profile as played: `variance` is the strategic one, which the \
                    opponents' mixing causes, `total variance` counts own mixing too.";
        let table = self.table(Cell::short).markdown();
        format!("# {}\n\n{note}\n\n{table}", self.title)
    }

    pub(super) fn csv(&self) -> String {
        self.table(Cell::exact).csv()
    }

    /// `{"head": [..], "rows": [[..]..]}`.
    pub(super) fn value(&self) -> Value {
        let rows: Vec<Vec<Value>> =
            self.rows.iter().map(|row| row.iter().map(Cell::value).collect()).collect();
        json!({ "head": self.head, "rows": rows })
    }
}
