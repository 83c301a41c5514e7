//! One-time codes of RFC 6238, as authenticator apps make them: HMAC-SHA1, six digits, 30 seconds.

use aws_lc_rs::hmac;

use super::secret::{self, CryptoError};

/// Seconds that a code is shown.
const STEP_S: i64 = 30;

/// How many codes before and after the current one are taken: clocks differ.
const SLACK: i64 = 1;

/// Recovery codes that are given out.
pub(super) const RECOVERY_CODES: usize = 10;

/// The code of a time step (RFC 4226, section 5.3).
fn code(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 15);
    let cut = tag.iter().skip(offset).take(4);
    let number = cut.fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    (number & 0x7fff_ffff) % 1_000_000
}

/// The time step of a right code that is not used up: later than `last_step`.
pub(super) fn check(secret: &[u8], given: &str, now_s: i64, last_step: i64) -> Option<i64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let current = now_s.div_euclid(STEP_S);
    (current - SLACK..=current + SLACK)
        .filter(|step| *step > last_step)
        .find(|step| {
            let right = format!("{:06}", code(secret, *step));
            secret::same(right.as_bytes(), given.as_bytes())
        })
}

/// The address that authenticator apps read from a picture.
pub(super) fn address(login_id: &str, secret: &str) -> String {
    // A login id has letters, digits, '.', '_', '-' and '@' only.
    let account = login_id.replace('@', "%40");
    format!(
        "otpauth://totp/Strowger:{account}?secret={secret}&issuer=Strowger&algorithm=SHA1&digits=6&period=30"
    )
}

/// A recovery code of 80 random bits: four groups of four.
pub(super) fn recovery_code() -> Result<String, CryptoError> {
    let text = secret::base32(&secret::random::<10>()?).to_lowercase();
    let groups: Vec<&str> = [0..4, 4..8, 8..12, 12..16]
        .into_iter()
        .filter_map(|range| text.get(range))
        .collect();
    Ok(groups.join("-"))
}

/// A recovery code as it is hashed, however it was typed.
pub(super) fn plain_recovery_code(typed: &str) -> String {
    typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_table_of_rfc_6238() {
        // Appendix B gives eight digits; six are the last six of them.
        for (at, right) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(format!("{:06}", code(SECRET, at / 30)), right);
            assert_eq!(check(SECRET, right, at, 0), Some(at / 30));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_or_late_and_once() {
        let step = 1_234_567_890 / 30;
        let right = "005924";
        for (steps, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let now = (step + steps) * 30;
            assert_eq!(check(SECRET, right, now, 0).is_some(), good, "{steps}");
        }
        assert_eq!(check(SECRET, "005 924", step * 30, 0), Some(step));
        assert_eq!(check(SECRET, right, step * 30, step), None, "used up");
        for wrong in ["005925", "5924", "", "0059240", "²05924"] {
            assert_eq!(check(SECRET, wrong, step * 30, 0), None, "{wrong}");
        }
    }

    #[test]
    fn a_recovery_code_is_read_however_it_is_typed() {
        let code = recovery_code().unwrap();
        assert_eq!(code.len(), 19, "{code}");
        let shouted = code.to_uppercase().replace('-', " ");
        assert_eq!(plain_recovery_code(&shouted), plain_recovery_code(&code));
        assert_eq!(plain_recovery_code(&code).len(), 16);
    }

    #[test]
    fn an_authenticator_app_reads_the_address() {
        assert_eq!(
            address("ada@example", "ABC"),
            "otpauth://totp/Strowger:ada%40example?secret=ABC&issuer=Strowger&algorithm=SHA1&digits=6&period=30"
        );
    }
}
