//! The macro behind the one list of solvers in `lib.rs`.

/// Makes the enum of all solvers from a list of `Variant => Type`.
///
/// The types hold their solver's parameters; they implement `Solver`, `Default`, `Clone`,
/// `PartialEq` and serde's traits.
macro_rules! registry {
    (
        $(#[$outer:meta])*
        $name:ident { $( $(#[$inner:meta])* $variant:ident => $solver:ty, )+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $name { $( $(#[$inner])* $variant($solver), )+ }

        impl $name {
            /// Every solver with its default parameters, in the order of the list.
            pub fn defaults() -> Vec<Self> {
                vec![ $( Self::$variant(<$solver>::default()), )+ ]
            }

            /// The solver of that name (kebab case, as its `info` says) with default parameters.
            pub fn named(name: &str) -> Option<Self> {
                Self::defaults().into_iter().find(|config| config.solver().info().name == name)
            }

            /// The solver itself.
            pub fn solver(&self) -> &dyn crate::solution::Solver {
                match self { $( Self::$variant(solver) => solver, )+ }
            }
        }
    };
}

pub(crate) use registry;
