//! Pictures of people, as the `data:` URLs that browsers make of files.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Largest picture in bytes, decoded.
pub(crate) const MAX_PICTURE: usize = 2 * 1024 * 1024;

/// Longest `data:` URL that can hold one.
pub(crate) const MAX_URL: usize = MAX_PICTURE.div_ceil(3) * 4 + 64;

/// Why a text is not a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPicture {
    /// More than 2 MiB.
    #[error("the picture is larger than 2 MB: choose a smaller one")]
    TooLarge,
    /// Not a `data:` URL with base64.
    #[error("give the picture as data:image/…;base64,…")]
    NotAUrl,
    /// None of the known formats, whatever the URL says.
    #[error("the picture is not a PNG, JPEG, GIF, WebP or ICO file")]
    UnknownFormat,
}

/// What a file is by its first bytes. What the URL claims is not believed: a browser that is
/// handed SVG or HTML runs it.
fn format_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("webp"),
        [0, 0, 1, 0, ..] => Some("x-icon"),
        _ => None,
    }
}

/// Reads a picture and gives its URL with the type that it really has.
pub(crate) fn check(url: &str) -> Result<String, BadPicture> {
    let (head, data) = url.split_once(',').ok_or(BadPicture::NotAUrl)?;
    if !head.starts_with("data:image/") || !head.ends_with(";base64") {
        return Err(BadPicture::NotAUrl);
    }
    if url.len() > MAX_URL {
        return Err(BadPicture::TooLarge);
    }
    let bytes = STANDARD.decode(data).map_err(|_| BadPicture::NotAUrl)?;
    if bytes.len() > MAX_PICTURE {
        return Err(BadPicture::TooLarge);
    }
    let format = format_of(&bytes).ok_or(BadPicture::UnknownFormat)?;
    Ok(format!("data:image/{format};base64,{data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(kind: &str, bytes: &[u8]) -> String {
        format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
    }

    #[test]
    fn the_type_is_that_of_the_bytes() {
        let png = b"\x89PNG\r\n\x1a\nrest";
        assert_eq!(check(&url("jpg", png)), Ok(url("png", png)));
        let webp = b"RIFF\0\0\0\0WEBPVP8 ";
        assert_eq!(check(&url("webp", webp)), Ok(url("webp", webp)));
        for (kind, bytes) in [
            ("svg+xml", &b"<svg onload=alert(1)>"[..]),
            ("png", b"<html>"),
            ("png", b""),
        ] {
            assert_eq!(check(&url(kind, bytes)), Err(BadPicture::UnknownFormat));
        }
    }

    #[test]
    fn a_picture_is_inline_and_not_too_large() {
        for other in [
            "https://example.com/a.png",
            "data:text/html;base64,AAAA",
            "data:image/png;base64,%%%",
            "",
        ] {
            assert_eq!(check(other), Err(BadPicture::NotAUrl), "{other}");
        }
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.resize(MAX_PICTURE, 0);
        assert!(check(&url("png", &bytes)).is_ok());
        bytes.push(0);
        assert_eq!(check(&url("png", &bytes)), Err(BadPicture::TooLarge));
    }
}
