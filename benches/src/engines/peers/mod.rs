//! Other implementations. A new one is a file here and a line in [`all`].

mod fastwebsockets;
mod link;
mod sockudo;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use super::Contestant;

pub fn all() -> [Contestant; 5] {
    [
        tungstenite::CONTESTANT,
        fastwebsockets::CONTESTANT,
        tokio_websockets::CONTESTANT,
        sockudo::CONTESTANT,
        yawc::CONTESTANT,
    ]
}
