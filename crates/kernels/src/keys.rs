//! Where a value stands in a list of keys: a table with open addresses, in which most values are found at first sight.
//!
//! A key is a word of 128 bits. An integer is a word as it is. A short text is the word that Arrow's string views have for it,
//! its length and its bytes, so that a column of views is compared without a look at its texts; a long text is its length, its
//! beginning and its end, and is compared with the key as well. Where long keys differ only in between, a hash of all bytes takes
//! the place of the end.
//!
//! Where a word goes depends on numbers drawn when the table is made, so that no file can choose keys that all go to one place.
//! Of several drawings the one counts with which most keys are alone in their places.
//!
//! Columns have short and long texts in any order, and a processor that has to guess which comes next guesses wrong: on the
//! columns of a census that took longer than all else. So nothing is guessed about most texts: those behind views are found
//! in a memo of views, others go the same way short or long as far as the first place of the table.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::hint::select_unpredictable;
use std::ops::{Deref, Range};

/// The position of a value that is no key.
pub const NOT_FOUND: u32 = u32::MAX;

/// The longest text that is a word.
const SHORT_MAX: usize = 12;
/// The longest text of which its word and its [`middle`] leave nothing out.
const FEW_MAX: usize = 20;
/// Tables of more keys are made with the first numbers drawn.
const DRAWN_KEYS_MAX: usize = 512;
/// Numbers that are drawn for a table.
const DRAWINGS: usize = 32;
/// The bits of the first bytes of sixteen, by how many these are.
const KEPT: [u128; SHORT_MAX + 1] = {
    let mut kept = [0; SHORT_MAX + 1];
    let mut bytes = 1;
    while bytes <= SHORT_MAX {
        kept[bytes] = kept[bytes - 1] << 8 | 0xFF;
        bytes += 1;
    }
    kept
};
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
    /// The [`middle`] of a long text, 0 for others.
    middle: u64,
    position: u32,
}

const EMPTY_SLOT: Slot = Slot { word: EMPTY, middle: 0, position: NOT_FOUND };

impl WordTable {
    /// A table of these keys; of equal ones the last counts.
    pub fn of(keys: &[(u128, u32)]) -> Self {
        let mut table = Self::with_room(keys.len(), keys.iter().map(|(word, _)| *word));
        for &(word, position) in keys {
            let at = table.place(word, |_| true);
            table.slots[at] = Slot { word, middle: 0, position };
        }
        table
    }

    /// An empty table for so many keys, in which as many of these words as can be are alone in their places.
    fn with_room(keys: usize, words: impl Iterator<Item = u128>) -> Self {
        // Few keys get much room: the tables of a model stay in the cache all the same.
        let room = if keys <= 4096 { 4 * keys } else { 2 * keys };
        let slots = vec![EMPTY_SLOT; room.next_power_of_two().max(2)];
        let seeds = match keys {
            ..=DRAWN_KEYS_MAX => best_drawing(&words.collect(), slots.len() - 1),
            _ => drawing(),
        };
        Self { slots, seeds, keys }
    }

    /// The position of a word, or [`NOT_FOUND`].
    #[inline]
    pub fn find(&self, word: u128) -> u32 {
        self.slots[self.place(word, |_| true)].position
    }

    /// The first slot that a word can be in.
    #[inline(always)]
    fn first_slot(&self, word: u128) -> &Slot {
        &self.slots[mix(word, self.seeds) as usize & (self.slots.len() - 1)]
    }

