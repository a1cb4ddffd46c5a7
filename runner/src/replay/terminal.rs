//! Episodes as text: one frame a moment, one drawing function a family of environments.

use std::fmt::Write;

use serde_json::Value;

use super::{Episode, Moment, Replay};
use crate::table::{Table, short};

/// Draws the moments of one replay.
pub(crate) struct Screen<'a> {
    replay: &'a Replay,
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or(0.0)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A to Z, then the number.
fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(index @ 0..26) => char::from(b'A' + index).to_string(),
        _ => index.to_string(),
    }
}

/// A board of cells that are `width` characters wide.
struct Board {
    rows: usize,
    cols: usize,
    cells: Vec<String>,
}

impl Board {
    fn new(scenery: &Value) -> Self {
        let rows = scenery["rows"].as_u64().unwrap_or(0) as usize;
        let cols = scenery["cols"].as_u64().unwrap_or(0) as usize;
        Self { rows, cols, cells: vec![String::new(); rows * cols] }
    }

    /// Adds a sign where `thing` has `row` and `col`.
    fn put(&mut self, thing: &Value, sign: &str) {
        let (Some(row), Some(col)) = (thing["row"].as_u64(), thing["col"].as_u64()) else { return };
        if let Some(cell) = self.cells.get_mut(row as usize * self.cols + col as usize) {
            cell.push_str(sign);
        }
    }

