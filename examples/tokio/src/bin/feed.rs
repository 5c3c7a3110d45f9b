//! Prints the texts of a `wss` feed, and reconnects whenever the connection ends.
//!
//!     cargo run --release -p embedding-tokio --bin embedding-feed -- URL [CA_FILE]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use embedding_tokio::tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use embedding_tokio::tokio_rustls::rustls::{ClientConfig, RootCertStore};
use embedding_tokio::{Backoff, ClientRequest, EndpointConfig, Event, OpenError, connect_tls};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: embedding-feed URL [CA_FILE]")?;
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = args.next() {
        roots.add(CertificateDer::from_pem_file(file)?)?;
    }
    let tls = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (tls, config) = (Arc::new(tls), EndpointConfig::new());
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
    loop {
        let request = ClientRequest::from_url(&url)?.with_subprotocol("feed.v1")?;
        match connect_tls(request, &config, tls.clone()).await {
            Ok((mut socket, _response)) => {
                while let Some(event) = socket.next().await {
                    if let Event::Text(text) = event {
                        println!("{text}");
                        backoff.reset();
                    }
                }
                eprintln!("{}", socket.into_end());
            }
            // Another attempt would not help.
            Err(OpenError::Rejected(response)) if matches!(response.status(), 400..=499) => {
                return Err(OpenError::Rejected(response).into());
            }
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}
