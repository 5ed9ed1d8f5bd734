//! SQL text in pieces, for colours and completion while it is being typed.
//!
//! Unlike the engine's tokenizer this one reads unfinished text: a quote that is not closed yet is what the user is
//! typing, not an error.

use std::ops::Range;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A keyword, a name or a number.
    Word,
    /// Text in single quotes; `closed` tells whether the second quote is there.
    Text { closed: bool },
    /// A name in double quotes.
    Quoted,
    /// A comment.
    Comment,
    /// A space, an operator or punctuation.
    Other,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// Cuts `text` into pieces that cover it without gaps.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let (kind, length) = first_piece(&text[start..]);
        pieces.push(Piece { kind, range: start..start + length });
        start += length;
    }
    pieces
}

/// Whether a name may contain this character without quotes.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn first_piece(text: &str) -> (Kind, usize) {
    let through = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let first = text.chars().next().unwrap_or(' ');
    match first {
        '\'' => {
            let length = through("'", 1);
            (Kind::Text { closed: length > 1 && text[..length].ends_with('\'') }, length)
        }
        '"' => (Kind::Quoted, through("\"", 1)),
        '-' if text.starts_with("--") => (Kind::Comment, through("\n", 2)),
        '/' if text.starts_with("/*") => (Kind::Comment, through("*/", 2)),
        first if is_word(first) => (Kind::Word, text.find(|c| !is_word(c)).unwrap_or(text.len())),
        first => (Kind::Other, first.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(Kind, &str)> {
        pieces(text).into_iter().map(|piece| (piece.kind, &text[piece.range])).collect()
    }

    #[test]
    fn pieces_cover_the_text() {
        assert_eq!(
            cut("é=\"B c\"--x\n/* y */'d"),
            [
                (Kind::Word, "é"),
                (Kind::Other, "="),
                (Kind::Quoted, "\"B c\""),
                (Kind::Comment, "--x\n"),
                (Kind::Comment, "/* y */"),
                (Kind::Text { closed: false }, "'d"),
            ]
        );
    }

    #[test]
    fn a_doubled_quote_stays_inside() {
        assert_eq!(cut("'it''s'"), [(Kind::Text { closed: true }, "'it'"), (Kind::Text { closed: true }, "'s'")]);
        assert_eq!(cut("'it''"), [(Kind::Text { closed: true }, "'it'"), (Kind::Text { closed: false }, "'")]);
    }
}
