//! Sampled paths: addressed, antithetic if wanted, and the same Brownian motion on every mesh.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::normal::Normal;
use super::process::{Process, Scheme};
use crate::seed::{Purpose, Streams};

/// Where paths begin.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Start {
    /// At one point: every coordinate at this value.
    At(f64),
    /// Every coordinate drawn from a normal law of its own.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        std: f64,
    },
}

/// How paths are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// How a step is taken.
    pub scheme: Scheme,
    /// Length of a step.
    pub dt: f64,
    /// Number of steps of the finest mesh in one step of this one, a power of 2. Runs whose `dt / refine` agree
    /// see the same Brownian motion, whatever their `dt`.
    pub refine: u32,
    /// Every path with an odd number runs along the mirrored motion of the one before it.
    pub antithetic: bool,
}

/// Draws the paths of one process, piece by piece.
#[derive(Debug)]
pub struct Paths<'a> {
    process: &'a dyn Process,
    start: &'a Start,
    sampling: Sampling,
    streams: Streams,
    rng: ChaCha8Rng,
    sign: f64,
    /// Steps taken on this path.
    taken: u64,
    noise: Vec<f64>,
    states: Vec<f64>,
}

impl<'a> Paths<'a> {
    /// Ready for [`begin`](Self::begin).
    pub fn new(
        process: &'a dyn Process,
        start: &'a Start,
        sampling: Sampling,
        streams: Streams,
    ) -> Self {
        let rng = streams.at(Purpose::Episode, 0, 0);
        let states = vec![0.0; process.dim()];
        let noise = Vec::new();
        Self { process, start, sampling, streams, rng, sign: 1.0, taken: 0, noise, states }
    }

    /// Starts path number `path`.
    pub fn begin(&mut self, path: u32) {
        let mirrored = self.sampling.antithetic && path % 2 == 1;
        let source = if mirrored { path - 1 } else { path };
        // A start is no part of the motion: another purpose, so that no mesh shifts the noise.
        let mut starts = self.streams.at(Purpose::Generate, source, 0);
        self.streams.readdress(&mut self.rng, Purpose::Episode, source, 0);
        self.sign = if mirrored { -1.0 } else { 1.0 };
        self.taken = 0;
        self.states.clear();
        for _ in 0..self.process.dim() {
            self.states.push(match *self.start {
                Start::At(x) => x,
                Start::Normal { mean, std } => {
                    mean + std * self.sign * Normal::get().draw(&mut starts)
                }
            });
        }
    }

    /// Takes steps, and gives the states from the last one known on, `[steps + 1, dim]`, with the time of the
    /// first.
    pub fn advance(&mut self, steps: usize) -> (f64, &[f64]) {
        let dim = self.process.dim();
        let Sampling { scheme, dt, refine, .. } = self.sampling;
        let normal = Normal::get();
        self.noise.clear();
        if refine == 1 {
            self.noise.extend((0..steps * dim).map(|_| self.sign * normal.draw(&mut self.rng)));
        } else {
            let scale = self.sign / f64::from(refine).sqrt();
            self.noise.resize(steps * dim, 0.0);
            for z in self.noise.chunks_exact_mut(dim) {
                for _ in 0..refine {
                    for z in &mut *z {
                        *z += normal.draw(&mut self.rng);
                    }
                }
                for z in z {
                    *z *= scale;
                }
            }
        }
        let last = self.states.len() - dim;
        self.states.copy_within(last.., 0);
        self.states.resize((steps + 1) * dim, 0.0);
        let t = self.taken as f64 * dt;
        self.process.advance(scheme, t, dt, &mut self.states, &self.noise);
        self.taken += steps as u64;
        (t, &self.states)
    }
}
