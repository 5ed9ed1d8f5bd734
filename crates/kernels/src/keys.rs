//! Where a value stands in a list of keys: a table with open addresses, in which most values are found at first sight.
//!
//! A key is a word of 128 bits. An integer is a word as it is. A short text is the word that Arrow's string views have for it,
//! its length and its bytes, so that a column of views is compared without a look at its texts; a long text is its length, its
//! beginning and its end, and is compared with the key as well. Where long keys differ only in between, a hash of all bytes takes
//! the place of the end.
//!
//! Where a word goes depends on numbers drawn when the table is made, so that no file can choose keys that all go to one place.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The position of a value that is no key.
pub const NOT_FOUND: u32 = u32::MAX;

/// The longest text that is a word.
const SHORT_MAX: usize = 12;
/// The word of no key: no text is as long as that, and no integer fills a word.
const EMPTY: u128 = u128::MAX;

/// The positions of words.
#[derive(Debug, Clone)]
pub struct WordTable {
    slots: Vec<Slot>,
    seeds: [u64; 2],
    keys: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    word: u128,
    position: u32,
}

const EMPTY_SLOT: Slot = Slot { word: EMPTY, position: NOT_FOUND };

impl WordTable {
    /// A table of these keys; of equal ones the last counts.
    pub fn of(keys: &[(u128, u32)]) -> Self {
        let mut table = Self::with_room(keys.len());
        for &(word, position) in keys {
            let at = table.place(word, |_| true);
            table.slots[at] = Slot { word, position };
        }
        table
    }

    fn with_room(keys: usize) -> Self {
        // Few keys get much room: the tables of a model stay in the cache all the same.
        let room = if keys <= 4096 { 4 * keys } else { 2 * keys };
        let state = RandomState::new();
        let seeds = [state.hash_one(0_u8), state.hash_one(1_u8)];
        Self { slots: vec![EMPTY_SLOT; room.next_power_of_two().max(2)], seeds, keys }
    }

    /// The position of a word, or [`NOT_FOUND`].
    #[inline]
    pub fn find(&self, word: u128) -> u32 {
        self.slots[self.place(word, |_| true)].position
    }

    /// The slot of a word whose position `is_meant`, or the empty one where it would be. At least half of all slots are empty.
    #[inline(always)]
    fn place(&self, word: u128, is_meant: impl Fn(u32) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.mix(word) as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.word == EMPTY || (slot.word == word && is_meant(slot.position)) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(always)]
    fn mix(&self, word: u128) -> u64 {
        fold(word as u64 ^ self.seeds[0], (word >> 64) as u64 ^ self.seeds[1])
    }

    /// Bytes of memory that the table occupies.
    pub fn bytes(&self) -> usize {
        size_of::<Slot>() * self.slots.len()
    }

    /// Number of keys that the table was made of.
    pub fn keys(&self) -> usize {
        self.keys
    }
}

/// Both halves of a product, mixed.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The positions of texts.
#[derive(Debug, Clone)]
pub struct TextTable {
    words: WordTable,
    /// The long keys one after the other, and where each begins; by position.
    texts: Vec<u8>,
    starts: Vec<usize>,
    /// Whether some long keys have length, beginning and end in common.
    hashes_long_texts: bool,
}

impl TextTable {
    /// A table of these keys, each with its place in the list that the positions count; of equal ones the last counts.
    pub fn of(keys: &[(&str, u32)]) -> Self {
        let words = WordTable::with_room(keys.len());
        let hashes_long_texts = have_ends_in_common(keys);
        let mut table = Self { words, texts: Vec::new(), starts: Vec::new(), hashes_long_texts };
        for &(key, position) in keys {
            let word = table.word(key.as_bytes());
            let at = table.place(word, key.as_bytes());
            if key.len() > SHORT_MAX {
                let place = position as usize;
                table.starts.resize(table.starts.len().max(place + 1), 0);
                table.starts[place] = table.texts.len();
                table.texts.extend_from_slice(key.as_bytes());
            }
            table.words.slots[at] = Slot { word, position };
        }
        table
    }

    /// The position of a text, or [`NOT_FOUND`].
    #[inline]
    pub fn find(&self, text: &[u8]) -> u32 {
        if text.len() <= SHORT_MAX {
            return self.words.find(short_word(text));
        }
        self.words.slots[self.place(self.word(text), text)].position
    }

    /// The positions of the texts behind Arrow's views of them; [`NOT_FOUND`] also for a view that points nowhere.
    pub fn find_views(&self, views: &[u128], buffers: &[&[u8]], positions: &mut Vec<u32>) {
        positions.extend(views.iter().map(|&view| match view as u32 as usize {
            0..=SHORT_MAX => self.words.find(view),
            length => {
                let (buffer, start) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
                let text = buffers.get(buffer).and_then(|buffer| buffer.get(start..start + length));
                text.map_or(NOT_FOUND, |text| self.find(text))
            }
        }));
    }

    /// Bytes of memory that the table occupies.
    pub fn bytes(&self) -> usize {
        self.words.bytes() + self.texts.len() + size_of::<usize>() * self.starts.len()
    }

    /// Number of keys that the table was made of.
    pub fn keys(&self) -> usize {
        self.words.keys()
    }

    #[inline(always)]
    fn place(&self, word: u128, text: &[u8]) -> usize {
        let is_meant = |position| self.long_key(position, text.len()).is_some_and(|key| have_same_middle(key, text));
        self.words.place(word, |position| text.len() <= SHORT_MAX || is_meant(position))
    }

