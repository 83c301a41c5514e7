//! Percent-encoding, as in the query of a script and in the headers of
//! `AsyncAGI` events.

/// Decodes `%XX`. A plus sign stays a plus sign, since telephone numbers begin
/// with one; anything that is not two hexadecimal digits stays as it is; bytes
/// that are not UTF-8 are replaced.
///
/// ```
/// assert_eq!(strowger_agi::percent_decode("200%20result%3D1%20(%2B33)"), "200 result=1 (+33)");
/// ```
pub fn percent_decode(text: &str) -> String {
    let Some(first) = memchr::memchr(b'%', text.as_bytes()) else {
        return text.to_owned();
    };
    let (plain, mut rest) = text.as_bytes().split_at(first);
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(plain);
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.push(high * 16 + low);
            rest = after;
        } else {
            decoded.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(decoded)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_kept() {
        assert_eq!(percent_decode("a%20b%zz%4"), "a b%zz%4");
        assert_eq!(percent_decode("%C3%A9+"), "é+");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode(""), "");
        assert_eq!(percent_decode("%FF"), "\u{fffd}");
    }
}
