//! The abandonment budget.
use super::{Config, tuning::Tuning};
use std::collections::VecDeque;

#[derive(Debug, Clone)]
pub(super) struct Budget {
    buckets: VecDeque<(f64, f64, f64)>,
    pub(super) answered: f64,
    pub(super) late: f64,
    /// logs of the price
    integral: f64,
    credit: f64,
    hourly: f64,
    scale: f64,
}
const BUCKETS: f64 = 96.0;
impl Budget {
    pub(super) fn new(t: &Tuning) -> Self {
        Self {
            buckets: VecDeque::new(),
            answered: 0.0,
            late: 0.0,
            integral: t.theta0.ln(),
            credit: 0.0,
            hourly: 100.0,
            scale: 1.0,
        }
    }
    pub(super) fn advance(&mut self, now: f64, config: &Config) {
        let width = config.window_s / BUCKETS;
        if self.buckets.back().is_none_or(|b| now >= b.0 + width) {
            self.buckets.push_back((now, 0.0, 0.0));
        }
        while self
            .buckets
            .front()
            .is_some_and(|b| b.0 + width < now - config.window_s)
        {
            if let Some(b) = self.buckets.pop_front() {
                self.answered -= b.1;
                self.late -= b.2;
            }
        }
    }
    fn share(&self, c: &Config, t: &Tuning) -> f64 {
        (t.share * c.boost).clamp(0.0, 1.0) * c.abandon_limit
    }
    pub(super) fn human(&mut self, weight: f64, c: &Config, t: &Tuning) {
        self.answered += weight;
        if let Some(b) = self.buckets.back_mut() {
            b.1 += weight;
        }
        let limit = self.share(c, t);
        let slope = 1.0 - 0.5 * t.margin / (c.abandon_limit * self.answered).max(1.0).sqrt();
        self.credit = (self.credit + weight * limit * slope).min(t.cap * self.scale);
        self.integral = (self.integral
            + t.ki / self.hourly * weight * (self.credit / self.scale).clamp(-2.0, 2.0))
        .clamp(-6.0, -1.5);
    }
    pub(super) fn pace(&mut self, hourly: f64, c: &Config) {
        self.hourly = hourly.max(10.0);
        self.scale = (self.hourly * c.abandon_limit).sqrt().max(1.0);
    }
    pub(super) fn late(&mut self, weight: f64) {
        self.late += weight;
        if let Some(b) = self.buckets.back_mut() {
            b.2 += weight;
        }
        self.credit -= weight;
    }
    /// Highest accepted chance
    pub(super) fn risk(&self, c: &Config, t: &Tuning, soon: f64) -> f64 {
        let allowed = c.abandon_limit * self.answered;
        if t.fix > 0.0 {
            return t.fix;
        }
        let _ = soon;
        let allowed = c.abandon_limit * self.answered;
        let margin = 1.0 + t.margin * allowed.sqrt();
        let room = (allowed - self.late - 1.0) / margin;
        let wish = (self.integral + t.kp * self.credit / self.scale).exp();
        (wish * (2.0 * room).clamp(0.0, 1.0)).clamp(0.001, 0.3)
    }
    pub(super) fn upper(&self) -> f64 {
        // Wilson
        let n = self.answered.max(1.0);
        let p = (self.late / n).clamp(0.0, 1.0);
        let z = 1.645f64;
        let z2 = z * z / n;
        ((p + z2 / 2.0 + z * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt()) / (1.0 + z2)).min(1.0)
    }
}
