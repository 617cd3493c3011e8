//! How long to wait before the next attempt.

use std::time::Duration;

/// Each step of a list, then its last one again and again; ± 30 %, so that machines that went down together do not come back
/// together.
#[derive(Debug)]
pub struct Waits {
    steps: Vec<Duration>,
    next: usize,
}

impl Waits {
    pub fn new(steps: &[Duration]) -> Self {
        Self { steps: steps.to_vec(), next: 0 }
    }

    pub fn reset(&mut self) {
        self.next = 0;
    }

    pub fn next_wait(&mut self) -> Duration {
        let step = self.steps.get(self.next).or(self.steps.last()).copied().unwrap_or(Duration::from_secs(12));
        self.next += 1;
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        step.mul_f64(0.7 + 0.6 * f64::from(random) / f64::from(u32::MAX))
    }
}
