//! `gambol replay`: what is shown is what happened, as JSON, as text and as a page.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{folder, gambol, json, message, root};

/// Runs a scenario of the assets; its run directory.
fn run(folder: &Path, scenario: &str, settings: &[&str]) -> PathBuf {
    let file = root().join(format!("assets/scenarios/{scenario}.ron"));
    let out = folder.join(scenario);
    let mut arguments = vec!["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    let output = gambol(&arguments);
    assert!(output.status.success(), "{}", message(&output));
    out
}

fn replay(run: &Path, more: &[&str]) -> std::process::Output {
    gambol(&[&["replay", run.to_str().unwrap()], more].concat())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn episodes_are_played_again_as_they_were() {
    let folder = folder("replay");
    for (scenario, state) in [
        ("driving-merge-v0-random", "vehicles"),
        ("driving-racetrack-v0-random", "vehicles"),
        ("driving-two-way-roles-random", "vehicles"),
        ("foraging-8x8-2p-2f-coop-collector", "foods"),
        ("sokoban-6x6-1b-random", "room"),
        ("key-door-3-random", "doors"),
    ] {
        let run = run(&folder, scenario, &["run.episodes=8"]);
        let output = replay(&run, &["--json"]);
        assert!(output.status.success(), "{}", message(&output));
        let shown = json(&output);
        let episodes = shown["episodes"].as_array().unwrap();
        assert_eq!(episodes.len(), 8, "{scenario}");
        let evaluations: Value =
            serde_json::from_slice(&std::fs::read(run.join("evaluations.json")).unwrap()).unwrap();
        // One environment, one task, one agent, one seed.
        let mut recorded = &evaluations;
        while recorded.get("step_0").is_none() {
            recorded = recorded.as_object().unwrap().values().next().unwrap();
        }
        let returns = numbers(&recorded["step_0"]["return"]);
        let lengths = numbers(&recorded["step_0"]["episode_length"]);
        for ((episode, expected), length) in episodes.iter().zip(returns).zip(lengths) {
            let moments = episode["moments"].as_array().unwrap();
            assert_eq!(moments.len(), length as usize + 1);
            assert!(moments.iter().all(|moment| moment["state"][state].is_array()), "{scenario}");
            let agents = shown["roles"].as_array().unwrap().len();
            assert!(moments[1..].iter().all(|moment| numbers(&moment["rewards"]).len() == agents));
            let last = numbers(&moments.last().unwrap()["returns"]);
            let total: f64 = last.iter().sum();
            assert!((total - expected).abs() < 1e-6, "{scenario}: {total} {expected}");
        }
    }
}

#[test]
fn the_last_evaluation_of_a_training_is_what_is_kept() {
    let folder = folder("replay-training");
    let run = run(
        &folder,
        "matrix-stag-hunt-tabular",
        &["run.steps=2000", "run.evaluate.every=1000", "run.evaluate.episodes=4"],
    );
    let shown = json(&replay(&run, &["--json", "--episode", "3"]));
    assert!(shown["step"].as_u64().unwrap() >= 2000);
    assert_eq!(shown["episodes"].as_array().unwrap().len(), 1);
    assert_eq!(shown["actions"], serde_json::json!(["Stag", "Hare"]));
    let text = replay(&run, &["--episode", "3"]);
    let text = String::from_utf8(text.stdout).unwrap();
    // The start and 20 rounds, each a frame; no control codes where nobody watches.
    assert_eq!(text.matches("  step ").count(), 21);
    assert!(text.contains("step 20 of 20  truncated") && !text.contains('\u{1b}'), "{text}");
    let output = replay(&run, &["--episode", "9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("holds 8 episodes"), "{}", message(&output));
}

#[test]
fn frames_show_the_board_and_the_road() {
    let folder = folder("replay-text");
    let foraging = run(&folder, "foraging-8x8-2p-2f-coop-collector", &["run.episodes=2"]);
    let shown = json(&replay(&foraging, &["--json", "--episode", "1"]));
    let state = &shown["episodes"][0]["moments"][0]["state"];
    let text = String::from_utf8(replay(&foraging, &["--episode", "1"]).stdout).unwrap();
    let board: Vec<&str> = text.lines().skip(1).take(8).collect();
    for (index, player) in state["players"].as_array().unwrap().iter().enumerate() {
        let row: Vec<&str> =
            board[player["row"].as_u64().unwrap() as usize].split_whitespace().collect();
        let sign = format!("{}{}", ["A", "B"][index], player["level"]);
        assert_eq!(row[player["col"].as_u64().unwrap() as usize], sign);
    }
    let driving = run(&folder, "driving-merge-v0-random", &["run.episodes=1"]);
    let text = String::from_utf8(replay(&driving, &[]).stdout).unwrap();
    let first: Vec<&str> = text.split("\n\n").next().unwrap().lines().collect();
    assert!(first[0].starts_with("merge-v0  lane 0, episode 0  step 0 of"), "{}", first[0]);
    assert!(first.iter().any(|line| line.contains('>') && line.contains('A')), "{first:?}");
}

#[test]
fn what_is_not_what_was_recorded_is_refused() {
    let folder = folder("replay-changed");
    let run = run(&folder, "driving-merge-v0-random", &["run.episodes=1"]);
    let file = run.join("replay.json");
    let mut tape: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    tape["reels"][0]["episodes"][0]["returns"][0] = Value::from(99.0);
    std::fs::write(&file, tape.to_string()).unwrap();
    let output = replay(&run, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(message(&output).contains("does not end as recorded"), "{}", message(&output));
    // Actions that no action is are an error too.
    tape["reels"][0]["actions"] = serde_json::json!([[77], [77]]);
    std::fs::write(&file, tape.to_string()).unwrap();
    let output = replay(&run, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(message(&output).contains("77"), "{}", message(&output));
    std::fs::write(&file, "{").unwrap();
    assert_eq!(replay(&run, &[]).status.code(), Some(1));
    std::fs::remove_file(&file).unwrap();
    let output = replay(&run, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("holds no episodes"), "{}", message(&output));
}

#[test]
fn the_page_holds_the_episodes_and_is_whole_or_absent() {
    let folder = folder("replay-page");
    let run = run(&folder, "driving-merge-v0-random", &["run.episodes=2"]);
    let page = folder.join("page.html");
    std::fs::write(&page, "old").unwrap();
    let output = replay(&run, &["--html", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", message(&output));
    assert!(output.stdout.is_empty(), "results go to the file");
    let text = std::fs::read_to_string(&page).unwrap();
    let start = "<script id=\"replay\" type=\"application/json\">";
    let data = text.split_once(start).unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data, json(&replay(&run, &["--json"])));
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("page"))
        .collect();
    assert_eq!(left, ["page.html"], "nothing is left beside it");
    // A folder in the way of the file beside makes the second write fail; the page stays.
    std::fs::create_dir(folder.join("page.html.part")).unwrap();
    let output = replay(&run, &["--html", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&page).unwrap(), text);
}

/// A browser of the Chromium family.
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    folders
        .iter()
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

/// Before the player: collects whatever goes wrong, the test's own message apart.
const LISTEN: &str = "<script>window.wrong = [];
addEventListener('error', event => window.wrong.push(String(event.message)));
addEventListener('unhandledrejection', event => window.wrong.push(String(event.reason)));
for (const name of ['error', 'warn']) console[name] = (...all) => window.wrong.push(all.join(' '));
</script>";

/// After the player: presses its controls, and writes down what it did.
const PRESS: &str = "<script>setTimeout(async () => {
  const result = {}, press = id => document.getElementById(id).click();
  const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  try {
    const { state, last } = window.gambol;
    await frame();
    const view = document.getElementById('view');
    const colours = () => {
      const all = view.getContext('2d').getImageData(0, 0, view.width, view.height).data, found = new Set();
      for (let i = 0; i < all.length; i += 4 * 97) found.add(all[i] << 16 | all[i + 1] << 8 | all[i + 2]);
      return found.size;
    };
    result.colours = colours();
    press('forth'); result.forth = state.time;
    press('back'); result.back = state.time;
    press('last'); result.end = state.time === last();
    press('first'); press('fit'); await frame();
    const scale = state.scale; press('in'); result.zoom = state.scale > scale;
    press('theme'); await frame(); result.theme = document.documentElement.dataset.theme;
    result.dark = colours();
    const key = name => document.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
    key('ArrowRight'); result.key = state.time; key('Home');
    key(']'); result.speed = state.speed;
    const frames = state.frames; press('play'); result.playing = state.playing;
    for (let i = 0; i < 200 && state.playing && state.time < 1; i++) await frame();
    result.played = state.time > 0; result.frames = state.frames - frames;
    if (state.playing) press('play');
    result.paused = !state.playing && Number.isInteger(state.time);
    result.step = document.getElementById('at').textContent;
    result.agents = document.querySelectorAll('#agents tbody tr').length;
    result.legend = document.querySelectorAll('#legend li').length;
  } catch (error) { window.wrong.push(String(error)); }
  result.wrong = window.wrong;
  fetch('http://127.0.0.1:PORT/', { method: 'POST', mode: 'no-cors', body: JSON.stringify(result) });
}, 50);</script>";

/// The JSON object that the page posts, within a minute.
fn told(listener: &TcpListener) -> Option<Value> {
    listener.set_nonblocking(true).unwrap();
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(100));
        let Ok((mut stream, _)) = listener.accept() else { continue };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut part) {
            bytes.extend_from_slice(&part[..count]);
            let text = String::from_utf8_lossy(&bytes);
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            if let Ok(found) = serde_json::from_str(body) {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                return Some(found);
            }
        }
    }
    None
}

#[test]
fn a_browser_draws_and_plays_the_page() {
    let Some(browser) = browser() else {
        println!("no Chromium in PATH: the page is not tried in a browser");
        return;
    };
    let folder = folder("replay-browser");
    for (scenario, agents) in [
        ("driving-merge-v0-random", 1),
        ("foraging-8x8-2p-2f-coop-collector", 2),
        ("matrix-stag-hunt-tabular", 2),
        ("sokoban-6x6-1b-random", 1),
        ("key-door-3-random", 1),
    ] {
        let short = ["run.steps=2000", "run.evaluate.every=1000"];
        let settings =
            if scenario.starts_with("matrix") { &short[..] } else { &["run.episodes=2"] };
        let run = run(&folder, scenario, settings);
        let page = folder.join(format!("{scenario}.html"));
        let output = replay(&run, &["--html", page.to_str().unwrap()]);
        assert!(output.status.success(), "{}", message(&output));
        let text = std::fs::read_to_string(&page).unwrap();
        let text = text.replacen("<head>", &format!("<head>{LISTEN}"), 1);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let press = PRESS.replace("PORT", &port);
        let text = text.replacen("</body>", &format!("{press}</body>"), 1);
        std::fs::write(&page, text).unwrap();
        let mut child = Command::new(&browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg("--window-size=1200,800")
            .arg(format!("file://{}", page.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let result = told(&listener);
        child.kill().unwrap();
        child.wait().unwrap();
        let result =
            result.unwrap_or_else(|| panic!("{scenario}: the page said nothing in a minute"));
        assert_eq!(result["wrong"], serde_json::json!([]), "{scenario}: {result}");
        assert!(result["colours"].as_u64() >= Some(4), "{scenario}: it drew something: {result}");
        assert!(result["dark"].as_u64() >= Some(4), "{scenario}: {result}");
        for (name, expected) in [("forth", 1), ("back", 0), ("key", 1), ("speed", 2)] {
            assert_eq!(result[name], expected, "{scenario}: {name}: {result}");
        }
        for name in ["end", "zoom", "playing", "played", "paused"] {
            assert_eq!(result[name], true, "{scenario}: {name}: {result}");
        }
        assert!(result["frames"].as_u64() > Some(2), "{scenario}: {result}");
        assert_eq!(result["agents"], agents, "{scenario}: {result}");
        assert!(result["legend"].as_u64() >= Some(3), "{scenario}: {result}");
        assert!(result["step"].as_str().unwrap().starts_with("step "), "{result}");
    }
}
