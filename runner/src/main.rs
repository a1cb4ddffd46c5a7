//! The `gambol` binary.

fn main() -> std::process::ExitCode {
    gambol_runner::main_with(gambol_runner::Registries::standard())
}
