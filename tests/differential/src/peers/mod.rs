//! The implementations that are compared, each as a [`Peer`].

mod httparse;
mod nexus_web;
pub mod ours;
mod python;
#[cfg(feature = "shiguredo")]
mod shiguredo;
mod tokio_websockets;
mod tungstenite;

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::case::{Case, Outcome, Verdict};

pub trait Peer: Send {
    fn name(&self) -> &'static str;

    /// Whether the peer supports this kind of case.
    fn takes(&self, case: &Case) -> bool;

    /// Returns the outcome of each case, in order. A panic is an outcome too.
    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome>;
}

/// All peers, or an error that says what is missing.
pub fn all() -> Result<Vec<Box<dyn Peer>>, String> {
    let mut peers = in_process();
    peers.push(Box::new(python::Python::start("wsproto")?));
    peers.push(Box::new(python::Python::start("websockets")?));
    Ok(peers)
}

/// The peers that do not need another process.
pub fn in_process() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(tungstenite::Tungstenite),
        Box::new(tokio_websockets::TokioWebsockets),
        Box::new(nexus_web::NexusWeb),
        #[cfg(feature = "shiguredo")]
        Box::new(shiguredo::Shiguredo),
        Box::new(httparse::Httparse),
        Box::new(ours::Cut),
    ]
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Suppresses the messages of the peers' panics: they are outcomes, reported with their case.
pub fn silence_guarded_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            print(panic);
        }
    }));
}

/// Converts a panic of the peer to an outcome.
fn guard(run: impl FnOnce() -> Outcome) -> Outcome {
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(false);
    result.unwrap_or_else(|panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or_default();
        Outcome::of(Verdict::Crashed(format!("panic: {text}")))
    })
}
