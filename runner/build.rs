//! Passes on the linker's arguments that `gambol-agents` found, so that binaries find libtorch.
//! The package `tests` runs this file too.
fn main() {
    println!("cargo::rerun-if-env-changed=DEP_GAMBOL_TORCH_LINK_ARGS");
    let args = std::env::var("DEP_GAMBOL_TORCH_LINK_ARGS").unwrap_or_default();
    for arg in args.split('\u{1f}').filter(|arg| !arg.is_empty()) {
        println!("cargo::rustc-link-arg={arg}");
    }
}
