//! `cargo xtask`: set-up, tests and long measurements as one command each.
//!
//! A command is one file with a `COMMAND`, and one line in [`COMMANDS`].
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod command;
mod high_risk;
mod psro;
mod results;
mod run;
mod runs;
mod setup;
mod test;

use std::{env, process::ExitCode};

use command::Command;

const COMMANDS: &[&Command] = &[&run::COMMAND, &test::COMMAND, &setup::COMMAND, &results::COMMAND];

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        if !name.is_empty() {
            eprintln!("error: there is no command `{name}`\n");
        }
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    (command.run)(&rest).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn usage() -> String {
    let width = COMMANDS.iter().map(|command| command.usage.len()).max().unwrap_or(0);
    let lines = COMMANDS.iter().map(|c| format!("  cargo xtask {:width$}  {}\n", c.usage, c.about));
    format!("Usage:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// The set-up's own tests: they fetch from a server that they start, never from outside.
    #[test]
    fn libtorch_scripts() {
        let done = Command::new("python3")
            .args(["-B", "-m", "unittest", "discover", "--pattern", "test_*.py"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/libtorch"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        assert!(!said.contains("Ran 0 tests"), "{said}");
    }

    #[test]
    fn every_command_is_listed_once() {
        let mut names: Vec<_> = super::COMMANDS.iter().map(|command| command.name).collect();
        for command in super::COMMANDS {
            assert_eq!(command.usage.split(' ').next(), Some(command.name));
            assert!(super::usage().contains(command.about));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), super::COMMANDS.len());
    }
}
