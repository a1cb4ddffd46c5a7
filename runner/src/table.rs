//! Tables for people: aligned text, Markdown, CSV.

use gambol_solvers::game::NormalForm;

/// Rows of text under a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row with one cell a column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.head.len(), "one cell a column");
        self.rows.push(cells);
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            self.lines().map(|cells| cells[column].chars().count()).max().unwrap_or(0)
        };
        (0..self.head.len()).map(width).collect()
    }

    /// Columns side by side, two spaces apart.
    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for cells in self.lines() {
            let line: Vec<_> =
                cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// A table of GitHub's Markdown.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&self.head);
        text.push_str(&format!("|{}\n", "---|".repeat(self.head.len())));
        self.rows.iter().for_each(|cells| text.push_str(&line(cells)));
        text
    }

    /// Comma-separated values after RFC 4180, lines ended by a bare newline.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::new();
        for cells in self.lines() {
            let cells: Vec<_> = cells
                .iter()
                .map(|cell| {
                    if cell.contains([',', '"', '\n', '\r']) {
                        format!("\"{}\"", cell.replace('"', "\"\""))
                    } else {
                        cell.clone()
                    }
                })
                .collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

/// A number in at most about eight characters: six decimals without trailing zeros, or an exponent.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size.is_finite() && (1e-4..1e7).contains(&size) {
        let text = format!("{number:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{number:.2e}")
    }
}

/// `Stag: 0.666667, Hare: 0.333333`; actions that are not played are left out.
pub(crate) fn mix(game: &NormalForm, player: usize, strategy: &[f64]) -> String {
    let played = strategy.iter().zip(game.action_labels(player)).filter(|(share, _)| **share > 0.0);
    let words: Vec<_> =
        played.map(|(share, label)| format!("{}: {}", one_line(label), short(*share))).collect();
    words.join(", ")
}

/// A text on one line, for labels that come from files.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Table, one_line, short};

    #[test]
    fn the_three_forms() {
        let mut table = Table::new(&["name", "x"]);
        table.row(vec!["a|b".into(), "1".into()]);
        table.row(vec!["c, \"d\"".into(), String::new()]);
        assert_eq!(table.text(), "name    x\na|b     1\nc, \"d\"\n");
        assert_eq!(table.markdown(), "| name | x |\n|---|---|\n| a\\|b | 1 |\n| c, \"d\" |  |\n");
        assert_eq!(table.csv(), "name,x\na|b,1\n\"c, \"\"d\"\"\",\n");
    }

    #[test]
    fn numbers_and_labels() {
        let numbers = [0.0, -0.0, 1.0, 2.0 / 3.0, -100.25, 3e-17, 1e9, f64::INFINITY];
        let texts = ["0", "0", "1", "0.666667", "-100.25", "3.00e-17", "1.00e9", "inf"];
        assert_eq!(numbers.map(short), texts);
        assert_eq!(one_line("a\nb\u{1b}[0m"), "a b [0m");
    }
}
