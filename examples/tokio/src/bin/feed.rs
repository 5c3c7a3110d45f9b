//! Prints the texts of a feed, and reconnects whenever the connection ends.
//!
//!     cargo run --release -p embedding-tokio --bin embedding-feed -- URL [CA_FILE]
//!
//! The URL may be `wss:` or `ws:`. `CA_FILE` has further root certificates, in PEM.

use std::error::Error;
use std::time::Duration;

use embedding_tokio::{
    Backoff, ClientRequest, EndpointConfig, Event, OpenError, connect_with_tls, tls_config,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: embedding-feed URL [CA_FILE]")?;
    let (tls, config) = (tls_config(args.next())?, EndpointConfig::new());
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
    loop {
        let request = ClientRequest::from_url(&url)?.with_subprotocol("feed.v1")?;
        match connect_with_tls(request, &config, &tls).await {
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
