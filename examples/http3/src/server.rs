//! The server: all its peers, on one socket.

use std::fs;
use std::path::Path;
use std::time::Duration;

use quiche::RecvInfo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::UdpSocket;

use crate::peer::Peer;
use crate::{Failure, udp};

/// Serves all peers in turn, with a certificate that is created at startup and written to the file.
pub async fn run(address: &str, certificate: &Path) -> Result<(), Failure> {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    let key = certificate.with_extension("key");
    fs::write(certificate, cert.pem())?;
    fs::write(&key, signing_key.serialize_pem())?;
    let mut config = udp::config()?;
    config.load_cert_chain_from_pem_file(&certificate.to_string_lossy())?;
    config.load_priv_key_from_pem_file(&key.to_string_lossy())?;
    let http_config = udp::http_config()?;

    let socket = UdpSocket::bind(address).await?;
    println!("listening on https://{}", socket.local_addr()?);
    let mut peers: Vec<Peer> = Vec::new(); // for many peers, use a map and a heap of timers
    loop {
        for peer in &mut peers {
            peer.turn(&http_config);
            udp::send(&socket, &mut peer.quic).await?;
        }
        peers.retain_mut(|peer| peer.is_there());
        let wait = peers.iter().filter_map(Peer::timeout).min();
        let take = |packet: &mut [u8], info: RecvInfo| {
            let Ok(header) = quiche::Header::from_slice(packet, udp::ID_SIZE) else {
                return;
            };
            let mut peer = peers.iter_mut().position(|peer| peer.is_for(&header.dcid));
            if peer.is_none() && header.ty == quiche::Type::Initial {
                // On the public Internet, have the client prove its address first: `quiche::retry`.
                let Ok(quic) = quiche::accept(&udp::new_id(), None, info.to, info.from, &mut config) else {
                    return;
                };
                peers.push(Peer::new(quic, header.dcid));
                peer = Some(peers.len() - 1);
            }
            if let Some(peer) = peer {
                _ = peers[peer].quic.recv(packet, info); // packets that do not belong to the connection are dropped
            }
        };
        udp::receive(&socket, wait.unwrap_or(Duration::MAX), take).await?;
        for peer in &mut peers {
            peer.quic.on_timeout(); // handles expired timers, if any
        }
    }
}
