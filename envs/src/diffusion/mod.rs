//! Diffusions `dX = b(t, X) dt + sigma(t, X) dW`, as sampled paths and as value functions in closed form.
//!
//! Everything is in double precision: the methods that are compared on these paths differ by amounts that
//! vanish with the mesh.

pub mod normal;
pub mod paths;
pub mod process;
pub mod value;
