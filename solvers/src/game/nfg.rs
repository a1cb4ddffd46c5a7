//! Gambit's strategic game format (`.nfg`), read from and written to text.
//!
//! Both forms are read: the payoff form (a flat list of payoffs) and the outcome form (a table of
//! named outcomes and one index per profile, 0 meaning "nothing for anybody").
//! Players' actions may be given by number (`{ 2 3 }`) or by label (`{ { "a" "b" } .. }`) in either.
//! In both, the profiles are listed with the *first* player's action changing fastest.
//!
//! Source: Gambit documentation, "Game representation formats".
//! Two things go beyond its text: numbers may carry an exponent (`1.5e-3`), and inside quotes
//! `\\` stands for one backslash, because without it a label could not end in a backslash.
//!
//! Payoffs become the nearest `f64`; a rational `a/b` is the quotient of two such numbers.
//! Nothing here touches the file system: callers bring the text.

use ndarray::{ArrayD, IxDyn};

use super::{GameError, NormalForm};

/// The most players that a file may declare.
///
/// More than this with two actions each could not be stored anyway; with one action each they
/// would only serve to exhaust memory.
pub const MAX_PLAYERS: usize = 64;

/// Where and why a text is not an `.nfg` game.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct NfgError {
    /// Line of the offending text, from 1.
    pub line: usize,
    /// Column of the offending text in characters, from 1.
    pub column: usize,
    /// What was expected and what stands there instead.
    pub why: NfgProblem,
}

/// What is wrong with the text at the position that [`NfgError`] names.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NfgProblem {
    /// Something else was due here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What the format wants at this place.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A quoted text that never ends.
    #[error("this quoted text has no closing `\"`")]
    OpenQuote,
    /// A word that looks like a number and is none.
    #[error(
        "`{0}` is not a number (an integer, a decimal such as -1.5 or 2e3, or a ratio such as 2/3)"
    )]
    Number(String),
    /// A number beyond the range of `f64`, or a ratio with denominator zero.
    #[error("`{0}` is not finite")]
    NotFinite(String),
    /// No player at all.
    #[error("a game needs at least one player")]
    NoPlayers,
    /// More players than [`MAX_PLAYERS`].
    #[error("{0} players are more than this reader takes ({MAX_PLAYERS})")]
    TooManyPlayers(usize),
    /// A player without actions.
    #[error("player {player} has no action")]
    NoActions {
        /// The player, from 1 as in the file.
        player: usize,
    },
    /// The list of actions does not have one entry per player.
    #[error("{found} players have actions, but {players} are named")]
    ActionLists {
        /// Players named in the first list.
        players: usize,
        /// Entries in the list of actions.
        found: usize,
    },
    /// The product of the numbers of actions is beyond what the text could hold.
    #[error("the body needs {needed} entries and the rest of the text has room for {room} at most")]
    TooLarge {
        /// Entries that the declared sizes ask for (saturated).
        needed: usize,
        /// Entries that could be written in the remaining text.
        room: usize,
    },
    /// An outcome's payoffs are not one per player.
    #[error("outcome {outcome} has {found} payoffs for {players} players")]
    OutcomePayoffs {
        /// The outcome, from 1.
        outcome: usize,
        /// Players of the game.
        players: usize,
        /// Payoffs given.
        found: usize,
    },
    /// An index into the outcomes beyond their number.
    #[error("outcome {outcome} does not exist: there are {outcomes}")]
    NoSuchOutcome {
        /// The index as written.
        outcome: String,
        /// The number of outcomes declared.
        outcomes: usize,
    },
    /// Text after the last entry.
    #[error("the body is complete, but the text goes on with {0}")]
    Trailing(String),
    /// The numbers do not make a game.
    #[error(transparent)]
    Game(#[from] GameError),
}

/// One token with its place.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    kind: Kind,
    line: usize,
    column: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Open,
    Close,
    Text(String),
    Word(String),
    End,
}

