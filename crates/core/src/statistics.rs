//! Confidence bounds of a share that was counted.

use statrs::function::beta::checked_beta_reg;

/// The confidence of every bound that is reported, each on its own side: 0.95.
pub const CONFIDENCE: f64 = 0.95;

/// The standard normal quantile of [`CONFIDENCE`].
const Z: f64 = 1.644_853_626_951_472_2;

/// Above so many trials, with enough of both outcomes, the normal approximation is as good as
/// exact and the continued fraction of the exact one no longer ends in time.
const MANY: f64 = 5_000.0;

/// How many of either outcome the approximation needs.
const ENOUGH: f64 = 250.0;

/// The largest share that `hits` of `trials` do not rule out with [`CONFIDENCE`]: the upper bound
/// of Clopper and Pearson (Biometrika 26, 1934). 1 without trials.
///
/// Counts may be fractions: those that fade with age are.
pub fn upper_bound(hits: f64, trials: f64) -> f64 {
    let (hits, trials) = clean(hits, trials);
    if hits >= trials {
        1.0
    } else if is_large(hits, trials) {
        wilson(hits, trials, Z)
    } else {
        quantile(hits + 1.0, trials - hits, CONFIDENCE)
    }
}

/// The smallest share that `hits` of `trials` do not rule out with [`CONFIDENCE`]: the lower bound
/// of Clopper and Pearson. 0 without trials.
pub fn lower_bound(hits: f64, trials: f64) -> f64 {
    let (hits, trials) = clean(hits, trials);
    if hits <= 0.0 {
        0.0
    } else if is_large(hits, trials) {
        wilson(hits, trials, -Z)
    } else {
        quantile(hits, trials - hits + 1.0, 1.0 - CONFIDENCE)
    }
}

/// [`lower_bound`] by the normal approximation (Wilson), for what is asked on every dial.
pub fn quick_lower_bound(hits: f64, trials: f64) -> f64 {
    let (hits, trials) = clean(hits, trials);
    if hits <= 0.0 {
        0.0
    } else {
        wilson(hits, trials, -Z)
    }
}

/// A count as a number; exact up to 2^53, more than any count of calls.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of calls are far below 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

fn clean(hits: f64, trials: f64) -> (f64, f64) {
    let trials = if trials.is_finite() {
        trials.max(0.0)
    } else {
        0.0
    };
    let hits = if hits.is_finite() {
        hits.clamp(0.0, trials)
    } else {
        0.0
    };
    (hits, trials)
}

fn is_large(hits: f64, trials: f64) -> bool {
    trials > MANY && hits > ENOUGH && trials - hits > ENOUGH
}

/// Wilson's score bound (JASA 22, 1927).
fn wilson(hits: f64, trials: f64, z: f64) -> f64 {
    let share = hits / trials;
    let centre = share + z * z / (2.0 * trials);
    let spread = z * (share * (1.0 - share) / trials + z * z / (4.0 * trials * trials)).sqrt();
    (centre + spread) / (1.0 + z * z / trials)
}

/// Where the Beta distribution reaches `probability`, by halving: the regularized incomplete
/// beta function only grows, and 60 halvings are as fine as a double is.
fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if checked_beta_reg(a, b, middle).unwrap_or(1.0) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64, by: f64) {
        assert!((left - right).abs() <= by, "{left} is not {right}");
    }

    #[test]
    fn bounds_agree_with_what_can_be_worked_out_by_hand() {
        // Nothing in n trials: (1 - p)^n = 0.05. All of n: p^n = 0.05.
        for trials in [1.0, 20.0, 300.0, 100_000.0_f64] {
            close(
                upper_bound(0.0, trials),
                1.0 - 0.05_f64.powf(1.0 / trials),
                1e-9,
            );
            close(
                lower_bound(trials, trials),
                0.05_f64.powf(1.0 / trials),
                1e-9,
            );
        }
        // One of two: 1 - p^2 = 0.95 above, 1 - (1 - p)^2 = 0.05 below.
        close(upper_bound(1.0, 2.0), 0.95_f64.sqrt(), 1e-9);
        close(lower_bound(1.0, 2.0), 1.0 - 0.95_f64.sqrt(), 1e-9);
    }

    #[test]
    fn an_exact_bound_is_where_the_binomial_tail_is_five_percent() {
        // P(at most `hits` of `trials`) at the upper bound, summed term by term.
        for (hits, trials) in [(3_i32, 40_i32), (200, 4_000), (240, 1_000_000)] {
            let p = upper_bound(f64::from(hits), f64::from(trials));
            let mut term = (1.0 - p).powi(trials);
            let mut tail = term;
            for k in 0..hits {
                term *= f64::from(trials - k) / f64::from(k + 1) * p / (1.0 - p);
                tail += term;
            }
            close(tail, 0.05, 1e-6);
        }
    }

    #[test]
    fn the_approximation_takes_over_where_it_is_as_good() {
        for hits in [251.0, 1_000.0, 2_500.0, 4_700.0] {
            let exact = quantile(hits + 1.0, MANY - hits, CONFIDENCE);
            close(wilson(hits, MANY, Z) / exact, 1.0, 0.01);
            let exact = quantile(hits, MANY - hits + 1.0, 1.0 - CONFIDENCE);
            close(wilson(hits, MANY, -Z) / exact, 1.0, 0.01);
        }
        close(upper_bound(300_000.0, 1_000_000.0), 0.300_754, 1e-5);
    }

    #[test]
    fn the_quick_bound_is_close_to_the_exact_one() {
        for (hits, trials) in [(5.0, 50.0), (20.0, 50.0), (60.0, 300.0), (2_900.0, 3_000.0)] {
            let (quick, exact) = (quick_lower_bound(hits, trials), lower_bound(hits, trials));
            close(quick, exact, 0.013);
        }
    }

    #[test]
    fn nothing_counted_says_nothing() {
        close(upper_bound(0.0, 0.0), 1.0, 0.0);
        close(lower_bound(0.0, 0.0), 0.0, 0.0);
        close(upper_bound(f64::NAN, f64::INFINITY), 1.0, 0.0);
        close(upper_bound(9.0, 3.0), 1.0, 0.0);
    }
}
