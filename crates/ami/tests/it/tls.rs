//! Encrypted links, against a real TLS server.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use strowger_ami::{
    ClientConfig, Decoded, Decoder, DownReason, Message, Notice, Tls, TlsError, actions,
    encode_banner, encode_frame,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::server::{Rig, config, soon};

/// A certificate with its key.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Identity {
    pub(crate) fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }

    fn signed_by(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, authority).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }

    /// As `openssl x509 -req -signkey` makes it without extensions.
    fn version_1() -> Self {
        let pem = include_str!("../tls/version-1.pem");
        Self {
            certificate: CertificateDer::from_pem_slice(pem.as_bytes()).unwrap(),
            pem: pem.to_owned(),
            key: KeyPair::from_pem(include_str!("../tls/version-1.key")).unwrap(),
        }
    }

    /// For a client that trusts this very certificate.
    pub(crate) fn trusted(&self) -> Tls {
        Tls::trusting(self.pem.as_bytes()).unwrap()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            // Not `with_single_cert`, which has an opinion on the certificate.
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(
                vec![self.certificate.clone()],
                aws_lc_rs::sign::any_supported_type(&key).unwrap(),
            ))));
        Arc::new(config).into()
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The server's side of an encrypted connection.
pub(crate) struct Session {
    stream: TlsStream<TcpStream>,
    decoder: Decoder,
}

/// Accepts a connection and makes it a TLS one.
pub(crate) async fn accept(rig: &Rig, identity: &Identity) -> std::io::Result<Session> {
    let stream = rig.accept_silently().await.stream;
    let stream = soon("the handshake", identity.acceptor().accept(stream)).await?;
    Ok(Session {
        stream,
        decoder: Decoder::for_server(),
    })
}

impl Session {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next action.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            if let Some(decoded) = self.decoder.next() {
                let Ok(Decoded::Frame(action)) = decoded else {
                    panic!("{decoded:?}")
                };
                return action;
            }
            let read = self.stream.read_buf(self.decoder.space());
            assert_ne!(soon("an action", read).await.unwrap(), 0, "it is closed");
        }
    }

    /// Accepts the next action.
    async fn accept_next(&mut self) -> Message {
        let action = self.next().await;
        let id = action.action_id().unwrap();
        self.write(&encode_frame(&[("Response", "Success"), ("ActionID", &id)]))
            .await;
        action
    }

    /// Greets and accepts a plain login, which is the result.
    pub(crate) async fn log_in(&mut self) -> Message {
        self.write(&encode_banner("11.0.0")).await;
        let login = self.accept_next().await;
        assert_eq!(self.accept_next().await.name(), "CoreSettings");
        login
    }
}

/// A link that trusts as told comes up, and carries an action and an event.
async fn assert_accepted(tls: Tls, identity: &Identity) {
    let mut rig = Rig::new(ClientConfig {
        tls: Some(tls),
        ..config()
    })
    .await;
    let mut session = accept(&rig, identity).await.unwrap();
    session.log_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::hangup("A", None)).await });
    assert_eq!(session.accept_next().await.name(), "Hangup");
    assert!(soon("an answer", sending).await.unwrap().is_ok());
    session.write(b"Event: X\r\n\r\n").await;
    assert!(matches!(rig.notice().await, Notice::Event(_)));
}

/// A link that trusts as told does not come up. The result is its last error.
async fn refusal(tls: Tls, identity: &Identity) -> String {
    let rig = Rig::new(ClientConfig {
        tls: Some(tls),
        ..config()
    })
    .await;
    // In TLS 1.3 the server may end its handshake before the client refuses.
    if let Ok(mut session) = accept(&rig, identity).await {
        let mut rest = Vec::new();
        let read = session.stream.read_to_end(&mut rest);
        assert!(!matches!(soon("the end", read).await, Ok(1..)));
    }
    last_error(&rig).await
}

/// What the client says when it has come again.
async fn last_error(rig: &Rig) -> String {
    let _again = rig.accept_silently().await;
    rig.client.health().last_error.expect("an error")
}

#[tokio::test]
async fn a_certificate_that_is_known_is_accepted_whatever_its_name() {
    let identity = Identity::self_signed("asterisk.invalid");
    assert_accepted(identity.trusted(), &identity).await;
    let named = identity.trusted().server_name("pbx.example.com").unwrap();
    assert_accepted(named, &identity).await;
}

