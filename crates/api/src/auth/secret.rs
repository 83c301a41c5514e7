//! Random tokens, and sealing what must be read again.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    constant_time,
    hkdf::{HKDF_SHA256, Salt},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The system has no randomness, or a key is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes, or what was sealed was sealed with another key")]
pub struct CryptoError;

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// Random bytes of the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes)?;
    Ok(bytes)
}

/// 256 random bits as text.
pub fn new_token() -> Result<String, CryptoError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// What is kept of a token: whoever reads the database learns nothing that can be used.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// Base32 of RFC 4648 without padding, as authenticator apps want their secrets.
pub(super) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits)) as usize & 31]));
    }
    text
}

/// Seals small secrets that the database keeps, with AES-256-GCM.
pub(super) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// With a key that is derived from `secret` for one purpose (HKDF, RFC 5869).
    pub(super) fn new(secret: &[u8], purpose: &[u8]) -> Result<Self, CryptoError> {
        let mut key = [0; 32];
        Salt::new(HKDF_SHA256, b"strowger sealed secrets")
            .extract(secret)
            .expand(&[purpose], HKDF_SHA256)?
            .fill(&mut key)?;
        Ok(Self(RandomizedNonceKey::new(&AES_256_GCM, &key)?))
    }

    /// Seals, so that it opens only for the same `owner`.
    pub(super) fn seal(&self, owner: &str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut sealed)?;
        Ok([&nonce.as_ref()[..], &sealed].concat())
    }

    /// Opens what was sealed for `owner` with the same key.
    pub(super) fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(CryptoError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let mut rest = rest.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(owner.as_bytes()), &mut rest)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_key_only() {
        let sealer = Sealer::new(b"one secret", b"mfa").unwrap();
        let sealed = sealer.seal("usr_1", b"hello").unwrap();
        assert_eq!(sealer.open("usr_1", &sealed).unwrap(), b"hello");
        assert_ne!(sealer.seal("usr_1", b"hello").unwrap(), sealed);
        assert!(!sealed.windows(5).any(|bytes| bytes == b"hello"));
        assert_eq!(sealer.open("usr_2", &sealed), Err(CryptoError));
        for other in [
            Sealer::new(b"another secret", b"mfa").unwrap(),
            Sealer::new(b"one secret", b"other").unwrap(),
        ] {
            assert_eq!(other.open("usr_1", &sealed), Err(CryptoError));
        }
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(sealer.open("usr_1", &changed), Err(CryptoError));
        assert_eq!(sealer.open("usr_1", b"short"), Err(CryptoError));
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }

    #[test]
    fn no_token_is_made_twice() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        assert_ne!(token_hash(&one), token_hash(&two));
    }
}
