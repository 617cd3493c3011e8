//! How long to wait before the next attempt.

use std::time::Duration;

/// 1, 2, 4, 8, 12, 12, … seconds, each ± 30 %, so that machines that went down together do not come back together
/// (powershell-over-ssh 15).
#[derive(Debug)]
pub struct Backoff {
    steps: Vec<Duration>,
    next: usize,
}

impl Backoff {
    pub fn new(steps: &[Duration]) -> Backoff {
        Backoff { steps: steps.to_vec(), next: 0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_scatter() {
        let seconds = [1.0, 2.0, 4.0, 8.0, 12.0, 12.0, 12.0];
        let mut backoff = Backoff::new(&[1, 2, 4, 8, 12].map(Duration::from_secs));
        for _ in 0..50 {
            for s in seconds {
                let wait = backoff.next_wait().as_secs_f64();
                assert!((0.7 * s - 0.001..=1.3 * s + 0.001).contains(&wait), "{wait} for {s}");
            }
            backoff.reset();
        }
    }
}
