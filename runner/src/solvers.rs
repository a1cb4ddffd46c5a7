//! Solvers by name and parameters, and their answers as JSON.
//!
//! All of it comes from the one list in `gambol_solvers`: names, parameters, defaults.

use gambol_solvers::SolverConfig;
use gambol_solvers::game::NormalForm;
use gambol_solvers::solution::{
    Parameter, Solution, Solutions, SolveError, SolveOptions, SolverInfo,
};
use serde_json::{Value, json};
use thiserror::Error;

use crate::scenario::edit::Setting;
use crate::scenario::ron_options;
use crate::scenario::tree::Node;
use crate::suggest;

/// Why there is no such solver, or not with such parameters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No solver of that name.
    #[error(
        "there is no solver `{name}`{}; the solvers are {}",
        suggest::hint(.name, names()),
        names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// The solver has no such parameter.
    #[error("{solver} has no parameter `{parameter}`{}; {}", hint(.solver, .parameter), others(.solver, .parameter))]
    NoParameter {
        /// The solver.
        solver: &'static str,
        /// The parameter.
        parameter: String,
    },
    /// The parameter takes no such value.
    #[error("{solver}: {parameter} cannot be `{value}`: {why} ({parameter}: {about})")]
    Value {
        /// The solver.
        solver: &'static str,
        /// The parameter.
        parameter: String,
        /// The value as written.
        value: String,
        /// What is wrong with it.
        why: String,
        /// What the parameter is.
        about: &'static str,
    },
}

fn names() -> impl Iterator<Item = &'static str> {
    infos().into_iter().map(|info| info.name)
}

fn info_of(solver: &str) -> &'static [Parameter] {
    infos().into_iter().find(|info| info.name == solver).map_or(&[], |info| info.parameters)
}

fn hint(solver: &str, parameter: &str) -> String {
    suggest::hint(parameter, info_of(solver).iter().map(|parameter| parameter.name))
}

fn others(solver: &str, parameter: &str) -> String {
    let own: Vec<_> = info_of(solver).iter().map(|parameter| parameter.name).collect();
    let own = if own.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", own.join(", "))
    };
    let with: Vec<_> = infos()
        .into_iter()
        .filter(|info| info.parameters.iter().any(|own| own.name == parameter))
        .map(|info| info.name)
        .collect();
    if with.is_empty() { own } else { format!("{own}, and {} has that one", with.join(", ")) }
}

/// What every solver is, in the order of the list.
pub fn infos() -> Vec<&'static SolverInfo> {
    SolverConfig::defaults().iter().map(|config| config.solver().info()).collect()
}

/// The configuration as a scenario writes it, such as `Rae(gamma:0.5)`; none if the solver's own form cannot be
/// written, which a test excludes.
pub fn written(config: &SolverConfig) -> String {
    ron_options().to_string(config).unwrap_or_default()
}

/// Every parameter of a configuration with its value in RON, in the order of the solver's list.
pub fn values(config: &SolverConfig) -> Vec<(&'static Parameter, String)> {
    let text = written(config);
    let tree = Node::parse(&text).ok();
    let value = |parameter: &Parameter| {
        let node = tree.as_ref().and_then(|tree| tree.child(parameter.name))?;
        // Beside options, `ron` writes the variant `None` as `r#None`.
        let text = text[node.span.clone()].replace("r#", "");
        match text.parse::<f64>() {
            Ok(number) if number != 0.0 && number.abs() < 1e-3 => Some(format!("{number:e}")),
            _ => Some(text),
        }
    };
    let parameters = config.solver().info().parameters.iter();
    parameters.map(|parameter| (parameter, value(parameter).unwrap_or_default())).collect()
}

/// The solver of that name with default parameters.
///
/// # Errors
/// [`ConfigError::Unknown`].
pub fn named(name: &str) -> Result<SolverConfig, ConfigError> {
    SolverConfig::named(name).ok_or_else(|| ConfigError::Unknown { name: name.to_owned() })
}

