//! Where everything stands in a RON text: a walk that keeps positions and leaves values as they are written.
//!
//! The `ron` crate decides what is valid; this tree is only made of texts that it accepted.

use std::ops::Range;

/// Values deeper than this are refused, as `ron` itself does.
const DEEPEST: usize = 120;

/// One value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Bytes of the whole value, its name included.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// One `name: value` of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// Bytes of the name.
    pub at: Range<usize>,
    /// Its value.
    pub value: Node,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, character or byte string.
    Scalar,
    /// A string.
    Text,
    /// A name without parentheses, such as `Random` or `true`.
    Name,
    /// Named fields in parentheses, perhaps after a name; `()` too.
    Struct {
        /// Bytes of the name before the parenthesis.
        name: Option<Range<usize>>,
        /// The fields, in the order in which they are written.
        fields: Vec<Field>,
    },
    /// Values in parentheses, perhaps after a name.
    Tuple {
        /// Bytes of the name before the parenthesis.
        name: Option<Range<usize>>,
        /// The values.
        items: Vec<Node>,
    },
    /// Values in brackets.
    List(Vec<Node>),
    /// Keys and values in braces.
    Map(Vec<(Node, Node)>),
}

/// The walk met something it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Byte where.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl Node {
    /// The one value of a text.
    ///
    /// # Errors
    /// [`Lost`] where the text is not RON.
    pub fn parse(text: &str) -> Result<Self, Lost> {
        let mut walker = Walker { text, at: 0, depth: 0 };
        walker.space()?;
        while walker.rest().starts_with("#!") {
            let end = walker.rest().find(']').ok_or_else(|| walker.lost("a closing `]`"))?;
            walker.at += end + 1;
            walker.space()?;
        }
        let node = walker.value()?;
        walker.space()?;
        if walker.rest().is_empty() { Ok(node) } else { Err(walker.lost("the end")) }
    }

    /// The value's name: what stands before the parenthesis, or all of it.
    pub fn name<'a>(&self, text: &'a str) -> Option<&'a str> {
        let range = match &self.kind {
            Kind::Name => self.span.clone(),
            Kind::Struct { name, .. } | Kind::Tuple { name, .. } => name.clone()?,
            _ => return None,
        };
        text.get(range)
    }

    /// The fields of a struct; none for anything else.
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Struct { fields, .. } => fields,
            _ => &[],
        }
    }

    /// The value of that field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// The child of that name or number.
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Struct { .. } => self.field(key).map(|field| &field.value),
            Kind::Tuple { items, .. } | Kind::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The values directly inside.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Struct { fields, .. } => fields.iter().map(|field| &field.value).collect(),
            Kind::Tuple { items, .. } | Kind::List(items) => items.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Kind::Scalar | Kind::Text | Kind::Name => Vec::new(),
        }
    }

    /// The values directly inside, each with what leads to it and the bytes of both.
    fn steps(&self) -> Vec<(String, Range<usize>, &Self)> {
        match &self.kind {
            Kind::Struct { fields, .. } => fields
                .iter()
                .map(|field| {
                    let span = field.at.start..field.value.span.end;
                    (format!(".{}", field.name), span, &field.value)
                })
                .collect(),
            _ => (self.children().into_iter().enumerate())
                .map(|(index, child)| (format!("[{index}]"), child.span.clone(), child))
                .collect(),
        }
    }

    /// The values from this one down to the innermost around that byte, each with its path.
    fn around(&self, byte: usize) -> Vec<(&Self, String)> {
        let mut chain = vec![(self, String::new())];
        loop {
            let (node, path) = &chain[chain.len() - 1];
            let inside = node.steps().into_iter().find(|(_, span, _)| span.contains(&byte));
            let Some((step, _, child)) = inside else { return chain };
            let path = format!("{path}{step}").trim_start_matches('.').to_owned();
            chain.push((child, path));
        }
    }

    /// The innermost value around that byte, and its path such as `env.size[0]`; empty for the whole.
    pub fn innermost(&self, byte: usize) -> (&Self, String) {
        self.around(byte).pop().unwrap_or((self, String::new()))
    }

    /// The innermost struct or name around, or just before, that byte that has no such field, and its path.
    pub fn lacking(&self, field: &str, byte: usize) -> (&Self, String) {
        let before = byte.saturating_sub(1);
        let chain = self.around(before).into_iter().rev();
        let mut without = chain.filter(|(node, _)| {
            matches!(node.kind, Kind::Struct { .. } | Kind::Name) && node.field(field).is_none()
        });
        without.next().unwrap_or((self, String::new()))
    }

    /// Where the field of that name stands that `span` is about, the struct around it and its path.
    pub fn find_field(&self, name: &str, span: &Range<usize>) -> Option<(usize, &Self, String)> {
        for byte in [span.end, span.end.saturating_sub(1), span.start] {
            for (node, path) in self.around(byte).into_iter().rev() {
                // The last of two: the first one was fine.
                if let Some(named) = node.fields().iter().rev().find(|field| field.name == name) {
                    return Some((named.at.start, node, path));
                }
            }
        }
        None
    }

    /// The first string with that content, this value included.
    pub fn find_text(&self, text: &str, content: &str) -> Option<&Self> {
        if self.kind == Kind::Text {
            let own = ron::from_str::<String>(text.get(self.span.clone())?).ok()?;
            return (own == content).then_some(self);
        }
        self.children().into_iter().find_map(|child| child.find_text(text, content))
    }

    /// Follows a path such as `layout.players[0].row` or `layout.players.0.row` as far as it goes.
    pub fn follow<'a>(&'a self, path: &str) -> &'a Node {
        let keys = path.split(['.', '[', ']']).filter(|key| !key.is_empty());
        let mut node = self;
        for key in keys {
            match node.child(key) {
                Some(child) => node = child,
                None => break,
            }
        }
        node
    }
}