/// What Asterisk's `ast_tls_cert` makes with the OpenSSL of Debian 12.
#[tokio::test]
async fn a_known_certificate_of_version_1_is_accepted() {
    let identity = Identity::version_1();
    assert_accepted(identity.trusted(), &identity).await;
}

#[tokio::test]
async fn another_certificate_is_refused_with_advice() {
    let (known, other) = (
        Identity::self_signed("asterisk.invalid"),
        Identity::self_signed("asterisk.invalid"),
    );
    let error = refusal(known.trusted(), &other).await;
    assert!(error.starts_with("no TLS connection: "), "{error}");
    assert!(error.contains("neither one of the trusted"), "{error}");
    assert!(error.contains("tlscertfile"), "{error}");
}

#[tokio::test]
async fn what_a_trusted_authority_has_signed_must_have_the_right_name() {
    let authority = authority();
    let trusted = || Tls::trusting(authority.pem().as_bytes()).unwrap();
    let by_address = Identity::signed_by(&authority, "127.0.0.1");
    assert_accepted(trusted(), &by_address).await;

    let named = Identity::signed_by(&authority, "pbx.example.com");
    let override_name = trusted().server_name("pbx.example.com").unwrap();
    assert_accepted(override_name, &named).await;

    let error = refusal(trusted(), &named).await;
    assert!(error.contains("127.0.0.1"), "{error}");
    assert!(error.contains("pbx.example.com"), "{error}");
    let wrong = trusted().server_name("other.example.com").unwrap();
    let error = refusal(wrong, &by_address).await;
    assert!(error.contains("other.example.com"), "{error}");
}

#[tokio::test]
async fn what_another_authority_has_signed_is_refused() {
    let signed = Identity::signed_by(&authority(), "127.0.0.1");
    let trusted = Tls::trusting(authority().pem().as_bytes()).unwrap();
    let error = refusal(trusted, &signed).await;
    assert!(error.contains("nor signed by one of them"), "{error}");
}

#[tokio::test]
async fn one_of_several_trusted_certificates_suffices() {
    let (first, second) = (Identity::self_signed("a"), Identity::self_signed("b"));
    let both = format!("{}{}", first.pem, second.pem);
    for identity in [first, second] {
        assert_accepted(Tls::trusting(both.as_bytes()).unwrap(), &identity).await;
    }
}

#[test]
fn a_name_that_is_none_is_refused() {
    let tls = Identity::self_signed("a").trusted();
    let error = tls.server_name("no name").unwrap_err();
    assert!(matches!(&error, TlsError::ServerName(name) if name == "no name"));
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let rig = Rig::new(ClientConfig {
        tls: Some(Identity::self_signed("a").trusted()),
        ..config()
    })
    .await;
    let mut plain = rig.accept().await;
    let mut hello = Vec::new();
    let read = plain.stream.read_to_end(&mut hello);
    // It says hello and leaves at once.
    assert!(soon("the end", read).await.is_ok_and(|bytes| bytes > 0));
    let error = last_error(&rig).await;
    assert!(error.starts_with("no TLS connection: "), "{error}");
    assert!(error.contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_server_with_tls_is_not_waited_for_without_it() {
    let action_timeout = Duration::from_millis(200);
    let rig = Rig::new(ClientConfig {
        action_timeout,
        ..config()
    })
    .await;
    let identity = Identity::self_signed("a");
    let began = tokio::time::Instant::now();
    // The handshake gets nothing, and ends with the connection.
    assert!(accept(&rig, &identity).await.is_err());
    assert!(began.elapsed() < action_timeout + Duration::from_secs(5));
    assert_eq!(last_error(&rig).await, DownReason::LoginTimeout.to_string());
}

#[tokio::test]
async fn a_handshake_that_stalls_is_given_up() {
    let rig = Rig::new(ClientConfig {
        tls: Some(Identity::self_signed("a").trusted()),
        connect_timeout: Duration::from_millis(200),
        ..config()
    })
    .await;
    let _stalled = rig.accept_silently().await;
    let error = last_error(&rig).await;
    assert!(error.contains("no answer in time"), "{error}");
}

#[tokio::test]
async fn a_connection_cut_within_the_handshake_is_tried_again() {
    let identity = Identity::self_signed("a");
    let mut rig = Rig::new(ClientConfig {
        tls: Some(identity.trusted()),
        ..config()
    })
    .await;
    drop(rig.accept_silently().await);
    let mut session = accept(&rig, &identity).await.unwrap();
    session.log_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
}
