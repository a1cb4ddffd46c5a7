//! The only module that reads time. Times are reported, and decide nothing but when a bar is redrawn or a
//! benchmark has measured long enough.

#![expect(clippy::disallowed_methods, reason = "this is the module that may")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A running stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub fn seconds(self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Waits, for an animation.
pub fn pause(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds.clamp(0.0, 3600.0)));
}

/// Seconds since 1970, UTC; 0 on a machine whose clock is before that.
pub fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Seconds of processor time that this thread has used; `None` where the system does not say.
pub fn thread_seconds() -> Option<f64> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
    }
    #[cfg(not(unix))]
    None
}