    fn text(&self) -> String {
        let width = self.cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(2);
        let mut text = String::new();
        for row in 0..self.rows {
            for cell in &self.cells[row * self.cols..(row + 1) * self.cols] {
                let cell = if cell.is_empty() { "." } else { cell };
                let _ = write!(text, "{cell:>width$} ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

fn foraging(scenery: &Value, state: &Value) -> String {
    let mut board = Board::new(scenery);
    for food in list(&state["foods"]) {
        board.put(food, &format!("*{}", food["level"]));
    }
    for (index, player) in list(&state["players"]).enumerate() {
        board.put(player, &format!("{}{}", letter(index), player["level"]));
    }
    board.text() + "letter and level: a player; * and level: food\n"
}

fn trust(scenery: &Value, state: &Value) -> String {
    let mut board = Board::new(scenery);
    let hunt = state.get("monster").is_some();
    for apple in list(&state["apples"]) {
        board.put(apple, "o");
    }
    board.put(&state["light"], "+");
    board.put(&state["monster"], "M");
    for (index, agent) in list(&state["agents"]).enumerate() {
        board.put(agent, &letter(index));
    }
    let legend = if hunt { "M: monster; o: apple" } else { "+: the lit cell" };
    let mut text = format!("{}letter: an agent; {legend}\n", board.text());
    for name in ["together", "betrayed", "safe", "run"] {
        if let Some(count) = state.get(name) {
            let _ = write!(text, "{name} {count}  ");
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn sokoban(state: &Value) -> String {
    let mut text = String::new();
    for line in list(&state["room"]).filter_map(Value::as_str) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + "@: the player; $: box; .: target; * and +: box and player on a target\n"
}

fn key_door(scenery: &Value, state: &Value) -> String {
    let mut board = Board::new(scenery);
    for door in list(&state["doors"]) {
        for row in 0..scenery["rows"].as_u64().unwrap_or(0) {
            let here = serde_json::json!({ "row": row, "col": door["col"] });
            let is_door = door["row"].as_u64() == Some(row);
            let open = door["open"] == true;
            board.put(
                &here,
                if !is_door {
                    "#"
                } else if open {
                    "/"
                } else {
                    "D"
                },
            );
        }
    }
    for key in list(&state["keys"]) {
        board.put(key, "k");
    }
    board.put(&state["goal"], "G");
    board.put(&state["agent"], "A");
    let held = if state["holds_key"] == true { "; it holds a key" } else { "" };
    format!("{}A: the agent{held}; k: key; D: locked door; G: goal\n", board.text())
}

/// Two players' payoffs with what was just played in brackets.
fn matrix(replay: &Replay, moment: &Moment) -> String {
    let scenery = &replay.scenery;
    let shape: Vec<usize> =
        list(&scenery["actions"]).filter_map(Value::as_u64).map(|count| count as usize).collect();
    let payoffs: Vec<&Value> = list(&scenery["payoffs"]).collect();
    let [rows, cols] = shape[..] else { return String::new() };
    if payoffs.len() != rows * cols {
        return String::new();
    }
    let name = |action: usize| replay.names().get(action).cloned().unwrap_or_default();
    let played: Vec<usize> = moment
        .actions
        .iter()
        .zip(&shape)
        .map(|(action, &count)| (action.first().copied().unwrap_or(0.0) as usize).min(count - 1))
        .collect();
    let mut head = vec![String::new()];
    head.extend((0..cols).map(name));
    let mut table = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for row in 0..rows {
        let mut cells = vec![name(row)];
        for col in 0..cols {
            let values: Vec<String> = list(payoffs[row * cols + col])
                .map(|value| short(value.as_f64().unwrap_or(f64::NAN)))
                .collect();
            let cell = values.join(", ");
            cells.push(if played == [row, col] { format!("[{cell}]") } else { cell });
        }
        table.row(cells);
    }
    table.text()
}

/// Metres that one character stands for, along x and along y.
const CELL: (f64, f64) = (1.25, 2.5);

/// Characters of the map.
const MAP: (usize, usize) = (96, 23);

/// Distance of a point to a line of points.
fn away(line: &Value, x: f64, y: f64) -> f64 {
    let points: Vec<[f64; 2]> = list(line)
        .map(|point| [point[0].as_f64().unwrap_or(0.0), point[1].as_f64().unwrap_or(0.0)])
        .collect();
    let distance = |pair: &[[f64; 2]]| {
        let ([ax, ay], [bx, by]) = (pair[0], pair[1]);
        let (dx, dy) = (bx - ax, by - ay);
        let length = (dx * dx + dy * dy).max(1e-12);
        let along = (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0);
        (x - ax - along * dx).hypot(y - ay - along * dy)
    };
    points.windows(2).map(distance).fold(f64::INFINITY, f64::min)
}

/// A map around the first learner; rows without road are left out.
fn driving(replay: &Replay, state: &Value) -> String {
    let vehicles: Vec<&Value> = list(&state["vehicles"]).collect();
    let learner = |vehicle: &&&Value| vehicle["learner"].as_u64() == Some(0);
    let Some(ego) = vehicles.iter().find(learner) else { return String::new() };
    let (left, top) = (
        number(ego, "x") - CELL.0 * MAP.0 as f64 * 0.4,
        number(ego, "y") - CELL.1 * MAP.1 as f64 / 2.0,
    );
    let mut cells = vec![' '; MAP.0 * MAP.1];
    let lanes: Vec<&Value> = list(&replay.scenery["lanes"]).collect();
    for (index, cell) in cells.iter_mut().enumerate() {
        let x = left + CELL.0 * ((index % MAP.0) as f64 + 0.5);
        let y = top + CELL.1 * ((index / MAP.0) as f64 + 0.5);
        if lanes.iter().any(|lane| away(&lane["middle"], x, y) <= number(lane, "width") / 2.0) {
            *cell = '.';
        }
    }
    let mut put = |thing: &Value, sign: char| {
        let col = ((number(thing, "x") - left) / CELL.0).floor();
        let row = ((number(thing, "y") - top) / CELL.1).floor();
        if (0.0..MAP.0 as f64).contains(&col) && (0.0..MAP.1 as f64).contains(&row) {
            cells[row as usize * MAP.0 + col as usize] = sign;
        }
    };
    for obstacle in list(&replay.scenery["obstacles"]) {
        put(obstacle, '#');
    }
    for vehicle in &vehicles {
        let (sin, cos) = number(vehicle, "heading").sin_cos();
        let arrow = if cos.abs() >= sin.abs() {
            if cos >= 0.0 { '>' } else { '<' }
        } else if sin >= 0.0 {
            'v'
        } else {
            '^'
        };
        put(vehicle, if vehicle["crashed"] == true { 'x' } else { arrow });
    }
    // Learners last, so that nobody hides them.
    for vehicle in vehicles.iter().rev() {
        if let Some(learner) = vehicle["learner"].as_u64() {
            let crashed = vehicle["crashed"] == true;
            put(
                vehicle,
                if crashed { 'X' } else { letter(learner as usize).chars().next().unwrap_or('?') },
            );
        }
    }
    let mut text = String::new();
    for row in cells.chunks(MAP.0) {
        let row: String = row.iter().collect();
        if !row.trim().is_empty() {
            let _ = writeln!(text, "{}", row.trim_end());
        }
    }
    let mut table = Table::new(&["learner", "role", "lane", "x m", "y m", "speed m/s", "crashed"]);
    for vehicle in vehicles.iter().filter(|vehicle| vehicle["learner"].is_u64()) {
        let learner = vehicle["learner"].as_u64().unwrap_or(0) as usize;
        let lane: Vec<String> =
            list(&vehicle["lane"]).map(|part| part.to_string().replace('"', "")).collect();
        table.row(vec![
            letter(learner),
            replay.spec.roles.get(learner).cloned().unwrap_or_default(),
            lane.join(" "),
            format!("{:.1}", number(vehicle, "x")),
            format!("{:.1}", number(vehicle, "y")),
            format!("{:.2}", number(vehicle, "speed")),
            if vehicle["crashed"] == true { "yes" } else { "no" }.to_owned(),
        ]);
    }
    let legend = "letter: a learner; > < ^ v: the others; x, X: crashed; #: an obstacle; y grows downwards\n";
    format!("{text}{legend}{}", table.text())
}

impl<'a> Screen<'a> {
    pub(crate) fn new(replay: &'a Replay) -> Self {
        Self { replay }
    }

    /// One moment of an episode, as lines of text.
    pub(crate) fn frame(&self, episode: &Episode, step: usize) -> String {
        let replay = self.replay;
        let moment = &episode.moments[step];
        let last = episode.moments.len() - 1;
        let mut text = format!(
            "{}  lane {}, episode {}  step {step} of {last}",
            replay.spec.name, episode.lane, episode.number
        );
        if step == last {
            let _ = write!(text, "  {}", episode.end);
        }
        text.push('\n');
        text += &match replay.family.as_str() {
            "Foraging" => foraging(&replay.scenery, &moment.state),
            "Driving" => driving(replay, &moment.state),
            "Matrix" => matrix(replay, moment),
            _ if moment.state.get("agents").is_some() => trust(&replay.scenery, &moment.state),
            _ if moment.state.get("room").is_some() => sokoban(&moment.state),
            _ if moment.state.get("doors").is_some() => key_door(&replay.scenery, &moment.state),
            // An environment from outside: its own words.
            _ => format!("{:#}\n", moment.state),
        };
        let mut table = Table::new(&["agent", "role", "action", "reward", "return"]);
        for agent in 0..replay.spec.agents {
            let action = moment.actions.get(agent).map_or(String::new(), |a| replay.word(a));
            table.row(vec![
                letter(agent),
                replay.spec.roles.get(agent).cloned().unwrap_or_default(),
                action,
                short(f64::from(moment.rewards[agent])),
                short(moment.returns[agent]),
            ]);
        }
        text + &table.text()
    }
}
