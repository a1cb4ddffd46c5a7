//! MANSA as a scenario file names it.

use gambol_envs::registry::Registered;
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::spec::EnvSpec;
use rand::Rng;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::act::Switching;
use super::budget::{Budget, Purse};
use super::learner::{Base, MansaLearner, SPENT, Table};
use super::steps::Share;
use super::switch::{Decider, Switch, global_spec};
use crate::learner::Checkpoint;
use crate::policy::Policy;
use crate::{Agent, AgentError, AgentFactory, Setting};

/// What a call changes: who acts, who learns, or both. The names are those of our reconstruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Variant {
    /// Act and learn: the centralised policy acts where it is called, and each of the two learns from its own steps.
    #[default]
    A,
    /// Act, and learn from everything: the centralised policy acts where it is called, and both learn from all steps;
    /// only for learners that may ([`off_policy`](crate::learner::Learner::off_policy)).
    B,
    /// Learn only: both act with the same networks, and each step is learned from by the one that was called, which
    /// then hands the networks over to the other ([`adopt`](crate::learner::Learner::adopt)). Execution stays decentralised.
    C,
}

/// An agent that stands in a field of another's configuration. The field's own parser passes over it:
/// see [`AgentFactory::members`].
#[derive(Debug, Default)]
pub struct Member(pub Option<Box<dyn AgentFactory>>);

impl Member {
    /// This agent.
    pub fn of(agent: impl AgentFactory + 'static) -> Self {
        Self(Some(Box::new(agent)))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(None))
    }
}

/// MANSA, as a scenario file configures it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mansa {
    /// The agent that acts where no call is made; any that is registered, learning or not.
    pub independent: Member,
    /// The agent that acts where it is called; any that is registered, learning or not.
    pub centralised: Member,
    /// The learner that decides where to call, such as `Iql` or `Sac`: one agent with two actions, 0 to go on and 1 to
    /// call, whose reward is the team's reward less the cost. Needed for `switch: Learned`, not used otherwise.
    pub global: Member,
    /// What decides.
    pub switch: Switch,
    /// What a call costs the Global agent, in units of the team's reward, at least 0.
    pub cost: f64,
    /// How many calls may be made; `None` for no limit but the cost.
    pub budget: Option<Budget>,
    /// What a call changes.
    pub variant: Variant,
}

impl Default for Mansa {
    fn default() -> Self {
        Self {
            independent: Member::default(),
            centralised: Member::default(),
            global: default_global(),
            switch: Switch::default(),
            cost: 0.01,
            budget: None,
            variant: Variant::default(),
        }
    }
}

/// Double deep Q-learning, which explores less and less calls.
#[cfg(feature = "torch")]
fn default_global() -> Member {
    use crate::network::NetworkConfig;
    use crate::schedule::Epsilon;
    use crate::torch::{Iql, QLearning, Target};
    Member::of(Iql {
        network: NetworkConfig::default(),
        learning: QLearning {
            rate: 3e-4,
            target: Target::Soft(0.005),
            epsilon: Epsilon { start: 1.0, end: 0.01, steps: 50_000 },
            ..QLearning::default()
        },
    })
}

/// Without libtorch there is no learner of states that are not finitely many; name one.
#[cfg(not(feature = "torch"))]
fn default_global() -> Member {
    Member::default()
}

/// Names of the members, as fields and in checkpoints.
const MEMBERS: [&str; 3] = ["independent", "centralised", "global"];

/// A member's problem as one of the whole.
fn within(name: &str, problem: &str) -> String {
    match problem.strip_prefix('`') {
        Some(rest) if rest.starts_with(char::is_lowercase) => format!("`{name}.{rest}"),
        _ => format!("`{name}`: {problem}"),
    }
}

impl Mansa {
    fn member(&self, name: &str) -> &Member {
        match name {
            "independent" => &self.independent,
            "centralised" => &self.centralised,
            _ => &self.global,
        }
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for name in MEMBERS {
            let needed = name != "global" || self.switch == Switch::Learned;
            if needed && self.member(name).0.is_none() {
                problems.push(format!("`{name}` names no agent, such as `{name}: TabularQ`"));
            }
        }
        self.switch.check(&mut problems);
        if !(self.cost.is_finite() && self.cost >= 0.0) {
            problems.push(format!("`cost`: {}, it must be finite and at least 0", self.cost));
        }
        if let Some(budget) = &self.budget {
            budget.check(&mut problems);
        }
        problems
    }

    /// Runs `work` on a member; its problems become ours.
    fn with<T>(
        &self,
        name: &str,
        problems: &mut Vec<String>,
        work: impl FnOnce(&dyn AgentFactory) -> Result<T, AgentError>,
    ) -> Option<T> {
        match work(&**self.member(name).0.as_ref()?) {
            Ok(done) => Some(done),
            Err(error) => {
                problems.extend(error.problems.iter().map(|problem| within(name, problem)));
                None
            }
        }
    }

    fn decider(&self, spec: &EnvSpec) -> Decider {
        Decider::new(self.switch, Purse::new(self.budget, spec.horizon))
    }
}