struct Walker<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

fn starts_name(char: char) -> bool {
    char == '_' || char.is_alphabetic()
}

fn in_name(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn in_number(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '.' | '+' | '-' | '_')
}

impl<'a> Walker<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn lost(&self, expected: &'static str) -> Lost {
        Lost { at: self.at, expected }
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, char: char) -> bool {
        let found = self.rest().starts_with(char);
        if found {
            self.at += char.len_utf8();
        }
        found
    }

    fn expect(&mut self, char: char, expected: &'static str) -> Result<(), Lost> {
        if self.eat(char) { Ok(()) } else { Err(self.lost(expected)) }
    }

    fn skip_while(&mut self, accept: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|char| !accept(char)).unwrap_or(rest.len());
    }

    fn space(&mut self) -> Result<(), Lost> {
        loop {
            self.skip_while(char::is_whitespace);
            if self.rest().starts_with("//") {
                self.skip_while(|char| char != '\n');
            } else if self.rest().starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), Lost> {
        let mut open = 0_usize;
        loop {
            if self.rest().starts_with("/*") {
                open += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                open -= 1;
                self.at += 2;
                if open == 0 {
                    return Ok(());
                }
            } else {
                let char = self.peek().ok_or_else(|| self.lost("the end of the comment"))?;
                self.at += char.len_utf8();
            }
        }
    }

    /// After the opening quote: to behind the closing one.
    fn quoted(&mut self, quote: char) -> Result<(), Lost> {
        loop {
            let char = self.peek().ok_or_else(|| self.lost("a closing quote"))?;
            self.at += char.len_utf8();
            if char == quote {
                return Ok(());
            }
            if char == '\\' {
                let escaped = self.peek().ok_or_else(|| self.lost("an escaped character"))?;
                self.at += escaped.len_utf8();
            }
        }
    }

    /// `r"..."`, `r#"..."#`, `b"..."`, `br#"..."#`: whether there was one.
    fn prefixed(&mut self) -> Result<Option<Kind>, Lost> {
        let rest = self.rest();
        let (prefix, kind) = match () {
            () if rest.starts_with("br") => (2, Kind::Scalar),
            () if rest.starts_with('r') => (1, Kind::Text),
            () if rest.starts_with("b\"") || rest.starts_with("b'") => {
                let quote = if rest.starts_with("b\"") { '"' } else { '\'' };
                self.at += 2;
                self.quoted(quote)?;
                return Ok(Some(Kind::Scalar));
            }
            () => return Ok(None),
        };
        let after = &rest[prefix..];
        let hashes = after.len() - after.trim_start_matches('#').len();
        let Some(body) = after[hashes..].strip_prefix('"') else { return Ok(None) };
        let close = format!("\"{}", "#".repeat(hashes));
        let end = body.find(&close).ok_or_else(|| self.lost("the end of the raw string"))?;
        self.at += prefix + hashes + 1 + end + close.len();
        Ok(Some(kind))
    }

    fn name(&mut self) -> Option<Range<usize>> {
        if self.rest().starts_with("r#") {
            self.at += 2;
            let start = self.at;
            self.skip_while(|char| in_name(char) || matches!(char, '.' | '+' | '-'));
            return Some(start..self.at);
        }
        let start = self.at;
        self.peek().filter(|&char| starts_name(char))?;
        self.skip_while(in_name);
        Some(start..self.at)
    }

    fn value(&mut self) -> Result<Node, Lost> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.lost("fewer levels of nesting"));
        }
        let start = self.at;
        let kind = self.kind()?;
        self.depth -= 1;
        Ok(Node { span: start..self.at, kind })
    }

    fn kind(&mut self) -> Result<Kind, Lost> {
        if let Some(kind) = self.prefixed()? {
            return Ok(kind);
        }
        match self.peek().ok_or_else(|| self.lost("a value"))? {
            '"' => {
                self.at += 1;
                self.quoted('"')?;
                Ok(Kind::Text)
            }
            '\'' => {
                self.at += 1;
                self.quoted('\'')?;
                Ok(Kind::Scalar)
            }
            '[' => {
                self.at += 1;
                Ok(Kind::List(self.items(']', "a closing `]`")?))
            }
            '{' => {
                self.at += 1;
                self.map()
            }
            '(' => self.parenthesis(None),
            char if char.is_ascii_digit() || matches!(char, '+' | '-' | '.') => {
                self.skip_while(in_number);
                Ok(Kind::Scalar)
            }
            char if starts_name(char) => {
                let name = self.name();
                let end = self.at;
                self.space()?;
                if self.rest().starts_with('(') {
                    self.parenthesis(name)
                } else {
                    self.at = end;
                    Ok(Kind::Name)
                }
            }
            _ => Err(self.lost("a value")),
        }
    }

    fn items(&mut self, close: char, expected: &'static str) -> Result<Vec<Node>, Lost> {
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.eat(close) {
                return Ok(items);
            }
            items.push(self.value()?);
            self.space()?;
            if !self.eat(',') {
                self.expect(close, expected)?;
                return Ok(items);
            }
        }
    }

    fn map(&mut self) -> Result<Kind, Lost> {
        let mut entries = Vec::new();
        loop {
            self.space()?;
            if self.eat('}') {
                return Ok(Kind::Map(entries));
            }
            let key = self.value()?;
            self.space()?;
            self.expect(':', "a colon")?;
            self.space()?;
            entries.push((key, self.value()?));
            self.space()?;
            if !self.eat(',') {
                self.expect('}', "a closing `}`")?;
                return Ok(Kind::Map(entries));
            }
        }
    }

    /// Whether `name:` comes next, so that the parenthesis holds fields.
    fn field_follows(&mut self) -> Result<bool, Lost> {
        let start = self.at;
        let found = match self.name() {
            Some(_) => {
                self.space()?;
                self.rest().starts_with(':')
            }
            None => false,
        };
        self.at = start;
        Ok(found)
    }

    fn parenthesis(&mut self, name: Option<Range<usize>>) -> Result<Kind, Lost> {
        self.at += 1;
        self.space()?;
        if self.eat(')') {
            return Ok(Kind::Struct { name, fields: Vec::new() });
        }
        if !self.field_follows()? {
            return Ok(Kind::Tuple { name, items: self.items(')', "a closing `)`")? });
        }
        let mut fields = Vec::new();
        loop {
            self.space()?;
            if self.eat(')') {
                return Ok(Kind::Struct { name, fields });
            }
            let at = self.name().ok_or_else(|| self.lost("a field's name"))?;
            self.space()?;
            self.expect(':', "a colon")?;
            self.space()?;
            let value = self.value()?;
            fields.push(Field { name: self.text[at.clone()].to_owned(), at, value });
            self.space()?;
            if !self.eat(',') {
                self.expect(')', "a closing `)`")?;
                return Ok(Kind::Struct { name, fields });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_kind_of_value_where_it_stands() {
        let text = r##"#![enable(implicit_some)]
        /* a /* nested */ comment */ (
            seed: 7, // seven
            env: Foraging(size: (8, 8), task: r#"a " quote"#, levels: [(min: 1), (min: 2,),],),
            agent: Random,
            map: { "a": -1.5e-3, "b\"": 'x' },
            bytes: b"\"",
        )"##;
        let tree = Node::parse(text).unwrap();
        let at = |path: &str| &text[tree.follow(path).span.clone()];
        assert_eq!(at("seed"), "7");
        assert_eq!(at("env.task"), r##"r#"a " quote"#"##);
        assert_eq!(at("env.size.1"), "8");
        assert_eq!(at("env.levels[1].min"), "2");
        assert_eq!(at("agent"), "Random");
        assert_eq!(at("map"), r#"{ "a": -1.5e-3, "b\"": 'x' }"#);
        assert_eq!(at("bytes"), r#"b"\"""#);
        assert_eq!(tree.child("env").unwrap().name(text), Some("Foraging"));
        let quoted = tree.find_text(text, "a \" quote").unwrap();
        assert_eq!(quoted.span, tree.follow("env.task").span);
        assert_eq!(tree.find_text(text, "quote"), None);
        // A path that leaves the tree stays where it last was.
        assert_eq!(at("env.size.9"), "(8, 8)");
    }

    #[test]
    fn says_where_it_is_lost() {
        for (text, at) in [("(a: 1", 5), ("(a 1)", 3), ("[1, 2", 5), ("\"open", 5), ("(a: )", 4)] {
            assert_eq!(Node::parse(text).unwrap_err().at, at, "{text}");
        }
        assert!(Node::parse(&"[".repeat(100_000)).is_err());
    }
}