impl Token {
    fn describe(&self) -> String {
        const SHOWN: usize = 40;
        let short = |text: &str| -> String {
            if text.chars().count() > SHOWN {
                text.chars().take(SHOWN).chain("...".chars()).collect()
            } else {
                text.to_owned()
            }
        };
        match &self.kind {
            Kind::Open => "`{`".to_owned(),
            Kind::Close => "`}`".to_owned(),
            Kind::Text(text) => format!("the text \"{}\"", short(text)),
            Kind::Word(word) => format!("`{}`", short(word)),
            Kind::End => "the end of the text".to_owned(),
        }
    }

    fn error(&self, why: NfgProblem) -> NfgError {
        NfgError { line: self.line, column: self.column, why }
    }

    fn expected(&self, what: &str) -> NfgError {
        self.error(NfgProblem::Expected { expected: what.to_owned(), found: self.describe() })
    }
}

/// Splits the text into braces, quoted texts and words. Commas separate like white space.
struct Lexer<'a> {
    rest: std::str::Chars<'a>,
    line: usize,
    column: usize,
    ahead: Option<Token>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        // A byte-order mark is what some editors put before the first word.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { rest: text.chars(), line: 1, column: 1, ahead: None }
    }

    fn peek_char(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn take_char(&mut self) -> Option<char> {
        let taken = self.rest.next()?;
        if taken == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(taken)
    }

    /// Bytes not read yet, not counting a token that was looked at.
    fn room(&self) -> usize {
        self.rest.as_str().len()
    }

    fn peek(&mut self) -> Result<&Token, NfgError> {
        let token = match self.ahead.take() {
            Some(token) => token,
            None => self.scan()?,
        };
        Ok(self.ahead.insert(token))
    }

    fn next(&mut self) -> Result<Token, NfgError> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.scan(),
        }
    }

    fn scan(&mut self) -> Result<Token, NfgError> {
        while self.peek_char().is_some_and(|c| c.is_whitespace() || c == ',') {
            self.take_char();
        }
        let (line, column) = (self.line, self.column);
        let kind = match self.take_char() {
            None => Kind::End,
            Some('{') => Kind::Open,
            Some('}') => Kind::Close,
            Some('"') => Kind::Text(self.quoted().ok_or(NfgError {
                line,
                column,
                why: NfgProblem::OpenQuote,
            })?),
            Some(first) => {
                let mut word = String::from(first);
                while let Some(c) = self.peek_char() {
                    if c.is_whitespace() || matches!(c, ',' | '{' | '}' | '"') {
                        break;
                    }
                    word.push(c);
                    self.take_char();
                }
                Kind::Word(word)
            }
        };
        Ok(Token { kind, line, column })
    }

    /// The rest of a quoted text after its opening quote; none if it never closes.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.take_char()? {
                '"' => return Some(text),
                '\\' => match self.peek_char() {
                    Some(escaped @ ('"' | '\\')) => {
                        text.push(escaped);
                        self.take_char();
                    }
                    _ => text.push('\\'),
                },
                c => text.push(c),
            }
        }
    }

    fn open(&mut self, what: &str) -> Result<Token, NfgError> {
        let token = self.next()?;
        if token.kind == Kind::Open { Ok(token) } else { Err(token.expected(what)) }
    }

    fn word(&mut self, allowed: &[&str], what: &str) -> Result<(), NfgError> {
        let token = self.next()?;
        match &token.kind {
            Kind::Word(word) if allowed.contains(&word.as_str()) => Ok(()),
            _ => Err(token.expected(what)),
        }
    }

    /// Texts up to the closing brace, the opening one being read already.
    fn texts(&mut self, what: &str) -> Result<Vec<String>, NfgError> {
        let mut texts = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                Kind::Text(text) => texts.push(text),
                Kind::Close => return Ok(texts),
                _ => return Err(token.expected(what)),
            }
        }
    }
}

