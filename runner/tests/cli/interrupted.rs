//! Runs that are killed or told to stop, and go on to the digest of an uninterrupted run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::{folder, gambol, json, message, root};

pub(crate) fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gambol"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until `ready`, or fails after a minute or when the child has ended by itself.
pub(crate) fn wait_until(child: &mut Child, ready: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if ready() {
            return;
        }
        assert_eq!(child.try_wait().unwrap(), None, "the run ended before it was interrupted");
        sleep(Duration::from_millis(1));
    }
    panic!("the run did not get that far");
}

/// Checkpoints that are whole: their positions are written last.
pub(crate) fn checkpoints(run: &Path) -> usize {
    let files = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let whole = |file: &fs::DirEntry| file.path().extension().is_some_and(|end| end == "json");
    files.flatten().filter(whole).count()
}

#[cfg(feature = "torch")]
fn has_checkpoint(run: &Path) -> bool {
    checkpoints(run) > 0
}

#[cfg(unix)]
fn interrupt(child: Child) -> Output {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

pub(crate) fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The arguments of one run.
pub(crate) fn arguments<'a>(
    scenario: &'a Path,
    sets: &[&'a str],
    threads: &'a str,
    out: &'a Path,
) -> Vec<&'a str> {
    let mut arguments =
        vec!["run", text(scenario), "--threads", threads, "--out", text(out), "--json"];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    arguments
}

#[cfg(feature = "torch")]
const LEARNING: [&str; 4] = [
    "run.steps=12000",
    "run.checkpoint.every=2000",
    "run.evaluate.every=5000",
    "run.evaluate.episodes=20",
];

