//! A second inflater, which shares no code with zlib-rs.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// Inflates a message after `history`. Returns `None` if it is invalid, or longer than `limit` bytes. Stops at a final block.
pub fn inflate(history: &mut Vec<u8>, wire: &[u8], limit: usize) -> Option<Vec<u8>> {
    history.drain(..history.len().saturating_sub(32_768));
    let start = history.len();
    // The history is passed as stored blocks, which leave the state between two blocks.
    let mut known = Vec::new();
    for part in history.chunks(60_000) {
        let size = part.len() as u16;
        known.push(0);
        known.extend(size.to_le_bytes());
        known.extend((!size).to_le_bytes());
        known.extend(part);
    }
    known.extend(wire);
    known.extend([0, 0, 0xff, 0xff]);
    let flags =
        inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
    // Most messages are small, so the buffer starts small.
    for room in [1024, 32_768, usize::MAX].map(|room: usize| room.min(limit)) {
        let mut out = vec![0; start + room + 300];
        let (status, _, size) = decompress(&mut DecompressorOxide::new(), &known, &mut out, 0, flags);
        match status {
            TINFLStatus::Done | TINFLStatus::NeedsMoreInput => {
                return out.get(start..size).map(<[u8]>::to_vec);
            }
            TINFLStatus::HasMoreOutput => {}
            _ => return None,
        }
    }
    None
}