/// Reads a game from the text of an `.nfg` file.
///
/// # Errors
///
/// [`NfgError`] with line and column at the first place that does not fit the format.
pub fn read(text: &str) -> Result<NormalForm, NfgError> {
    let mut lexer = Lexer::new(text);
    lexer.word(&["NFG"], "`NFG`, with which a strategic game begins")?;
    lexer.word(&["1"], "the format's version `1`")?;
    lexer.word(&["R", "D"], "`R` or `D`, the kind of numbers")?;
    let token = lexer.next()?;
    let Kind::Text(title) = token.kind else {
        return Err(token.expected("the title in double quotes"));
    };

    let at_players = lexer.open("`{` before the players' names")?;
    let players = lexer.texts("a player's name in double quotes or `}`")?;
    if players.is_empty() {
        return Err(at_players.error(NfgProblem::NoPlayers));
    }
    if players.len() > MAX_PLAYERS {
        return Err(at_players.error(NfgProblem::TooManyPlayers(players.len())));
    }

    let at_actions = lexer.open("`{` before the players' actions")?;
    let actions = read_actions(&mut lexer)?;
    if actions.len() != players.len() {
        return Err(at_actions
            .error(NfgProblem::ActionLists { players: players.len(), found: actions.len() }));
    }

    let comment = if let Kind::Text(comment) = &lexer.peek()?.kind {
        let comment = comment.clone();
        lexer.next()?;
        comment
    } else {
        String::new()
    };

    let sizes: Vec<usize> = actions.iter().map(Actions::len).collect();
    let cells = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let outcome_form = lexer.peek()?.kind == Kind::Open;
    let outcomes =
        if outcome_form { Some(read_outcomes(&mut lexer, players.len())?) } else { None };

    // Every entry takes at least one character and one separator, so sizes that the text cannot
    // fill are refused before anything of that size is allocated.
    let entries =
        cells.and_then(
            |cells| {
                if outcome_form { Some(cells) } else { cells.checked_mul(players.len()) }
            },
        );
    let room = lexer.room() / 2 + 2;
    let Some(cells) = cells.filter(|_| entries.is_some_and(|entries| entries <= room)) else {
        let needed = entries.unwrap_or(usize::MAX);
        return Err(at_actions.error(NfgProblem::TooLarge { needed, room }));
    };

    let mut payoffs = vec![vec![0.0; cells]; players.len()];
    let mut profile = vec![0_usize; players.len()];
    for cell in 0..cells {
        let at = row_major(&profile, &sizes);
        if let Some(outcomes) = &outcomes {
            let index = read_index(&mut lexer, cell, cells, outcomes.len())?;
            if index > 0 {
                for (tensor, &payoff) in payoffs.iter_mut().zip(&outcomes[index - 1]) {
                    tensor[at] = payoff;
                }
            }
        } else {
            for (player, tensor) in payoffs.iter_mut().enumerate() {
                let token = lexer.next()?;
                let Kind::Word(word) = &token.kind else {
                    let entry = cell * players.len() + player + 1;
                    let all = cells * players.len();
                    return Err(token.expected(&format!("payoff {entry} of {all}")));
                };
                tensor[at] = number(word).map_err(|why| token.error(why))?;
            }
        }
        advance(&mut profile, &sizes);
    }
    let token = lexer.next()?;
    if token.kind != Kind::End {
        return Err(token.error(NfgProblem::Trailing(token.describe())));
    }

    let game_error = |why: GameError| at_actions.error(why.into());
    let tensors = payoffs
        .into_iter()
        .map(|tensor| ArrayD::from_shape_vec(IxDyn(&sizes), tensor))
        .collect::<Result<Vec<_>, _>>()
        // Unreachable, since each tensor was made with the product of the sizes.
        .map_err(|_| at_actions.error(NfgProblem::TooLarge { needed: cells, room }))?;
    let labels = actions.into_iter().map(Actions::labels).collect();
    let game = NormalForm::new(tensors)
        .and_then(|game| game.with_labels(title, players, labels))
        .map_err(game_error)?;
    Ok(game.with_comment(comment))
}

