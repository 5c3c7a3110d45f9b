//! Other implementations. To add one, add a file here and a line in [`all`].

mod fastwebsockets;
mod link;
mod nexus;
#[cfg(feature = "shiguredo")]
mod shiguredo;
mod sockudo;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use super::Contestant;

pub fn all() -> Vec<Contestant> {
    vec![
        tungstenite::CONTESTANT,
        fastwebsockets::CONTESTANT,
        tokio_websockets::CONTESTANT,
        sockudo::CONTESTANT,
        yawc::CONTESTANT,
        nexus::CONTESTANT,
        #[cfg(feature = "shiguredo")]
        shiguredo::CONTESTANT,
    ]
}
