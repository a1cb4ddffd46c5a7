//! `--set path=value`: a scenario's text with one value replaced or added, everything else left as written.

use super::tree::{Kind, Node};

/// One `path=value` from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Names from the outside in, such as `agent.lr` or `env.layout.players.0.row`.
    pub path: String,
    /// RON text of the new value.
    pub value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not of the form path=value"))?;
        let (path, value) = (path.trim(), value.trim());
        if path.is_empty() || path.split('.').any(str::is_empty) {
            return Err(format!("`{text}` has no path before the `=`"));
        }
        if value.is_empty() {
            return Err(format!("`{text}` has no value after the `=`"));
        }
        Ok(Self { path: path.to_owned(), value: value.to_owned() })
    }
}

fn children(node: &Node) -> String {
    match &node.kind {
        Kind::Struct { fields, .. } if !fields.is_empty() => {
            let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
            format!("the names there are {}", names.join(", "))
        }
        Kind::List(items) | Kind::Tuple { items, .. } if !items.is_empty() => {
            format!("the numbers there are 0 to {}", items.len() - 1)
        }
        _ => "nothing stands inside it".to_owned(),
    }
}

/// The value as it is to be written: a string may come without quotes, because shells take them away.
fn spelled(value: &str, old: Option<&Node>) -> Result<String, String> {
    let is_text = old.is_some_and(|node| node.kind == Kind::Text);
    match Node::parse(value) {
        Ok(node) if !is_text || node.kind == Kind::Text => Ok(value.to_owned()),
        _ if is_text => Ok(format!("{value:?}")),
        _ => Err(format!(
            "`{value}` is not a value; a string needs quotes inside the shell's own: '\"..\"'"
        )),
    }
}

fn is_field(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|char| char == '_' || char.is_ascii_alphabetic())
        && chars.all(|char| char == '_' || char.is_ascii_alphanumeric())
}

impl Setting {
    /// The text with the value in place. Fields and sections that the file leaves out are added; whether they may
    /// stand there is for the parser to say.
    ///
    /// # Errors
    /// A sentence that begins with the setting, when the path leads nowhere or the value is not RON.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        self.put(text).map_err(|why| format!("--set {}={}: {why}", self.path, self.value))
    }

    /// As [`apply`](Self::apply), for settings with another name on the command line.
    ///
    /// # Errors
    /// A sentence, when the path leads nowhere or the value is not RON.
    pub fn put(&self, text: &str) -> Result<String, String> {
        let tree = Node::parse(text)
            .map_err(|lost| format!("expected {} at byte {}", lost.expected, lost.at))?;
        let mut node = &tree;
        let mut walked = "the scenario".to_owned();
        let keys: Vec<_> = self.path.split('.').collect();
        let mut rest = keys.as_slice();
        // As far as the text goes.
        while let [key, after @ ..] = rest {
            let Some(child) = node.child(key) else { break };
            (node, rest) = (child, after);
            walked = format!("`{key}`");
        }
        let (range, new) = match (rest, &node.kind) {
            ([], _) => (node.span.clone(), spelled(&self.value, Some(node))?),
            ([key, ..], kind) => {
                let unnamed = matches!(kind, Kind::Struct { .. } | Kind::Name);
                if !unnamed || !rest.iter().all(|key| is_field(key)) {
                    let why = format!("there is no `{key}` in {walked}; {}", children(node));
                    return Err(why);
                }
                // Sections that the text leaves out are added around the value.
                let value = spelled(&self.value, None)?;
                let inner = rest.iter().rev().fold(value, |value, key| format!("({key}: {value})"));
                let field = &inner[1..inner.len() - 1];
                match kind {
                    Kind::Struct { fields, .. } => match fields.last() {
                        Some(field_before) => {
                            let end = field_before.value.span.end;
                            (end..end, format!(", {field}"))
                        }
                        None => (node.span.end - 1..node.span.end - 1, field.to_owned()),
                    },
                    _ => (node.span.end..node.span.end, inner),
                }
            }
        };
        let mut edited = text.to_owned();
        edited.replace_range(range, &new);
        Ok(edited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, setting: &str) -> Result<String, String> {
        setting.parse::<Setting>()?.apply(text)
    }

    #[test]
    fn replaces_adds_and_refuses() {
        let text =
            r#"(seed: 1, env: Foraging(task: "a", size: (8, 8),), agent: Random, run: Train())"#;
        let check = |setting: &str, part: &str| {
            let edited = edit(text, setting).unwrap();
            assert!(edited.contains(part), "{setting}: {edited}");
        };
        check("seed=3", "(seed: 3, env");
        check("env.size.0=9", "size: (9, 8)");
        check("env.sight=2", "size: (8, 8), sight: 2,)");
        check("env.task=Foraging-8x8", "task: \"Foraging-8x8\"");
        check("env.task=\"b\"", "task: \"b\"");
        check("agent.masked=true", "agent: Random(masked: true)");
        check("run.steps=5", "Train(steps: 5)");
        check("agent=Collector(noise: 0)", "agent: Collector(noise: 0), run");
        // Sections that the text leaves out are added.
        check("batch.envs=8", "run: Train(), batch: (envs: 8))");
        check("run.evaluate.every=9", "Train(evaluate: (every: 9))");
        check("agent.a.b=1", "agent: Random(a: (b: 1))");
        for (setting, part) in [
            ("seed", "not of the form"),
            ("=3", "no path"),
            ("seed=", "no value"),
            ("env.siz.0=1", "there is no `siz` in `env`; the names there are `task`, `size`"),
            ("env.size.2=1", "there is no `2` in `size`; the numbers there are 0 to 1"),
            ("seed.x=1", "there is no `x` in `seed`; nothing stands inside it"),
            ("agent=a b", "is not a value"),
            ("seed=1) (", "is not a value"),
        ] {
            let message = edit(text, setting).unwrap_err();
            assert!(message.contains(part), "{setting}: {message}");
        }
    }
}