/// A player's actions, by number or by name.
enum Actions {
    Count(usize),
    Named(Vec<String>),
}

impl Actions {
    fn len(&self) -> usize {
        match self {
            Self::Count(count) => *count,
            Self::Named(names) => names.len(),
        }
    }

    /// Labels; unnamed actions are numbered from 1, as Gambit does.
    fn labels(self) -> Vec<String> {
        match self {
            Self::Count(count) => (1..=count).map(|number| number.to_string()).collect(),
            Self::Named(names) => names,
        }
    }
}

/// The list of actions after its opening brace.
fn read_actions(lexer: &mut Lexer<'_>) -> Result<Vec<Actions>, NfgError> {
    let mut actions = Vec::new();
    loop {
        let token = lexer.next()?;
        let next = match &token.kind {
            Kind::Close => return Ok(actions),
            Kind::Open => Actions::Named(lexer.texts("an action's name in double quotes or `}`")?),
            Kind::Word(word) => {
                let Ok(count) = word.parse::<usize>() else {
                    return Err(token.expected("a number of actions"));
                };
                Actions::Count(count)
            }
            _ => return Err(token.expected("a number of actions, `{` or `}`")),
        };
        if next.len() == 0 {
            return Err(token.error(NfgProblem::NoActions { player: actions.len() + 1 }));
        }
        // A count costs no text; what it would cost in labels is checked before they are made.
        actions.push(next);
        if actions.len() > MAX_PLAYERS {
            return Err(token.error(NfgProblem::TooManyPlayers(actions.len())));
        }
    }
}

/// The table of outcomes: payoffs of each, in order. The opening brace is only looked at so far.
fn read_outcomes(lexer: &mut Lexer<'_>, players: usize) -> Result<Vec<Vec<f64>>, NfgError> {
    lexer.open("`{` before the outcomes")?;
    let mut outcomes = Vec::new();
    loop {
        let opening = lexer.next()?;
        match opening.kind {
            Kind::Close => return Ok(outcomes),
            Kind::Open => {}
            _ => return Err(opening.expected("`{` before an outcome or `}` after the last")),
        }
        let name = lexer.next()?;
        if !matches!(name.kind, Kind::Text(_)) {
            return Err(name.expected("the outcome's name in double quotes"));
        }
        let mut payoffs = Vec::new();
        loop {
            let token = lexer.next()?;
            match &token.kind {
                Kind::Word(word) => {
                    payoffs.push(number(word).map_err(|why| token.error(why))?);
                }
                Kind::Close => break,
                _ => return Err(token.expected("a payoff or `}`")),
            }
        }
        if payoffs.len() != players {
            return Err(opening.error(NfgProblem::OutcomePayoffs {
                outcome: outcomes.len() + 1,
                players,
                found: payoffs.len(),
            }));
        }
        outcomes.push(payoffs);
    }
}

/// One entry of the body of the outcome form.
fn read_index(
    lexer: &mut Lexer<'_>,
    cell: usize,
    cells: usize,
    outcomes: usize,
) -> Result<usize, NfgError> {
    let token = lexer.next()?;
    let due = || format!("outcome index {} of {cells}", cell + 1);
    let Kind::Word(word) = &token.kind else { return Err(token.expected(&due())) };
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(token.expected(&due()));
    }
    match word.parse::<usize>() {
        Ok(index) if index <= outcomes => Ok(index),
        _ => Err(token.error(NfgProblem::NoSuchOutcome { outcome: word.clone(), outcomes })),
    }
}

/// The value of an integer, decimal or ratio.
fn number(word: &str) -> Result<f64, NfgProblem> {
    let bad = || NfgProblem::Number(word.chars().take(60).collect());
    // `f64::from_str` also takes "inf", "nan" and the like, which are no payoffs.
    let decimal = |text: &str| -> Result<f64, NfgProblem> {
        let allowed = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        if text.bytes().all(allowed) { text.parse().map_err(|_| bad()) } else { Err(bad()) }
    };
    let integer = |text: &str, signed: bool| -> Result<f64, NfgProblem> {
        let digits = if signed { text.strip_prefix(['+', '-']).unwrap_or(text) } else { text };
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            decimal(text)
        } else {
            Err(bad())
        }
    };
    let value = match word.split_once('/') {
        Some((top, bottom)) => integer(top, true)? / integer(bottom, false)?,
        None => decimal(word)?,
    };
    if value.is_finite() {
        Ok(value)
    } else {
        Err(NfgProblem::NotFinite(word.chars().take(60).collect()))
    }
}

