//! Texts as Arrow's views.

/// The view of a text that begins at `start` of the only buffer.
pub(crate) fn view(text: &str, start: usize) -> u128 {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    if text.len() <= 12 {
        bytes[4..4 + text.len()].copy_from_slice(text.as_bytes());
    } else {
        bytes[4..8].copy_from_slice(&text.as_bytes()[..4]);
        bytes[12..].copy_from_slice(&(start as u32).to_le_bytes());
    }
    u128::from_le_bytes(bytes)
}
