//! What `ron` finds wrong, in terms of the scenario: which field, what stands there, what could stand there.
//!
//! Configurations of registries are read through an erased parser, which leaves nothing of `ron`'s error but its text.
//! So the text is what is read here, for all sections alike; the snapshots in `tests/bad_scenarios` hold the wording.

use std::ops::Range;

use super::tree::{Kind, Node};
use crate::suggest::closest;

/// How messages begin when a value stands where a field's name should.
const UNNAMED: [&str; 3] =
    ["Expected identifier", "Found invalid std identifier", "Unexpected field named"];

/// Names as a sentence lists them.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// `; did you mean ..? The .. are ..`, as far as there is something to say; `kind` is one of them.
pub(super) fn instead(name: &str, kind: &str, known: &[&str]) -> String {
    let are = match known {
        [] => return format!("; there is no {kind}"),
        [_] => format!("only {kind} is"),
        _ => format!("{kind}s are"),
    };
    let listed = listed(known.iter().copied());
    match closest(name, known.iter().copied()) {
        Some(meant) if known.len() == 1 => format!("; did you mean `{meant}`?"),
        Some(meant) => format!("; did you mean `{meant}`? The {are} {listed}"),
        None => format!("; the {are} {listed}"),
    }
}

/// The names in backticks, in order.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A value as the text has it, on one line and not too long.
fn excerpt(text: &str, span: Range<usize>) -> String {
    const SHOWN: usize = 40;
    let value = text.get(span).unwrap_or_default();
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > SHOWN {
        line.chars().take(SHOWN).chain("..".chars()).collect()
    } else {
        line
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { "the scenario".to_owned() } else { format!("`{path}`") }
}

/// A struct by its path and, if the text names it, its name.
fn named(node: &Node, path: &str, text: &str) -> String {
    match node.name(text) {
        Some(name) => format!("{} ({name})", place(path)),
        None => place(path),
    }
}

/// What should have stood where `found` stands, in plain words; what `ron` says when there are none.
fn plain(message: &str, found: &str, positional: bool) -> String {
    let fraction = found.contains('.') && found.parse::<f64>().is_ok();
    let known = match message {
        "Expected integer" => "expected a whole number",
        "Expected float" => "expected a number",
        "Expected boolean" => "expected `true` or `false`",
        "Expected string" => "expected a text in double quotes",
        "Expected opening `[`" => "expected a list in brackets",
        "Expected opening `(`" => "expected values in parentheses",
        "Expected opening `{`" => "expected a map in braces",
        _ if positional && UNNAMED.iter().any(|start| message.starts_with(start)) => {
            "expected `field: value`"
        }
        "Expected identifier" => "expected a name without quotes",
        "Integer is out of bounds" if found.starts_with('-') => "expected a whole number from 0 on",
        "Integer is out of bounds" => "this whole number is too large",
        // The text is RON, so what is amiss is only amiss for the type: it has ended already.
        "Expected comma"
        | "Expected closing `)`"
        | "Expected closing `]`"
        | "Non-whitespace trailing characters" => match () {
            () if fraction => "expected a whole number",
            () if positional => "this is one value too many",
            () => "this is not what the field takes",
        },
        _ if message.starts_with("Expected opening `(` for struct") => {
            "expected fields in parentheses"
        }
        _ if message.starts_with("Invalid digit ") => "expected a whole number",
        _ => {
            let mut chars = message.chars();
            let first = chars.next().map(|first| first.to_lowercase().to_string());
            return first.unwrap_or_default() + chars.as_str();
        }
    };
    known.to_owned()
}

/// What is wrong with a text that is not RON.
pub(super) fn syntax(message: &str, text: &str) -> String {
    let known = match message {
        _ if text.trim().is_empty() => {
            "the file is empty; a scenario is written `(version: 1, seed: 1, ..)`"
        }
        "Unexpected end of RON" => {
            "the text ends here, yet something that was opened is not closed"
        }
        "Expected comma" => "expected a comma before this",
        "Expected colon" => "expected a colon between the field's name and its value",
        "Expected end of string" => "this text has no closing quote",
        "Unclosed block comment" => "this comment has no closing `*/`",
        "Non-whitespace trailing characters" if text.trim_start().starts_with('(') => {
            "the scenario has ended, yet the text goes on"
        }
        "Non-whitespace trailing characters" => {
            "a scenario is written in parentheses, `(version: 1, seed: 1, ..)`"
        }
        _ => return message.to_owned(),
    };
    known.to_owned()
}

/// The value that `ron` was reading: the innermost around the end of `span`, rather a plain one than one with parts.
fn value<'a>(tree: &'a Node, span: &Range<usize>, text: &str) -> (&'a Node, String) {
    let before = text[..span.end].trim_end().len().saturating_sub(1);
    let candidates = || [span.end, before, span.start].into_iter().map(|byte| tree.innermost(byte));
    let plain = candidates().find(|(node, path)| node.children().is_empty() && !path.is_empty());
    plain.unwrap_or_else(|| tree.innermost(span.end))
}

/// Byte and message of an error that `ron` reports for the bytes `span` of a text that is RON.
pub(super) fn explain(
    message: &str,
    span: Range<usize>,
    text: &str,
    tree: &Node,
) -> (usize, String) {
    let (first, rest) = (quoted(message), message.split_once(", ").map_or("", |(_, rest)| rest));
    let known = quoted(rest);
    let name = first.first().copied().unwrap_or_default();
    if message.starts_with("Unexpected field named ")
        && let Some((at, node, path)) = tree.find_field(name, &span)
    {
        let instead = instead(name, "field", &known);
        return (at, format!("{} has no field `{name}`{instead}", named(node, &path, text)));
    }
    if message.starts_with("Unexpected duplicate field named ")
        && let Some((at, node, path)) = tree.find_field(name, &span)
    {
        return (at, format!("{} has the field `{name}` twice", named(node, &path, text)));
    }
    if message.starts_with("Unexpected missing field named ") {
        let (node, path) = tree.lacking(name, span.end);
        let closes = matches!(node.kind, Kind::Struct { .. });
        let at = if closes { node.span.end - 1 } else { node.span.start };
        return (at, format!("{} lacks the field `{name}`", named(node, &path, text)));
    }
    if message.starts_with("Unexpected variant named ")
        || message.starts_with("Unexpected enum variant named ")
    {
        let (node, path) = tree.innermost(span.end.saturating_sub(1).max(span.start));
        let at = if node.name(text) == Some(name) { node.span.start } else { span.start };
        let instead = instead(name, "choice", &known);
        return (at, format!("{} cannot be `{name}`{instead}", place(&path)));
    }
    if message.contains("but found") {
        let (node, path) = tree.innermost(span.end);
        return (node.span.start, format!("{}: {}", place(&path), plain(message, "", false)));
    }
    let (node, path) = value(tree, &span, text);
    let found = excerpt(text, node.span.clone());
    let what = plain(message, &found, path.ends_with(']'));
    (node.span.start, format!("{}: {what}, found `{found}`", place(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_stand_there_is_listed() {
        assert_eq!(instead("x", "field", &[]), "; there is no field");
        assert_eq!(instead("seven", "field", &["y"]), "; the only field is `y`");
        assert_eq!(instead("sise", "field", &["size"]), "; did you mean `size`?");
        let choices = ["Foraging", "Matrix"];
        let expected = "; did you mean `Foraging`? The choices are `Foraging`, `Matrix`";
        assert_eq!(instead("forraging", "choice", &choices), expected);
    }
}
