//! Tables for people.

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

/// A text on one line, for labels that come from files.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Table, one_line, short};

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["name", "x"]);
        table.row(vec!["a|b".into(), "1".into()]);
        table.row(vec!["c, \"d\"".into(), String::new()]);
        assert_eq!(table.text(), "name    x\na|b     1\nc, \"d\"\n");
    }

    #[test]
    fn numbers_and_labels() {
        let numbers = [0.0, -0.0, 1.0, 2.0 / 3.0, -100.25, 3e-17, 1e9, f64::INFINITY];
        let texts = ["0", "0", "1", "0.666667", "-100.25", "3.00e-17", "1.00e9", "inf"];
        assert_eq!(numbers.map(short), texts);
        assert_eq!(one_line("a\nb\u{1b}[0m"), "a b [0m");
    }
}
