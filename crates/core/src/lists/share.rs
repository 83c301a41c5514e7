//! How many contacts come from each of several lists.

/// Divides `want` contacts among lists by their weights, so that the numbers add up to
/// `want`: what is left after rounding down goes to the largest remainders (the method of
/// Hamilton), earlier lists first. A list of weight 0 gets nothing.
///
/// ```
/// use strowger_core::lists::share::shares;
/// assert_eq!(shares(10, &[70, 30]), [7, 3]);
/// ```
pub fn shares(want: u32, weights: &[u32]) -> Vec<u32> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if total == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: u32| u64::from(want) * u64::from(weight);
    let mut shares: Vec<u32> = weights
        .iter()
        .map(|weight| u32::try_from(exact(*weight) / total).unwrap_or(want))
        .collect();
    let left = want.saturating_sub(shares.iter().sum());
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|place| std::cmp::Reverse(exact(weights[*place]) % total));
    for place in by_remainder.into_iter().take(left as usize) {
        shares[place] += 1;
    }
    shares
}

/// Merges what was taken from several lists so that each stretch of the result has them in
/// proportion: no list waits until another one is through.
pub fn interleave<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut placed: Vec<(u64, usize, T)> = Vec::new();
    for (list, taken) in lists.into_iter().enumerate() {
        let count = taken.len() as u64;
        for (place, item) in (0_u64..).zip(taken) {
            // Its place in the list as a fraction, in 2^-32: halfway through its own share.
            placed.push((((2 * place + 1) << 31) / count, list, item));
        }
    }
    placed.sort_by_key(|(place, list, _)| (*place, *list));
    placed.into_iter().map(|(_, _, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_share_by_percentage() {
        assert_eq!(shares(100, &[70, 20, 10]), [70, 20, 10]);
        assert_eq!(shares(3, &[1, 1]), [2, 1]);
        assert_eq!(shares(5, &[100, 0]), [5, 0]);
        assert_eq!(shares(5, &[0, 0]), [0, 0]);
        assert_eq!(shares(5, &[]), Vec::<u32>::new());
    }

    #[test]
    fn the_lists_take_turns() {
        let merged = interleave(vec![vec!["a1", "a2", "a3", "a4"], vec!["b1", "b2"]]);
        assert_eq!(merged, ["a1", "b1", "a2", "a3", "b2", "a4"]);
        assert_eq!(interleave(vec![vec![], vec![1], vec![]]), [1]);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_none_is_off_by_a_whole_contact(
            want in 0_u32..20_000,
            weights in prop::collection::vec(0_u32..=100, 1..20),
        ) {
            let total: u32 = weights.iter().sum();
            let shares = shares(want, &weights);
            prop_assert_eq!(shares.iter().sum::<u32>(), if total == 0 { 0 } else { want });
            for (share, weight) in shares.iter().zip(&weights).filter(|_| total > 0) {
                let exact = f64::from(want) * f64::from(*weight) / f64::from(total);
                prop_assert!((f64::from(*share) - exact).abs() < 1.0);
            }
        }
    }
}
