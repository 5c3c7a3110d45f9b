//! What a client trusts.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{Error, PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The settings of [`connect`](crate::connect). Shared, so that reconnecting resumes the TLS session.
pub(crate) static MOZILLA: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| Arc::new(config(mozilla())));

/// Returns TLS settings that trust Mozilla's root certificates and those in PEM files, such as the one of a company's or
/// a test's own authority.
///
/// `ca_files` may be an array, a `Vec`, or the `Option` of a command line's argument. Create the settings once, and use
/// them for every connection: they also hold the sessions that can be resumed. For anything else, such as client
/// certificates or the roots of the operating system (`rustls-native-certs`), create a [`ClientConfig`] with `rustls`.
///
/// ```no_run
/// # use embedding_tokio::{ClientRequest, EndpointConfig, connect_with_tls, tls_config};
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = tls_config(["own-ca.pem"])?;
/// let request = ClientRequest::from_url("wss://service.internal/")?;
/// let (socket, _response) = connect_with_tls(request, &EndpointConfig::new(), &tls).await?;
/// # drop(socket);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// A file that cannot be read, that holds no certificate, or whose certificate is malformed.
pub fn tls_config(ca_files: impl IntoIterator<Item = impl AsRef<Path>>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = mozilla();
    for file in ca_files {
        let file = file.as_ref();
        let failed = |error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()))
        };
        let certificates =
            CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|error| failed(&error))?;
        if certificates.is_empty() {
            return Err(failed(&Error::NoItemsFound));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
    }
    Ok(Arc::new(config(roots)))
}

fn mozilla() -> RootCertStore {
    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
}

fn config(roots: RootCertStore) -> ClientConfig {
    // `ClientConfig::builder` would panic if another dependency enabled a second provider.
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()]; // as browsers do
    config
}
