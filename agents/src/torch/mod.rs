//! Learners on libtorch, through `tch`.
//!
//! **Reproducibility.** libtorch's own generator is never used: first parameters, exploration and replay are drawn
//! from our streams. On the CPU every kernel used here is deterministic for a given instruction set and intra-op
//! thread count, which [`build_info`] tells. `tch` offers no switch for deterministic algorithms, so on CUDA the
//! gradients of `gather`, which add in any order where one index occurs twice, are avoided by design (every index
//! occurs once), while matrix products are as deterministic as cuBLAS is for one stream.
//!
//! Acting goes through the frozen copy of the network ([`crate::frozen::Actor`]), never through libtorch.

use std::cell::Cell;
use std::sync::OnceLock;

use gambol_envs::registry::{Entry, Registered};
use gambol_envs::spec::EnvSpec;
use tch::{Kind, TchError, Tensor};

use crate::choice::Choice;
use crate::frozen::Actor;
use crate::learner::{Checkpoint, LearnError};
use crate::network::Form;
use crate::policy::Policy;
use crate::{Agent, AgentError, AgentFactory, Device, Setting};

mod a2c;
mod actor_critic;
mod grouped;
mod iql;
mod layers;
mod learner;
mod parameters;
mod policy_gradient;
mod ppo;
mod q;
mod qmix;
mod sac;
mod vdn;

pub use a2c::{Ia2c, Maa2c};
pub use actor_critic::ActorCritic;
pub use grouped::{Anchor, Clip, Gigpo};
pub use iql::Iql;
pub use parameters::Target;
pub use ppo::{Ippo, Mappo};
pub use q::QLearning;
pub use qmix::{MixerConfig, Qmix, Start};
pub use sac::{Sac, Temperature};
pub use vdn::Vdn;

impl From<TchError> for LearnError {
    fn from(error: TchError) -> Self {
        Self::Torch(error.to_string())
    }
}

/// Every learner of this module.
pub(crate) fn entries() -> Vec<Entry<dyn AgentFactory>> {
    vec![
        Iql::entry(),
        Vdn::entry(),
        Qmix::entry(),
        Ia2c::entry(),
        Ippo::entry(),
        Maa2c::entry(),
        Mappo::entry(),
        Sac::entry(),
        Gigpo::entry(),
    ]
}

/// A learner's configuration, put together.
trait LearnerPlan {
    /// Builds the learner.
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError>;

    /// A policy from what the learner's `parameters` gave.
    fn frozen(
        &self,
        spec: &EnvSpec,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError>;
}

/// A configuration that makes a [`LearnerPlan`]; that is all it takes to be an agent.
trait Planned: std::fmt::Debug + Send + Sync {
    /// What is learned, and how.
    fn plan(&self) -> Box<dyn LearnerPlan + '_>;
}

impl<T: Planned> AgentFactory for T {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        self.plan().build(setting)
    }

    fn frozen(
        &self,
        setting: &Setting<'_>,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        self.plan().frozen(setting.spec, parameters, greedy)
    }
}

/// Writes the acting network of another learner over the first part of a flat tensor, which is that of this form.
fn adopt(online: &mut Tensor, form: &Form, parameters: &Checkpoint) -> Result<(), LearnError> {
    let (found, flat) = Form::read(parameters, "agent", form.activation)?;
    if found != *form {
        return Err(LearnError::Checkpoint(format!(
            "the other learner's network has {found}, this one's {form}"
        )));
    }
    let size = flat.len() as i64;
    let values = upload(&flat, &[size], online.device())?;
    tch::no_grad(|| online.f_narrow(0, 0, size)?.f_copy_(&values))?;
    Ok(())
}

/// An actor of this form with the parameters that a learner saved as `agent`.
fn saved_actor(
    form: Form,
    parameters: &Checkpoint,
    spec: &EnvSpec,
    masked: bool,
    choice: Choice,
) -> Result<Actor, AgentError> {
    let wrong = |error: LearnError| AgentError::new(error.to_string());
    let (found, flat) = Form::read(parameters, "agent", form.activation).map_err(wrong)?;
    if found != form {
        return Err(AgentError::new(format!(
            "the parameters are those of {found}, the scenario asks for {form}"
        )));
    }
    let mut actor = Actor::new(form, spec, masked, choice)?;
    actor.fill(&flat).map_err(wrong)?;
    Ok(actor)
}

/// What decides libtorch's bits, for a run's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorchInfo {
    /// Version of libtorch, such as `2.11.0`.
    pub version: String,
    /// Instruction set that its CPU kernels use: `AVX512`, `AVX2` or `DEFAULT`.
    pub cpu_capability: String,
    /// Intra-op threads.
    pub threads: usize,
    /// Whether it has CUDA and a device.
    pub cuda: bool,
}

static THREADS: OnceLock<usize> = OnceLock::new();

thread_local! {
    static PINNED: Cell<bool> = const { Cell::new(false) };
}

/// Pins the number of intra-op threads for this process and returns it. The first call decides; without a call it is 1
/// when the first learner is built.
///
/// libtorch's matrix products keep the number for each thread that calls them, and their bits depend on it: every
/// thread that trains calls this, which costs nothing the second time.
pub fn pin_threads(threads: usize) -> usize {
    let threads = *THREADS.get_or_init(|| threads.clamp(1, 1024));
    if !PINNED.replace(true) {
        tch::set_num_threads(threads as i32);
    }
    threads
}

/// What decides libtorch's bits. Pins the number of threads to 1 if nobody has pinned it before.
pub fn build_info() -> TorchInfo {
    let cpu_capability = std::env::var("ATEN_CPU_CAPABILITY")
        .map_or_else(|_| detected_capability().to_owned(), |forced| forced.to_uppercase());
    TorchInfo {
        version: option_env!("GAMBOL_LIBTORCH").unwrap_or("unknown").to_owned(),
        cpu_capability,
        threads: pin_threads(1),
        cuda: tch::Cuda::is_available(),
    }
}

/// `tch` does not tell which kernels libtorch chose; this is libtorch's own rule.
fn detected_capability() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq");
        if avx512 && avx2 {
            return "AVX512";
        } else if avx2 {
            return "AVX2";
        }
    }
    "DEFAULT"
}

/// The device that a run asked for.
///
/// # Errors
/// [`AgentError`] when libtorch does not have it.
pub fn device(wanted: Device) -> Result<tch::Device, AgentError> {
    pin_threads(1);
    match wanted {
        Device::Auto if tch::Cuda::is_available() => Ok(tch::Device::Cuda(0)),
        Device::Auto | Device::Cpu => Ok(tch::Device::Cpu),
        Device::Cuda(number) => {
            let count = tch::Cuda::device_count();
            if (number as i64) < count {
                Ok(tch::Device::Cuda(number))
            } else {
                Err(AgentError::new(format!(
                    "`device`: cuda:{number} is not there, this libtorch sees {count} CUDA devices"
                )))
            }
        }
    }
}

/// A tensor of this shape on the device.
fn upload(values: &[f32], shape: &[i64], device: tch::Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(device)
}

/// As [`upload`], for indices.
fn upload_indices(values: &[i64], shape: &[i64], device: tch::Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(device)
}

/// The tensor's numbers, row-major.
fn download(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let flat = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?;
    let flat = flat.f_contiguous()?;
    let mut values = vec![0.0; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(values)
}
