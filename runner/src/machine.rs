//! What a run depends on outside its scenario: the build, the machine, and the person who presses Ctrl-C.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Whether the run was asked to end at its next boundary.
pub fn stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// For work that is short and always finishes, in place of [`stopping`].
pub(crate) fn never() -> bool {
    false
}

/// Asks the run to end at its next boundary.
pub fn stop() {
    STOPPING.store(true, Ordering::Relaxed);
}

/// Lets Ctrl-C and the termination signal call [`stop`]; a second one ends the process at once.
///
/// # Errors
/// When the system refuses a handler.
pub fn handle_signals() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if stopping() {
            #[expect(clippy::exit, reason = "the second signal asks for exactly that")]
            std::process::exit(1);
        }
        stop();
    })
}

/// Everything outside the scenario that learning may depend on to the bit, recorded with every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Version of Gambol.
    pub gambol: String,
    /// Revision of the git work tree that the run was started in, if it was one; `-dirty` when it had changes.
    pub revision: Option<String>,
    /// Debug or release checks.
    pub profile: String,
    /// Operating system and processor family.
    pub target: String,
    /// Vector instructions of this processor that libtorch may choose by: `avx512`, `avx2` or `base`.
    pub instructions: String,
    /// Version of libtorch; `None` in a build without it.
    pub libtorch: Option<String>,
    /// Threads inside one libtorch operation.
    pub torch_threads: Option<usize>,
    /// Threads around it; changes no result.
    pub threads: usize,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
}

fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "base"
}

/// The revision of the work tree around `dir`.
fn revision(dir: &Path) -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"])
        .current_dir(dir)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Build {
    /// This build on this machine.
    pub fn here(device: &str) -> Self {
        let (libtorch, torch_threads) = torch();
        Self {
            gambol: env!("CARGO_PKG_VERSION").to_owned(),
            revision: revision(Path::new(".")),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            instructions: instructions().to_owned(),
            libtorch,
            torch_threads,
            threads: rayon::current_num_threads(),
            device: device.to_owned(),
        }
    }

    /// What differs from another build, one sentence each; the first list may change what is learned, the second may
    /// not change anything.
    pub fn differences(&self, other: &Self) -> (Vec<String>, Vec<String>) {
        fn say<T: PartialEq + std::fmt::Debug>(
            list: &mut Vec<String>,
            what: &str,
            then: &T,
            now: &T,
        ) {
            if then != now {
                list.push(format!("{what}: {then:?} then, {now:?} now"));
            }
        }
        let (mut matters, mut harmless) = (Vec::new(), Vec::new());
        say(&mut matters, "libtorch", &self.libtorch, &other.libtorch);
        say(&mut matters, "instruction set", &self.instructions, &other.instructions);
        say(&mut matters, "libtorch threads", &self.torch_threads, &other.torch_threads);
        say(&mut matters, "device", &self.device, &other.device);
        say(&mut matters, "target", &self.target, &other.target);
        say(&mut matters, "gambol", &self.gambol, &other.gambol);
        say(&mut harmless, "threads", &self.threads, &other.threads);
        say(&mut harmless, "profile", &self.profile, &other.profile);
        say(&mut harmless, "revision", &self.revision, &other.revision);
        (matters, harmless)
    }
}

/// Version and intra-op threads of libtorch; nothing in a build without it.
fn torch() -> (Option<String>, Option<usize>) {
    #[cfg(feature = "torch")]
    {
        let info = gambol_agents::torch::build_info();
        (Some(info.version), Some(info.threads))
    }
    #[cfg(not(feature = "torch"))]
    (None, None)
}