    /// The long key at a position.
    fn long_key(&self, position: u32, length: usize) -> Option<&[u8]> {
        let start = *self.starts.get(position as usize)?;
        self.texts.get(start..start + length)
    }

    #[inline(always)]
    fn word(&self, text: &[u8]) -> u128 {
        match text.len() {
            0..=SHORT_MAX => short_word(text),
            _ => self.long_word(text),
        }
    }

    #[inline(always)]
    fn long_word(&self, text: &[u8]) -> u128 {
        let ends = ends(text);
        if !self.hashes_long_texts {
            return ends;
        }
        let mut hash = (ends >> 64) as u64;
        for eight in text.as_chunks().0 {
            hash = fold(hash ^ u64::from_le_bytes(*eight), self.words.seeds[1] | 1);
        }
        u128::from(ends as u64) | u128::from(hash) << 64
    }
}

/// The length of a long text, its first four bytes and its last eight.
#[inline(always)]
fn ends(text: &[u8]) -> u128 {
    let first = text.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let last = text.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    u128::from(text.len() as u32) | u128::from(first) << 32 | u128::from(last) << 64
}

/// Whether two long texts of the same [`ends`] are equal. What is between these ends is mostly a few bytes.
#[inline(always)]
fn have_same_middle(a: &[u8], b: &[u8]) -> bool {
    const FEW_MAX: usize = 20;
    match (a.len(), a.get(4..12), b.get(4..12)) {
        (..=FEW_MAX, Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Whether two of the long keys cannot be told apart by their [`ends`]; the same key again can.
fn have_ends_in_common(keys: &[(&str, u32)]) -> bool {
    let mut seen: HashMap<u128, &str> = HashMap::new();
    let mut long = keys.iter().map(|&(key, _)| key).filter(|key| key.len() > SHORT_MAX);
    long.any(|key| seen.insert(ends(key.as_bytes()), key).is_some_and(|other| other != key))
}

/// The length of a text and its bytes, as in Arrow's view of it.
#[inline(always)]
fn short_word(text: &[u8]) -> u128 {
    let bytes = match text.len() {
        8.. => {
            let first = text.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let last = text.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            u128::from(first) | u128::from(last) << (8 * (text.len() - 8))
        }
        4..8 => {
            let first = text.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let last = text.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            u128::from(u64::from(first) | u64::from(last) << (8 * (text.len() - 4)))
        }
        _ => text.iter().rev().fold(0, |word, &byte| word << 8 | u128::from(byte)),
    };
    bytes << 32 | text.len() as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arrow's view of a text that begins at `start` of the only buffer.
    fn view(text: &str, start: usize) -> u128 {
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

    /// Texts of all lengths, which differ in one byte, wherever it is.
    fn texts() -> Vec<String> {
        let mut texts = vec![String::new()];
        for length in 1..40 {
            for changed in 0..length {
                let byte = |at: usize| if at == changed { 'B' } else { 'a' };
                texts.push((0..length).map(byte).collect());
            }
        }
        texts
    }

    #[test]
    fn every_text_is_found_however_it_is_held() {
        // Those of the second list differ only in the middle.
        let middles = (b'a'..=b'z').map(|middle| format!("a beginning {} and an end", char::from(middle))).collect();
        for (texts, hashes) in [(texts(), true), (texts()[..70].to_vec(), false), (middles, true)] {
            check(&texts, hashes);
        }
    }

    fn check(texts: &[String], hashes_long_texts: bool) {
        let keys = |rest: usize| (0..texts.len()).filter(move |at| at % 2 == rest);
        let chosen: Vec<(&str, u32)> = keys(0).map(|at| (texts[at].as_str(), at as u32)).collect();
        let table = TextTable::of(&chosen);
        assert_eq!(table.hashes_long_texts, hashes_long_texts);
        let buffer: String = texts.concat();
        let starts = texts.iter().scan(0, |start, text| Some(std::mem::replace(start, *start + text.len())));
        let views: Vec<u128> = texts.iter().zip(starts).map(|(text, start)| view(text, start)).collect();
        let mut positions = Vec::new();
        table.find_views(&views, &[buffer.as_bytes()], &mut positions);
        for at in 0..texts.len() {
            let expected = if at % 2 == 0 { at as u32 } else { NOT_FOUND };
            assert_eq!(table.find(texts[at].as_bytes()), expected, "{}", texts[at]);
            assert_eq!(positions[at], expected, "the view of {}", texts[at]);
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let long = "a text that is longer than a view";
        let table = TextTable::of(&[("x", 0), (long, 1), ("x", 2), (long, 3)]);
        assert_eq!([table.find(b"x"), table.find(long.as_bytes()), table.find(b"y")], [2, 3, NOT_FOUND]);
    }

    #[test]
    fn a_view_that_points_nowhere_is_no_key() {
        let long = "a text that is longer than a view";
        let table = TextTable::of(&[(long, 0)]);
        let mut positions = Vec::new();
        table.find_views(&[view(long, 1), view(long, 0), u128::MAX], &[long.as_bytes()], &mut positions);
        assert_eq!(positions, [NOT_FOUND, 0, NOT_FOUND]);
        assert_eq!(TextTable::of(&[]).find(b""), NOT_FOUND);
    }

    #[test]
    fn words_are_found() {
        let words: Vec<u128> = (0..20_000).map(|at| u128::from(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(at))).collect();
        let keys: Vec<(u128, u32)> = words.into_iter().zip(0..).collect();
        let table = WordTable::of(&keys);
        assert!(keys.iter().all(|&(word, at)| table.find(word) == at));
        assert_eq!(table.find(1), NOT_FOUND);
        assert_eq!(table.keys(), 20_000);
    }
}
