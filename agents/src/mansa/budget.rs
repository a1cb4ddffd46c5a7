//! How many calls may be made: hard, by masking, or soft, by a penalty.

use serde::{Deserialize, Serialize};

/// What a budget is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Scope {
    /// Each episode has the whole budget.
    #[default]
    Episode,
    /// The whole training run has one budget for all instances. Evaluations pay nothing from it, and may call only
    /// while some of it is left.
    Training,
}

/// What happens at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Limit {
    /// Calls are masked: the budget holds on every path.
    #[default]
    Hard,
    /// The share that is left follows [`Saute`], and once it is 0 or less, the switch's reward is `-penalty` whatever
    /// happens, so that overspending is learned to be avoided.
    Soft {
        /// What overspending costs at every step, at least 0.
        penalty: f64,
        /// Discount of [`Saute`], above 0 and at most 1; only for a budget of an episode.
        #[serde(default = "one")]
        discount: f64,
    },
}

fn one() -> f64 {
    1.0
}

/// A number of calls that may be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// How many.
    pub calls: u64,
    /// In what time.
    pub scope: Scope,
    /// What happens when they are spent.
    pub limit: Limit,
}

impl Budget {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let Limit::Soft { penalty, discount } = self.limit else { return };
        if !(penalty.is_finite() && penalty >= 0.0) {
            problems.push(format!(
                "`budget.limit.penalty`: {penalty}, it must be finite and at least 0"
            ));
        }
        if !(discount > 0.0 && discount <= 1.0) {
            problems.push(format!(
                "`budget.limit.discount`: {discount}, it must be above 0 and at most 1"
            ));
        }
        if self.scope == Scope::Training && discount < 1.0 {
            problems.push(format!(
                "`budget.limit.discount`: {discount}, a budget of a whole training run is not discounted"
            ));
        }
    }
}

/// The share of a budget that is left, as Sauté RL counts it (Sootla et al., ICML 2022, arXiv 2202.06558):
/// `z' = (z - cost / budget) / discount`, from `z = 1` on. Spent is what is at or below 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saute {
    /// What may be spent, above 0.
    pub budget: f64,
    /// Above 0 and at most 1; below 1 a share that is left grows again, and so does one that is overdrawn.
    pub discount: f64,
}

impl Saute {
    /// A budget for a whole episode of `horizon` steps. It is rescaled when discounted, so that spending it evenly
    /// spends it: `budget (1 - discount^T) / ((1 - discount) T)`.
    pub fn over(budget: f64, discount: f64, horizon: Option<u32>) -> Self {
        let budget = match horizon {
            Some(horizon) if discount < 1.0 && horizon > 0 => {
                let steps = f64::from(horizon);
                budget * (1.0 - libm::pow(discount, steps)) / ((1.0 - discount) * steps)
            }
            _ => budget,
        };
        Self { budget, discount }
    }

    /// The share left after a step that cost so much.
    pub fn next(&self, left: f64, cost: f64) -> f64 {
        (left - cost / self.budget) / self.discount
    }
}

/// A budget as it is being spent, of all lanes together; what is left of a lane's own stands with the lane.
#[derive(Clone, Debug)]
pub(super) struct Purse {
    budget: Option<Budget>,
    saute: Saute,
    /// Calls paid from the budget of the training run.
    pub(super) spent: u64,
    /// Whether calls are paid from the budget of the training run; an evaluation pays none.
    pub(super) pays: bool,
}

impl Purse {
    pub(super) fn new(budget: Option<Budget>, horizon: Option<u32>) -> Self {
        let (calls, discount) = match budget {
            Some(Budget { calls, limit: Limit::Soft { discount, .. }, .. }) => (calls, discount),
            Some(Budget { calls, .. }) => (calls, 1.0),
            None => (0, 1.0),
        };
        // Half a call more, so that the last one that is allowed does not count as one too many.
        let saute = Saute::over(calls as f64 + 0.5, discount, horizon);
        Self { budget, saute, spent: 0, pays: true }
    }

    /// Whether the switch is told what is left.
    pub(super) fn is_seen(&self) -> bool {
        self.budget.is_some()
    }

    /// What a lane holds when an episode begins: calls for a hard budget, a share for a soft one.
    pub(super) fn full(&self) -> f64 {
        match self.budget {
            Some(Budget { calls, limit: Limit::Hard, .. }) => calls as f64,
            _ => 1.0,
        }
    }

    /// Calls left of the training run's budget.
    fn rest(&self, calls: u64) -> u64 {
        calls.saturating_sub(self.spent)
    }

    /// The share that is left, for the switch to see.
    pub(super) fn share(&self, held: f64) -> f64 {
        match self.budget {
            Some(Budget { calls, scope: Scope::Training, limit: Limit::Hard }) => {
                self.rest(calls) as f64 / (calls.max(1)) as f64
            }
            Some(Budget { scope: Scope::Training, .. }) => {
                1.0 - self.spent as f64 / self.saute.budget
            }
            Some(Budget { calls, limit: Limit::Hard, .. }) => held / (calls.max(1)) as f64,
            Some(_) => held,
            None => 0.0,
        }
    }

    /// Whether a lane may call at this moment; `lane` is its number in the batch. Of the training run's last calls the
    /// first lanes of the batch have the use, so that no more are made even if all lanes call at once.
    pub(super) fn allows(&self, lane: usize, held: f64) -> bool {
        match self.budget {
            Some(Budget { calls, scope: Scope::Training, limit: Limit::Hard }) => {
                let rest = self.rest(calls);
                if self.pays { (lane as u64) < rest } else { rest > 0 }
            }
            Some(Budget { limit: Limit::Hard, .. }) => held >= 1.0,
            _ => true,
        }
    }

    /// Pays a lane's step.
    pub(super) fn pay(&mut self, held: &mut f64, call: bool) {
        let Some(Budget { scope, limit, .. }) = self.budget else { return };
        match (scope, limit) {
            (Scope::Training, _) if self.pays => self.spent += u64::from(call),
            (Scope::Training, _) => {}
            (Scope::Episode, Limit::Hard) => *held -= f64::from(u8::from(call)),
            (Scope::Episode, Limit::Soft { .. }) => {
                *held = self.saute.next(*held, f64::from(u8::from(call)));
            }
        }
    }

    /// The penalty when a soft budget is overspent.
    pub(super) fn penalty(&self, held: f64) -> Option<f64> {
        match self.budget?.limit {
            Limit::Soft { penalty, .. } if self.share(held) <= 0.0 => Some(penalty),
            _ => None,
        }
    }
}