/// Position of a profile in a row-major tensor.
fn row_major(profile: &[usize], sizes: &[usize]) -> usize {
    profile.iter().zip(sizes).fold(0, |at, (&action, &size)| at * size + action)
}

/// The next profile in the order of the format: the first player's action moves first.
fn advance(profile: &mut [usize], sizes: &[usize]) {
    for (action, &size) in profile.iter_mut().zip(sizes) {
        *action += 1;
        if *action < size {
            return;
        }
        *action = 0;
    }
}

/// Writes a game in the payoff form, with the names of the actions.
///
/// [`read`] gives back the same game to the bit: payoffs are written as the shortest decimal that
/// means the same `f64`.
pub fn write(game: &NormalForm) -> String {
    let mut text = prologue(game);
    for_each_profile(game, |payoffs, first_of_line| {
        text.push(if first_of_line { '\n' } else { ' ' });
        let words: Vec<String> = payoffs.iter().map(f64::to_string).collect();
        text.push_str(&words.join(" "));
    });
    text.push('\n');
    text
}

/// Writes a game in the outcome form, one outcome per distinct payoff vector.
///
/// [`read`] gives back the same game, with one exception: a profile that pays nobody anything is
/// the null outcome, whose zeros are positive.
pub fn write_outcomes(game: &NormalForm) -> String {
    let mut table: std::collections::BTreeMap<Vec<u64>, usize> = std::collections::BTreeMap::new();
    let mut rows = String::new();
    let mut body = String::new();
    for_each_profile(game, |payoffs, first_of_line| {
        let index = if payoffs.iter().all(|&payoff| payoff.abs() <= 0.0) {
            0
        } else {
            let next = table.len() + 1;
            *table.entry(payoffs.iter().map(|payoff| payoff.to_bits()).collect()).or_insert_with(
                || {
                    let words: Vec<String> = payoffs.iter().map(f64::to_string).collect();
                    rows.extend(["{ \"\" ", &words.join(", "), " }\n"]);
                    next
                },
            )
        };
        body.push(if first_of_line { '\n' } else { ' ' });
        body.push_str(&index.to_string());
    });
    format!("{}\n{{\n{rows}}}{body}\n", prologue(game))
}

/// Everything before the body, without a line break at its end.
fn prologue(game: &NormalForm) -> String {
    let list = |names: &[String]| -> String {
        let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
        format!("{{ {} }}", quoted.join(" "))
    };
    let mut text =
        format!("NFG 1 R {} {}\n\n{{\n", quote(game.title()), list(game.player_labels()));
    for player in 0..game.players() {
        text.push_str(&list(game.action_labels(player)));
        text.push('\n');
    }
    text.push_str("}\n");
    text.push_str(&quote(game.comment()));
    text.push('\n');
    text
}

/// Calls `each` with the payoffs of every profile, in the order of the format.
fn for_each_profile(game: &NormalForm, mut each: impl FnMut(&[f64], bool)) {
    let sizes = game.shape().to_vec();
    let mut profile = vec![0_usize; sizes.len()];
    let mut payoffs = vec![0.0; sizes.len()];
    for _ in 0..sizes.iter().product::<usize>() {
        for (player, payoff) in payoffs.iter_mut().enumerate() {
            *payoff = game.payoff_tensor(player)[IxDyn(&profile)];
        }
        each(&payoffs, profile[0] == 0);
        advance(&mut profile, &sizes);
    }
}

/// A text in double quotes, with quotes and backslashes escaped.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