/// The configuration with one parameter, or a part of one, changed to a value in RON.
///
/// # Errors
/// [`ConfigError::NoParameter`], [`ConfigError::Value`].
pub fn changed(config: &SolverConfig, setting: &Setting) -> Result<SolverConfig, ConfigError> {
    let info = config.solver().info();
    let name = setting.path.split('.').next().unwrap_or_default();
    let parameter = info.parameters.iter().find(|parameter| parameter.name == name);
    let Some(parameter) = parameter else {
        return Err(ConfigError::NoParameter { solver: info.name, parameter: name.to_owned() });
    };
    let wrong = |why: String| ConfigError::Value {
        solver: info.name,
        parameter: setting.path.clone(),
        value: setting.value.clone(),
        why,
        about: parameter.about,
    };
    let text = setting.put(&written(config)).map_err(wrong)?;
    ron_options().from_str(&text).map_err(|error| wrong(error.code.to_string()))
}

/// Whether an error is one of the input, rather than of a method that ran.
pub fn is_input(error: &SolveError) -> bool {
    !matches!(error, SolveError::Backend { .. })
}

/// Solves a game.
///
/// # Errors
/// [`SolveError`].
pub fn solve(
    config: &SolverConfig,
    game: &NormalForm,
    seed: u64,
    all: bool,
) -> Result<Solutions, SolveError> {
    let options = SolveOptions::seeded(seed);
    config.solver().solve(game, &if all { options.all() } else { options })
}

/// A tensor as nested lists, the first axis outside.
fn nested(tensor: ndarray::ArrayViewD<'_, f64>) -> Value {
    if tensor.ndim() == 0 {
        return json!(tensor.first());
    }
    tensor.outer_iter().map(nested).collect()
}

/// One equilibrium in the form of `gambol solve --json`.
pub fn equilibrium(solution: &Solution) -> Value {
    let mut value = json!({
        "profile": solution.profile,
        "payoffs": solution.payoffs,
        "regret": solution.regret,
    });
    if let Some(risk) = &solution.risk {
        value["variance"] = json!(risk.variance);
        value["total_variance"] = json!(risk.total_variance);
        value["gap"] = json!(risk.gap);
    }
    if let Some(joint) = &solution.joint {
        value["joint"] = nested(joint.view());
    }
    if let Some(residual) = solution.residual {
        value["residual"] = json!(residual);
    }
    value
}

/// A whole answer in that form, but for the seconds.
pub fn answer(config: &SolverConfig, game: &str, solutions: &Solutions) -> Value {
    json!({
        "solver": config.solver().info().name,
        "game": game,
        "equilibria": solutions.equilibria.iter().map(equilibrium).collect::<Vec<_>>(),
        "iterations": solutions.iterations,
        "stop": solutions.stop,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_solver_can_be_written_read_and_changed_by_the_names_it_lists() {
        for config in SolverConfig::defaults() {
            let (info, text) = (config.solver().info(), written(&config));
            assert_eq!(named(info.name).unwrap(), config);
            let read: SolverConfig = ron_options().from_str(&text).unwrap();
            assert_eq!(read, config, "{text}");
            let tree = Node::parse(&text).unwrap();
            let fields: Vec<_> = tree.fields().iter().map(|field| field.name.as_str()).collect();
            let listed: Vec<_> = info.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(fields, listed, "{}: fields and listed parameters", info.name);
            for field in tree.fields() {
                let value = text[field.value.span.clone()].to_owned();
                let setting = Setting { path: field.name.clone(), value };
                assert_eq!(changed(&config, &setting).unwrap(), config, "{setting:?}");
            }
        }
    }

    #[test]
    fn wrong_names_and_values_are_answered_with_right_ones() {
        let message = named("lemke_howsen").unwrap_err().to_string();
        assert!(message.contains("did you mean `lemke-howson`?"), "{message}");
        assert!(message.contains("pure"), "{message}");
        let rae = named("rae").unwrap();
        let set = |text: &str| changed(&rae, &text.parse().unwrap()).unwrap_err().to_string();
        assert!(set("gama=1").contains("did you mean `gamma`?"));
        assert!(set("gamma=much").contains("rae: gamma cannot be `much`"));
        assert!(set("tremble=Floor(x)").contains("None, Floor(e) or Opponent(e)"));
        let pure = changed(&named("pure").unwrap(), &"gamma=1".parse().unwrap()).unwrap_err();
        assert!(pure.to_string().contains("it has none, and rae has that one"), "{pure}");
    }
}
