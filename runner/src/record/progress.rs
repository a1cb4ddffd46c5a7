//! Progress bars on the standard error output; nothing when it is not a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, or nothing.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar that counts to `total`.
    pub(crate) fn new(total: u64, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
        let form = format!(
            "{{bar:32}} {{human_pos}}/{{human_len}} {unit} {{per_sec}} {{eta}} left {{msg}}"
        );
        if let Ok(style) = ProgressStyle::with_template(&form) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// No bar.
    pub fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Counts on.
    pub fn advance(&self, by: u64) {
        if by > 0 {
            self.0.inc(by);
        }
    }

    /// Goes to that place, for instance after a resume.
    pub fn set(&self, place: u64) {
        self.0.set_position(place);
    }

    /// Says something beside the bar.
    pub fn say(&self, message: String) {
        self.0.set_message(message);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