    /// The slot of a word whose position `is_meant`, or the empty one where it would be. At least half of all slots are empty.
    #[inline(always)]
    fn place(&self, word: u128, is_meant: impl Fn(u32) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = mix(word, self.seeds) as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.word == EMPTY || (slot.word == word && is_meant(slot.position)) {
                return at;
            }
            at = (at + 1) & mask;
        }
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

#[inline(always)]
fn mix(word: u128, seeds: [u64; 2]) -> u64 {
    fold(word as u64 ^ seeds[0], (word >> 64) as u64 ^ seeds[1])
}

/// Two numbers that nobody can know.
fn drawing() -> [u64; 2] {
    let state = RandomState::new();
    [state.hash_one(0_u8), state.hash_one(1_u8)]
}

/// Of several drawings the one with which most words have a place of their own.
fn best_drawing(words: &HashSet<u128>, mask: usize) -> [u64; 2] {
    let mut best = (0, drawing());
    for _ in 0..DRAWINGS {
        let seeds = drawing();
        let places: HashSet<usize> = words.iter().map(|&word| mix(word, seeds) as usize & mask).collect();
        if places.len() > best.0 {
            best = (places.len(), seeds);
        }
        if places.len() == words.len() {
            break;
        }
    }
    best.1
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
    /// Fewer texts are found one after the other.
    const PARTS_MIN: usize = 64;

    /// A table of these keys, each with its place in the list that the positions count; of equal ones the last counts.
    pub fn of(keys: &[(&str, u32)]) -> Self {
        let hashes_long_texts = have_ends_in_common(keys);
        let plain_word = |&(key, _): &(&str, u32)| plain_word(key.as_bytes());
        let words = WordTable::with_room(keys.len(), keys.iter().map(plain_word));
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
            let middle = if key.len() > SHORT_MAX { middle(key.as_bytes()) } else { 0 };
            table.words.slots[at] = Slot { word, middle, position };
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

    /// The positions of the texts that are these parts of some bytes.
    ///
    /// # Panics
    /// When a part is none of the bytes.
    pub fn find_parts(
        &self,
        bytes: &[u8],
        parts: impl ExactSizeIterator<Item = Range<usize>>,
        positions: &mut Vec<u32>,
    ) {
        // What a text is found by without a guess takes longer than a right guess, which is what few texts get.
        match parts.len() {
            ..Self::PARTS_MIN => positions.extend(parts.map(|part| self.find(&bytes[part]))),
            _ => positions.extend(parts.map(|part| self.find_part(bytes, part))),
        }
    }

    /// The position of a part of some bytes, found in one way whether it is short or long, as far as the first slot.
    #[inline(always)]
    fn find_part(&self, bytes: &[u8], part: Range<usize>) -> u32 {
        let text = &bytes[part.clone()];
        // A short text is the beginning of these, whatever follows it.
        let Some(head) = bytes[part.start..].first_chunk().filter(|_| !self.hashes_long_texts) else {
            return self.find(text);
        };
        let (head, length) = (u128::from_le_bytes(*head), text.len());
        let is_long = length > SHORT_MAX;
        let short = (head & KEPT[length.min(SHORT_MAX)]) << 32 | length as u128;
        let last = select_unpredictable(is_long, part.end.wrapping_sub(size_of::<u64>()), part.start);
        let last = bytes[last..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let long = u128::from(length as u32) | u128::from(head as u32) << 32 | u128::from(last) << 64;
        let word = select_unpredictable(is_long, long, short);
        let middle = select_unpredictable(is_long, (head >> 32) as u64, 0);
        let slot = self.words.first_slot(word);
        if slot.word == word && slot.middle == middle && length <= FEW_MAX {
            return slot.position;
        }
        self.find(text)
    }

    /// The positions of the texts behind Arrow's views of them; [`NOT_FOUND`] also for a view that points nowhere.
    pub fn find_views<B: Deref<Target = [u8]>>(&self, views: &[u128], buffers: &[B], positions: &mut Vec<u32>) {
        if views.len() < Memo::BLOCK_ROWS {
            return positions.extend(views.iter().map(|&view| self.find_view(view, buffers)));
        }
        let buffers: Vec<&[u8]> = buffers.iter().map(Deref::deref).collect();
        let rest = self.find_with_memo(views, &buffers, positions);
        positions.extend(rest.iter().map(|&view| self.find_view(view, &buffers)));
    }

    /// Finds views with a memo for as long as it helps, and returns the others.
    #[inline(never)]
    fn find_with_memo<'v>(&self, mut views: &'v [u128], buffers: &[&[u8]], positions: &mut Vec<u32>) -> &'v [u128] {
        let mut memo = Memo::new(self.words.seeds);
        let mut helps = true;
        while let Some((block, rest)) = views.split_at_checked(Memo::BLOCK_ROWS)
            && helps
        {
            let missed_before = memo.missed;
            positions.extend(block.iter().map(|&view| memo.find(view, |view| self.find_view(view, buffers))));
            helps = memo.missed - missed_before <= Memo::MISSED_MAX;
            views = rest;
        }
        views
    }

    /// The position of the text behind a view.
    #[inline]
    fn find_view<B: Deref<Target = [u8]>>(&self, view: u128, buffers: &[B]) -> u32 {
        match view as u32 as usize {
            0..=SHORT_MAX => self.words.find(view),
            length => {
                let (buffer, start) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
                let text = buffers.get(buffer).and_then(|buffer| buffer.get(start..start + length));
                text.map_or(NOT_FOUND, |text| self.find(text))
            }
        }
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

/// What was found for the views of a column. Columns that came from dictionaries, such as those of a Parquet file, have the
/// same view for the same long text, which then need not be read again; and that a text is short or long makes no difference.
struct Memo {
    seeds: [u64; 2],
    views: [u128; Self::SLOTS],
    positions: [u32; Self::SLOTS],
    missed: usize,
}

impl Memo {
    const SLOTS: usize = 512;
    /// Rows after which it is asked whether the memo helps. Fewer rows are not worth one.
    const BLOCK_ROWS: usize = 1024;
    /// So many rows of a block may be new.
    const MISSED_MAX: usize = Self::BLOCK_ROWS / 8;

    fn new(seeds: [u64; 2]) -> Self {
        // That no view is: nothing is found for it.
        Self { seeds, views: [EMPTY; Self::SLOTS], positions: [NOT_FOUND; Self::SLOTS], missed: 0 }
    }

    /// What was found for a view, or is found now.
    #[inline(always)]
    fn find(&mut self, view: u128, find: impl Fn(u128) -> u32) -> u32 {
        let at = mix(view, self.seeds) as usize % Self::SLOTS;
        if self.views[at] != view {
            self.missed += 1;
            self.views[at] = view;
            self.positions[at] = find(view);
        }
        self.positions[at]
    }
}

/// The length of a long text, its first four bytes and its last eight.
#[inline(always)]
fn ends(text: &[u8]) -> u128 {
    let first = text.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let last = text.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    u128::from(text.len() as u32) | u128::from(first) << 32 | u128::from(last) << 64
}

/// What stands behind the first four bytes of a long text. With its [`ends`] these are all bytes of a text that is not longer
/// than [`FEW_MAX`].
#[inline(always)]
fn middle(text: &[u8]) -> u64 {
    text.get(4..).and_then(|text| text.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Whether two long texts of the same [`ends`] are equal.
#[inline(always)]
fn have_same_middle(a: &[u8], b: &[u8]) -> bool {
    if a.len() <= FEW_MAX { middle(a) == middle(b) } else { a == b }
}

/// Whether two of the long keys cannot be told apart by their [`ends`]; the same key again can.
fn have_ends_in_common(keys: &[(&str, u32)]) -> bool {
    let mut seen: HashMap<u128, &str> = HashMap::new();
    let mut long = keys.iter().map(|&(key, _)| key).filter(|key| key.len() > SHORT_MAX);
    long.any(|key| seen.insert(ends(key.as_bytes()), key).is_some_and(|other| other != key))
}

/// The word of a text where no other one has its [`ends`].
fn plain_word(text: &[u8]) -> u128 {
    if text.len() <= SHORT_MAX { short_word(text) } else { ends(text) }
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
    use crate::samples::views::view;

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
        let part = |end: &mut usize, text: &String| Some(std::mem::replace(end, *end + text.len())..*end);
        let parts: Vec<Range<usize>> = texts.iter().scan(0, part).collect();
        let views: Vec<u128> = texts.iter().zip(&parts).map(|(text, part)| view(text, part.start)).collect();
        let (mut positions, mut of_parts) = (Vec::new(), Vec::new());
        table.find_views(&views, &[buffer.as_bytes()], &mut positions);
        table.find_parts(buffer.as_bytes(), parts.into_iter(), &mut of_parts);
        for at in 0..texts.len() {
            let expected = if at % 2 == 0 { at as u32 } else { NOT_FOUND };
            assert_eq!(table.find(texts[at].as_bytes()), expected, "{}", texts[at]);
            assert_eq!(of_parts[at], expected, "the part that is {}", texts[at]);
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
        let of_other_buffer = view(long, 0) | 1 << 64;
        let views = [view(long, 1), view(long, 0), u128::MAX, of_other_buffer];
        table.find_views(&views, &[long.as_bytes()], &mut positions);
        assert_eq!(positions, [NOT_FOUND, 0, NOT_FOUND, NOT_FOUND]);
        positions.clear();
        table.find_views(&views, &[] as &[&[u8]], &mut positions);
        assert_eq!(positions, [NOT_FOUND; 4]);
    }

    #[test]
    fn a_text_counts_and_not_what_its_view_says_of_it() {
        let (key, other) = ("a text and more", "b text and more");
        let table = TextTable::of(&[(key, 0)]);
        let mut positions = Vec::new();
        let says_key = view(key, key.len());
        table.find_views(&[view(key, 0), says_key], &[[key, other].concat().as_bytes()], &mut positions);
        assert_eq!(positions, [0, NOT_FOUND]);
    }

    #[test]
    fn nothing_is_found_in_an_empty_table() {
        let table = TextTable::of(&[]);
        assert_eq!(table.find(b""), NOT_FOUND);
        let mut positions = Vec::new();
        table.find_parts(b"a text that is long", std::iter::repeat_n(0..0, 100), &mut positions);
        assert_eq!(positions, [NOT_FOUND; 100]);
    }

    #[test]
    fn many_views_are_found_whether_they_repeat_or_not() {
        let texts = texts();
        let keys: Vec<(&str, u32)> = texts.iter().map(String::as_str).zip(0..).step_by(3).collect();
        let table = TextTable::of(&keys);
        let buffer = texts.concat().repeat(20);
        let starts = texts.iter().cycle().scan(0, |start, text| Some(std::mem::replace(start, *start + text.len())));
        let all: Vec<(usize, usize)> = (0..texts.len()).cycle().zip(starts).take(20 * texts.len()).collect();
        // Places that repeat after so many texts: few, more than a memo has room for, none.
        for period in [50, 700, usize::MAX] {
            let rows: Vec<(usize, usize)> = (0..all.len()).map(|row| all[row % period]).collect();
            let views: Vec<u128> = rows.iter().map(|&(text, start)| view(&texts[text], start)).collect();
            let mut positions = Vec::new();
            table.find_views(&views, &[buffer.as_bytes()], &mut positions);
            let expected = rows.iter().map(|&(text, _)| if text % 3 == 0 { text as u32 } else { NOT_FOUND });
            assert_eq!(positions, expected.collect::<Vec<_>>(), "places repeat after {period}");
        }
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
