//! Makes everything that links against libtorch find it again when it runs.
//!
//! `torch-sys` says where libtorch is, but a run path does not travel from a library to the binaries
//! built on it: this script sets it for this crate's tests, and hands the linker's arguments on to
//! the build scripts of direct dependents as `DEP_GAMBOL_TORCH_LINK_ARGS` (see docs/setup.md).
use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without the feature `torch`, and in a documentation build of tch, there is no libtorch.
    let Some(dir) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else { return };
    // `cargo xtask setup` rewrites this file when it chooses another libtorch.
    let version = dir.with_file_name("build-version");
    if version.exists() {
        println!("cargo::rerun-if-changed={}", version.display());
        let name = fs::read_to_string(&version).unwrap_or_default();
        println!("cargo::rustc-env=GAMBOL_LIBTORCH={}", name.trim());
    }
    // libtorch finds its own dependencies relative to the place it is loaded from, so that has to be
    // the real folder and not a link to it.
    let real = fs::canonicalize(&dir).unwrap_or(dir);
    let mut args = vec![format!("-Wl,-rpath,{}", real.display())];
    if real.join("libtorch_cuda.so").exists() {
        // Nothing refers to it by symbol: it registers its kernels when it is loaded.
        args.extend(["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"].map(String::from));
    }
    for arg in &args {
        println!("cargo::rustc-link-arg={arg}");
    }
    println!("cargo::metadata=link_args={}", args.join("\u{1f}"));
}
