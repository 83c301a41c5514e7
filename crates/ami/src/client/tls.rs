//! AMI over TLS (`tlsenable` in `manager.conf`, port 5039).

use std::sync::Arc;
use std::{fmt, io};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, InvalidMessage, RootCertStore, SignatureScheme,
};

/// Whom to trust on an encrypted connection.
#[derive(Clone)]
pub struct Tls {
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) server_name: Option<ServerName<'static>>,
}

/// Why no trust can be founded on what was given.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is no PEM, or holds no certificate.
    #[error("there is no certificate in the PEM text")]
    NoCertificate,
    /// A certificate cannot be used.
    #[error("a certificate cannot be used: {0}")]
    Certificate(#[from] Error),
    /// The name is no host name and no address.
    #[error("{0:?} is no name of a server")]
    ServerName(String),
}

impl Tls {
    /// Trusts the certificates of a PEM text: of authorities, or of the server
    /// itself.
    ///
    /// Asterisk is usually given a certificate that it has signed itself. Such a
    /// one is accepted if it is, byte by byte, one of these, whatever its name and
    /// dates are. Any other must be signed by one of these and be valid for the
    /// name.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsError> {
        let known: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::NoCertificate)?;
        if known.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let mut trusted = Vec::new();
        for certificate in known {
            roots.add(certificate.clone())?;
            let key = roots
                .roots
                .last()
                .map(|root| &*root.subject_public_key_info);
            trusted.push((certificate, public_key(key.unwrap_or_default())));
        }
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        let verifier = Verifier {
            trusted,
            authorities,
            provider: Arc::clone(&provider),
        };
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self::with_config(Arc::new(config)))
    }

    /// With a configuration of one's own, for client certificates and the like.
    pub fn with_config(config: Arc<rustls::ClientConfig>) -> Self {
        Self {
            config,
            server_name: None,
        }
    }

    /// The name that the server's certificate must have, if it is not the
    /// [`host`](crate::ClientConfig::host) that is connected to.
    ///
    /// # Errors
    /// [`TlsError::ServerName`].
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsError> {
        let parsed = ServerName::try_from(name.to_owned());
        self.server_name = Some(parsed.map_err(|_| TlsError::ServerName(name.to_owned()))?);
        Ok(self)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Accepts the very certificates that it knows, and what they have signed.
#[derive(Debug)]
struct Verifier {
    /// Certificates and their public keys.
    trusted: Vec<(CertificateDer<'static>, SubjectPublicKeyInfoDer<'static>)>,
    authorities: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
}

/// Says why there is no encrypted connection, and what to do about it.
pub(super) fn reason(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        // An authority of the same name but with another key has a bad signature.
        Some(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => format!(
            "{error}: the server's certificate is neither one of the trusted ones nor signed by one of them; trust the one in its tlscertfile (manager.conf), or the authority that signed it"
        ),
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => format!(
            "the server does not speak TLS on this port (tlsenable and tlsbindaddr in manager.conf): {error}"
        ),
        _ => error.to_string(),
    }
}

impl Verifier {
    /// The key of a certificate that is trusted itself.
    fn key_of(&self, certificate: &CertificateDer<'_>) -> Option<&SubjectPublicKeyInfoDer<'_>> {
        self.trusted
            .iter()
            .find(|(known, _)| known == certificate)
            .map(|(_, key)| key)
    }
}

/// A public key as it stands in a certificate: a trust anchor has it without the
/// tag and length of its SEQUENCE (X.690 8.1).
fn public_key(content: &[u8]) -> SubjectPublicKeyInfoDer<'static> {
    const SEQUENCE: u8 = 0x30;
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![SEQUENCE];
    match (length, u8::try_from(length.len())) {
        ([], _) => der.push(0),
        ([short], _) if *short < 0x80 => der.push(*short),
        (_, Ok(bytes)) => {
            der.push(0x80 | bytes);
            der.extend_from_slice(length);
        }
        // A length has at most eight bytes.
        (_, Err(_)) => {}
    }
    der.extend_from_slice(content);
    der.into()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.key_of(end_entity).is_some() {
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        match self.key_of(cert) {
            // Asterisk's own `ast_tls_cert` makes certificates of version 1 with the
            // OpenSSL of Debian 12. Their form is refused elsewhere, but what matters
            // here is the key of a certificate that is trusted as it is.
            Some(key) => verify_tls13_signature_with_raw_key(message, key, dss, schemes),
            None => verify_tls13_signature(message, cert, dss, schemes),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trust_without_a_certificate() {
        for bad in [&b""[..], b"text", b"-----BEGIN CERTIFICATE-----\n!\n"] {
            assert!(matches!(Tls::trusting(bad), Err(TlsError::NoCertificate)));
        }
    }
}
