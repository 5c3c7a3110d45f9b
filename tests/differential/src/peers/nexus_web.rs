//! nexus-web's frame reader. It does not send replies, so the application does, with nexus-web's writer.

use nexus_web::ws::{CloseCode, FrameReader, FrameWriter, Message, ProtocolError, Role};

use super::{Peer, guard};
use crate::case::{Case, Outcome, Verdict, close_event, event, sent};

/// The size of a read: small, so that many payloads span several reads.
const READ: usize = 64;

pub struct NexusWeb;

impl Peer for NexusWeb {
    fn name(&self) -> &'static str {
        "nexus-web"
    }

    fn takes(&self, case: &Case) -> bool {
        case.is_frames()
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        cases.iter().map(|case| guard(|| frames(case))).collect()
    }
}

fn frames(case: &Case) -> Outcome {
    let role = match case.is_server() {
        true => Role::Server,
        false => Role::Client,
    };
    let bytes = case.bytes();
    let mut reader = FrameReader::builder()
        .role(role)
        .buffer_capacity(bytes.len().max(READ))
        .max_frame_size(case.limit as u64)
        .max_message_size(case.limit)
        .build();
    let mut writer = FrameWriter::new(role);
    let (mut events, mut verdict, mut out) = (Vec::new(), Verdict::Open, Vec::new());
    'reads: for read in bytes.chunks(READ) {
        reader.read(read).expect("the buffer is as large as the case");
        loop {
            let mut frame = [0; 140];
            let size = match reader.next() {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => {
                    events.push(event("text", text.as_bytes()));
                    0
                }
                Ok(Some(Message::Binary(payload))) => {
                    events.push(event("binary", payload));
                    0
                }
                Ok(Some(Message::Ping(payload))) => {
                    events.push(event("ping", payload));
                    writer
                        .encode_pong(payload, &mut frame)
                        .expect("as long as the Ping")
                }
                Ok(Some(Message::Pong(payload))) => {
                    events.push(event("pong", payload));
                    0
                }
                Ok(Some(Message::Close(close))) => {
                    let code = Some(close.code.as_u16()).filter(|_| close.code != CloseCode::NoStatus);
                    events.push(close_event(code, close.reason.as_bytes()));
                    verdict = Verdict::Closed;
                    match code {
                        Some(_) => writer
                            .encode_close_code(close.code, "", &mut frame)
                            .expect("it was received"),
                        None => writer.encode_empty_close(&mut frame),
                    }
                }
                Err(error) => {
                    verdict = Verdict::Failed(close_code(&error));
                    0
                }
            };
            out.extend(&frame[..size]);
            if verdict != Verdict::Open {
                break 'reads;
            }
        }
    }
    let sent = sent(&out, &verdict);
    Outcome {
        events,
        verdict,
        sent,
    }
}

/// The close code of RFC 6455 section 7.4.1 for an error; nexus-web does not report one.
fn close_code(error: &ProtocolError) -> u16 {
    match error {
        ProtocolError::InvalidUtf8 | ProtocolError::InvalidUtf8InCloseReason => 1007,
        ProtocolError::PayloadTooLarge { .. } | ProtocolError::MessageTooLarge { .. } => 1009,
        _ => 1002,
    }
}
