//! Prints the texts of a feed, and reconnects whenever the connection ends.
//!
//!     FEED_TOKEN=... cargo run --release -p embedding-tokio --bin embedding-feed -- URL [CA_FILE]
//!
//! The URL may be `wss:` or `ws:`. `CA_FILE` has further root certificates, in PEM. `FEED_TOKEN` is sent in the header
//! `Authorization`. Messages are compressed with `--features deflate`, if the server does so too.

use std::error::Error;
use std::time::Duration;

use embedding_tokio::{
    Backoff, ClientRequest, Config, EndpointConfig, Event, OpenError, connect_with_tls, tls_config,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: embedding-feed URL [CA_FILE]")?;
    let tls = tls_config(args.next())?;
    let token = std::env::var("FEED_TOKEN").unwrap_or_default();
    let connection = Config::new().max_message_size(4 << 20);
    #[cfg(feature = "deflate")]
    let connection = connection.deflate(embedding_tokio::DeflateConfig::new());
    let config = EndpointConfig::new().connection(connection);
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
    loop {
        let request = ClientRequest::from_url(&url)?
            .with_subprotocol("feed.v1")?
            .with_field("Authorization", format!("Bearer {token}"))?;
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
            Err(error) if is_final(&error) => return Err(error.to_string().into()),
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}

/// Another attempt does not help after a 4xx, except a timeout (408), a request too early (425) and too many of them (429).
fn is_final(error: &OpenError) -> bool {
    matches!(error, OpenError::Rejected(response, _)
        if matches!(response.status(), 400..=499) && !matches!(response.status(), 408 | 425 | 429))
}