/// The Global agent draws from a root of its own: its first parameters and batches are not those of the other two.
fn global_streams(streams: Streams) -> Streams {
    Streams::new(streams.at(Purpose::Switch, u32::MAX, 0).next_u64())
}

/// What keeps a learner from a variant.
fn unfit(variant: Variant, bases: [(&str, &mut Base); 2]) -> Vec<String> {
    let mut problems = Vec::new();
    match variant {
        Variant::A => {}
        Variant::B => {
            for (name, base) in bases {
                if base.learner().is_some_and(|learner| !learner.off_policy()) {
                    problems.push(format!(
                        "`{name}`: this learner learns only from its own steps, variant B gives it all; use variant A, or a learner such as Iql or Qmix"
                    ));
                }
            }
        }
        Variant::C => {
            let [(_, independent), (_, centralised)] = bases;
            let joined = match (independent.learner_mut(), centralised.learner_mut()) {
                (Some(one), Some(other)) => one
                    .parameters()
                    .and_then(|parameters| other.adopt(&parameters))
                    .and_then(|()| other.parameters())
                    .and_then(|parameters| one.adopt(&parameters))
                    .map_err(|error| error.to_string()),
                _ => Err("both must learn".to_owned()),
            };
            if let Err(why) = joined {
                problems.push(format!(
                    "`variant`: C, but `independent` and `centralised` cannot act with the same networks: {why}"
                ));
            }
        }
    }
    problems
}

impl Registered<dyn AgentFactory> for Mansa {
    const NAME: &'static str = "Mansa";
    const SUMMARY: &'static str =
        "two agents and a switch that learns where to call the centralised one";

    fn examples() -> Vec<Self> {
        use crate::tabular::TabularQ;
        let member = || Member::of(TabularQ::default());
        vec![Self {
            independent: member(),
            centralised: member(),
            global: member(),
            ..Self::default()
        }]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for Mansa {
    fn members(&self) -> Vec<&'static str> {
        MEMBERS.to_vec()
    }

    fn take_member(&mut self, field: &str, agent: Box<dyn AgentFactory>) {
        let member = match field {
            "independent" => &mut self.independent,
            "centralised" => &mut self.centralised,
            _ => &mut self.global,
        };
        member.0 = Some(agent);
    }

    fn files(&self) -> Vec<String> {
        let members = MEMBERS.iter().filter_map(|name| self.member(name).0.as_ref());
        let mut files: Vec<_> = members.flat_map(|member| member.files()).collect();
        files.sort();
        files.dedup();
        files
    }

    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        let mut problems = self.check();
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        let decider = self.decider(setting.spec);
        let global_spec = global_spec(setting.spec, &decider.purse);
        let mut base = |name| {
            self.with(name, &mut problems, |member| {
                Ok(match member.build(setting)? {
                    Agent::Policy(policy) => Base::Policy(policy),
                    Agent::Learner(learner) => Base::Learner(learner),
                })
            })
        };
        let (independent, centralised) = (base("independent"), base("centralised"));
        let mut global = None;
        if decider.is_learned() {
            let streams = global_streams(setting.streams);
            let setting = Setting { spec: &global_spec, streams, ..*setting };
            global = self.with("global", &mut problems, |member| match member.build(&setting)? {
                Agent::Learner(learner) => Ok(learner),
                Agent::Policy(_) => Err(AgentError::new("this agent does not learn")),
            });
        }
        let (Some(mut independent), Some(mut centralised)) = (independent, centralised) else {
            return Err(AgentError { problems });
        };
        problems.extend(unfit(
            self.variant,
            [("independent", &mut independent), ("centralised", &mut centralised)],
        ));
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        let table = Table {
            spec: setting.spec,
            global_spec: &global_spec,
            envs: setting.envs,
            cost: self.cost,
            share: match self.variant {
                Variant::A => Share::Own,
                Variant::B => Share::All,
                Variant::C => Share::OwnCut,
            },
            joined: self.variant == Variant::C,
        };
        let learner = MansaLearner::new(&table, decider, independent, centralised, global);
        Ok(Agent::Learner(Box::new(learner)))
    }

    fn frozen(
        &self,
        setting: &Setting<'_>,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let mut problems = self.check();
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        let mut decider = self.decider(setting.spec);
        match parameters.i64(SPENT) {
            Ok(&[spent]) => decider.purse.spent = spent as u64,
            _ => problems.push(format!("the parameters have no number `{SPENT}`")),
        }
        let mut frozen = |name: &str, setting: &Setting<'_>| {
            self.with(name, &mut problems, |factory| {
                factory.frozen(setting, &parameters.part(name), greedy)
            })
        };
        let (independent, centralised) =
            (frozen("independent", setting), frozen("centralised", setting));
        let global = if decider.is_learned() {
            let spec = global_spec(setting.spec, &decider.purse);
            frozen("global", &Setting { spec: &spec, ..*setting })
        } else {
            None
        };
        match (independent, centralised) {
            (Some(independent), Some(centralised)) if problems.is_empty() => {
                Ok(Box::new(Switching::new(decider, global, independent, centralised)))
            }
            _ => Err(AgentError { problems }),
        }
    }
}