#[cfg(feature = "torch")]
#[test]
fn iql_killed_and_resumed_has_the_digest_of_an_uninterrupted_run() {
    let folder = folder("killed");
    let scenario = root().join("assets/scenarios/foraging-5x5-2p-1f-coop-iql.ron");
    let (whole, killed) = (folder.join("whole"), folder.join("killed"));
    let output = gambol(&arguments(&scenario, &LEARNING, "1", &whole));
    assert!(output.status.success(), "{}", message(&output));
    let digest = json(&output)["digest"].clone();

    let mut child = start(&arguments(&scenario, &LEARNING, "2", &killed));
    wait_until(&mut child, || has_checkpoint(&killed));
    // SIGKILL: nothing of the program runs after it.
    child.kill().unwrap();
    child.wait().unwrap();
    let manifest = read(killed.join("manifest.json"));
    assert_eq!((&manifest["status"], &manifest["digest"]), (&"running".into(), &Value::Null));
    // Half a line, as a kill may leave it.
    let metrics = killed.join("metrics.jsonl");
    let mut torn = fs::read(&metrics).unwrap();
    torn.extend_from_slice(b"{\"step\": 99");
    fs::write(&metrics, torn).unwrap();
    let refused = gambol(&["verify", text(&killed)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(message(&refused).contains("was killed or is still running"), "{}", message(&refused));

    let output = gambol(&["run", text(&killed), "--resume", "--threads", "3", "--json"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(json(&output)["digest"], digest);
    let manifest = read(killed.join("manifest.json"));
    assert_eq!(manifest["status"], "complete");
    let resumed: Vec<_> = manifest["resumed_at"].as_array().unwrap().clone();
    assert!(resumed.len() == 1 && resumed[0].as_u64() >= Some(2000), "{resumed:?}");
    // Nothing was lost and nothing stands twice; only the seconds differ.
    let lines = |run: &Path| -> Vec<Value> {
        let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let parse = |line| serde_json::from_str::<Value>(line).unwrap();
        text.lines()
            .map(|line| {
                let mut line = parse(line);
                line.as_object_mut().unwrap().remove("seconds");
                line
            })
            .collect()
    };
    assert_eq!(lines(&killed), lines(&whole));
    assert_eq!(read(killed.join("evaluations.json")), read(whole.join("evaluations.json")));
    let parameters = |run: &Path| fs::read(run.join("parameters.safetensors")).unwrap();
    assert_eq!(parameters(&killed), parameters(&whole));
    let output = gambol(&["verify", text(&killed)]);
    assert!(output.status.success(), "{}", message(&output));
}

/// Recurrent learners and MANSA's budget remember in the middle of episodes, where they are stopped; groups begin anew
/// with each rollout.
#[cfg(all(unix, feature = "torch"))]
#[test]
fn training_told_to_stop_keeps_what_was_done_and_goes_on() {
    const RECURRENT: &str = "agent.network=(hidden: [16, 16], recurrent: true)";
    for (name, set) in [
        ("foraging-5x5-2p-1f-coop-iql", "agent.learning.batch=64"),
        ("foraging-5x5-2p-1f-coop-iql", RECURRENT),
        ("foraging-5x5-2p-1f-coop-qmix", RECURRENT),
        ("foraging-5x5-2p-1f-coop-mappo", RECURRENT),
        ("foraging-5x5-2p-1f-coop-mansa-iql-qmix", "agent.budget=(calls: 7)"),
        (
            "foraging-5x5-2p-1f-coop-mansa-ippo-mappo",
            "agent.independent.network=(hidden: [16, 16], recurrent: true)",
        ),
        ("key-door-2-gigpo", "batch.envs=16"),
        ("key-door-2-gigpo", RECURRENT),
    ] {
        let folder = folder(&format!("stopped-{name}-{}", set.len()));
        let scenario = root().join("assets/scenarios").join(name).with_extension("ron");
        let (whole, stopped) = (folder.join("whole"), folder.join("stopped"));
        let sets = [&LEARNING[..], &[set]].concat();
        let output = gambol(&arguments(&scenario, &sets, "1", &whole));
        assert!(output.status.success(), "{}", message(&output));
        let digest = json(&output)["digest"].clone();

        let mut child = start(&arguments(&scenario, &sets, "1", &stopped));
        wait_until(&mut child, || has_checkpoint(&stopped));
        let output = interrupt(child);
        assert_eq!(output.status.code(), Some(1), "{}", message(&output));
        assert!(
            message(&output).contains("interrupted; what was done is in"),
            "{}",
            message(&output)
        );
        let results = json(&output);
        assert_eq!(results["results"]["complete"], false);
        // It stopped between checkpoints and wrote one of its own there.
        let steps = results["results"]["environment_steps"].as_u64().unwrap();
        assert!((2000..12_000).contains(&steps), "{steps}");
        assert!(stopped.join(format!("checkpoints/step-{steps:012}.json")).exists());
        assert_eq!(read(stopped.join("manifest.json"))["status"], "interrupted");
        let output = gambol(&["verify", text(&stopped), "--json"]);
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(json(&output)["complete"], false);

        let output = gambol(&["run", text(&stopped), "--resume", "--json"]);
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(json(&output)["digest"], digest, "{name} with {set}");
        assert_eq!(read(stopped.join("manifest.json"))["resumed_at"], serde_json::json!([steps]));
    }
}

#[cfg(unix)]
#[test]
fn an_evaluation_told_to_stop_reports_the_episodes_that_had_begun() {
    let folder = folder("stopped-evaluation");
    let scenario = root().join("assets/scenarios/foraging-5x5-2p-1f-random.ron");
    let sets = ["run.episodes=150000", "batch.envs=300"];
    let (whole, stopped) = (folder.join("whole"), folder.join("stopped"));
    let output = gambol(&arguments(&scenario, &sets, "2", &whole));
    assert!(output.status.success(), "{}", message(&output));
    let digest = json(&output)["digest"].clone();

    let mut child = start(&arguments(&scenario, &sets, "1", &stopped));
    let manifest = stopped.join("manifest.json");
    wait_until(&mut child, || manifest.exists());
    sleep(Duration::from_millis(100));
    let output = interrupt(child);
    assert_eq!(output.status.code(), Some(1), "{}", message(&output));
    let results = json(&output);
    assert_eq!(results["results"]["complete"], false);
    let episodes = results["results"]["episodes"].as_u64().unwrap();
    assert!((1..150_000).contains(&episodes), "{episodes}");
    let kept = read(stopped.join("evaluations.json"));
    let returns = kept.pointer("/Foraging/Foraging-5x5-2p-1f-v3/Random/seed_1/step_0/return");
    assert_eq!(returns.unwrap().as_array().unwrap().len() as u64, episodes);
    let output = gambol(&["verify", text(&stopped), "--json"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(json(&output)["complete"], false);

    let output = gambol(&["run", text(&stopped), "--resume", "--threads", "2", "--json"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(json(&output)["digest"], digest);
    assert_eq!(json(&output)["results"]["episodes"], 150_000);
}
