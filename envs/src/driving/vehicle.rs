//! What a vehicle is: the components of its row.

use bevy_ecs::prelude::Component;

use super::angles::sincos;

pub use super::routes::Route;

/// Length of a vehicle, in metres.
pub(super) const LENGTH: f64 = 5.0;
/// Width of a vehicle, in metres.
pub(super) const BREADTH: f64 = 2.0;

/// Speeds from which vehicles can come to where steering is unstable, in m/s.
const UNSTABLE: f64 = 18.0;

/// Where a vehicle is and how it moves: metres, radians, m/s.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Body {
    /// Centre.
    pub x: f64,
    /// Centre; grows to the right of travel at heading 0.
    pub y: f64,
    /// Direction, not wrapped.
    pub heading: f64,
    /// Along the heading; negative when it reverses.
    pub speed: f64,
}

impl Body {
    /// Whether every number is finite.
    pub(super) fn is_finite(&self) -> bool {
        self.x.is_finite()
            && self.y.is_finite()
            && self.heading.is_finite()
            && self.speed.is_finite()
    }
}

/// Cosine and sine of the heading, kept because everything asks for them.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Facing {
    /// Cosine of the heading.
    pub cos: f64,
    /// Sine of the heading.
    pub sin: f64,
}

impl Facing {
    /// Of a heading.
    pub(super) fn new(heading: f64) -> Self {
        let (sin, cos) = sincos(heading);
        Self { cos, sin }
    }

    /// Of a heading at a speed: fast vehicles steer stably and need not be rounded like a recording.
    pub(super) fn at(heading: f64, speed: f64) -> Self {
        if speed.abs() < UNSTABLE {
            return Self::new(heading);
        }
        let (sin, cos) = libm::sincos(heading);
        Self { cos, sin }
    }
}

impl Default for Facing {
    fn default() -> Self {
        Self { cos: 1.0, sin: 0.0 }
    }
}

/// The lane that a vehicle is on, and where on it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Track {
    /// Number of the lane.
    pub lane: u16,
    /// Along the lane, in metres.
    pub s: f64,
    /// To the right of its centre, in metres.
    pub r: f64,
}

/// What a vehicle aims at.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Goal {
    /// Number of the lane.
    pub lane: u16,
    /// Position of the speed in the list of target speeds, for meta-action drivers.
    pub index: u8,
    /// m/s.
    pub speed: f64,
}

/// What the driver does with the wheel and the pedals until it acts again.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Command {
    /// m/s^2.
    pub acceleration: f64,
    /// Angle of the front wheels, in radians.
    pub steering: f64,
}

/// Who drives.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// No vehicle in this row.
    #[default]
    Absent,
    /// Nobody: the command stays as it is.
    Constant,
    /// A cruise and lane-keeping controller that learners give meta-actions.
    Meta,
    /// A learner's own steering and acceleration.
    Wheel,
    /// The same with tyre friction.
    DynamicWheel,
    /// Intelligent driver model with MOBIL lane changes.
    Idm,
    /// Linear in its features, with MOBIL lane changes.
    Linear,
    /// Linear, with the reference's weights for an aggressive driver.
    Aggressive,
    /// Linear, with the reference's weights for a defensive driver.
    Defensive,
}

impl Kind {
    /// Every kind, in the order of its number in saved lanes.
    pub(super) const ALL: [Self; 9] = [
        Self::Absent,
        Self::Constant,
        Self::Meta,
        Self::Wheel,
        Self::DynamicWheel,
        Self::Idm,
        Self::Linear,
        Self::Aggressive,
        Self::Defensive,
    ];

    /// Whether it follows lanes and has a target lane and speed.
    pub(super) fn controlled(self) -> bool {
        matches!(self, Self::Meta) || self.decides()
    }

    /// Whether it drives by IDM or a linear law and decides on lane changes.
    pub(super) fn decides(self) -> bool {
        matches!(self, Self::Idm | Self::Linear | Self::Aggressive | Self::Defensive)
    }

    /// The reference's class name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Constant | Self::Wheel => "Vehicle",
            Self::Meta => "MDPVehicle",
            Self::DynamicWheel => "BicycleVehicle",
            Self::Idm => "IDMVehicle",
            Self::Linear => "LinearVehicle",
            Self::Aggressive => "AggressiveVehicle",
            Self::Defensive => "DefensiveVehicle",
        }
    }
}

/// How a vehicle's driver differs from others of its kind.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Mind {
    /// Seconds since the last decision on a lane change.
    pub timer: f64,
    /// Exponent of the speed term of IDM.
    pub exponent: f64,
    /// Whether it changes lanes on its own.
    pub changes_lanes: bool,
    /// Whether it looks for collisions; two vehicles that do not look pass through each other.
    pub looks: bool,
    /// Whether it gives way at present (regulated roads).
    pub yields: bool,
}

impl Default for Mind {
    fn default() -> Self {
        Self { timer: 0.0, exponent: 4.0, changes_lanes: true, looks: true, yields: false }
    }
}

/// What collisions did to a vehicle.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Damage {
    /// Whether it has touched something; it then brakes for ever.
    pub crashed: bool,
    /// Whether `push` is still to be applied.
    pub hit: bool,
    /// Displacement at the next frame, in metres.
    pub push: [f64; 2],
}

/// Motion that only the model with tyre friction has.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Drift {
    /// m/s to the right.
    pub lateral: f64,
    /// rad/s.
    pub yaw_rate: f64,
}
