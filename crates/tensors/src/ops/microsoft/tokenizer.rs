//! Tokenizer: text cut into tokens, at separators, by an expression, or into characters.

use super::super::text::Longest;
use super::super::{Operator, exact, one};
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    match op_type {
        "Tokenizer" => Some(exact(tokenizer)),
        _ => None,
    }
}

/// What marks the start and the end of a text.
const MARKS: [&str; 2] = ["\u{2}", "\u{3}"];

/// How text is cut.
enum Cut {
    Characters,
    /// One after the other, each cuts the pieces of those before.
    Separators(Vec<Longest>),
    Tokens(Longest),
}

impl Cut {
    fn new(call: &Call) -> Outcome<Self> {
        match (call.maybe_texts("separators")?.unwrap_or_default(), call.maybe_text("tokenexp")?) {
            ([only], None) if only.is_empty() => Ok(Self::Characters),
            // Even the ends of lines, which an expression leaves out.
            ([], Some(".")) => Ok(Self::Characters),
            ([], Some(tokens)) => Ok(Self::Tokens(Longest::new(call, tokens)?)),
            ([], None) => Err(Fault::invalid("attribute `separators` or `tokenexp` is missing")),
            (separators, None) => {
                separators.iter().map(|each| separator(call, each)).collect::<Outcome<_>>().map(Self::Separators)
            }
            (_, Some(_)) => Err(Fault::invalid("attributes `separators` and `tokenexp` exclude each other")),
        }
    }

    /// The tokens of a text, none shorter than `least` characters.
    fn tokens<'t>(&self, text: &'t str, least: usize) -> Vec<&'t str> {
        let long_enough = |token: &&str| token.chars().count() >= least;
        match self {
            Self::Characters => {
                text.char_indices().map(|(at, character)| &text[at..][..character.len_utf8()]).collect()
            }
            Self::Tokens(tokens) => {
                tokens.matches(text).into_iter().map(|place| &text[place]).filter(long_enough).collect()
            }
            Self::Separators(separators) => separators.iter().fold(vec![text], |pieces, separator| {
                pieces.into_iter().flat_map(|piece| split(piece, separator)).filter(long_enough).collect()
            }),
        }
    }
}

fn separator(call: &Call, pattern: &str) -> Outcome<Longest> {
    let separator = Longest::new(call, pattern)?;
    match separator.matches_nothing() {
        true => Err(Fault::unsupported(format!("the separator `{pattern}`, which matches nothing as well"))),
        false => Ok(separator),
    }
}

/// The pieces of a text between separators.
fn split<'t>(text: &'t str, separator: &Longest) -> Vec<&'t str> {
    let places = separator.matches(text);
    let starts = std::iter::once(0).chain(places.iter().map(|place| place.end));
    let ends = places.iter().map(|place| place.start).chain([text.len()]);
    starts.zip(ends).map(|(start, end)| &text[start..end]).collect()
}

fn tokenizer(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    if !(1..=2).contains(&input.rank()) {
        return Err(Fault::invalid(format!("a value of shape {:?}; it takes [C] or [N, C]", input.shape())));
    }
    let least = call.required("mincharnum", call.maybe_int("mincharnum")?)?;
    let least = usize::try_from(least).ok().filter(|&least| least > 0);
    let least = least.ok_or_else(|| Fault::invalid("attribute `mincharnum` is less than 1"))?;
    let pad = call.required("pad_value", call.maybe_text("pad_value")?)?;
    let marked = call.required("mark", call.maybe_int("mark")?)? != 0;
    let cut = Cut::new(call)?;
    let texts = call.elements::<String>(0)?;
    call.meter.work(input.bytes())?;
    let rows: Vec<Vec<&str>> = texts.iter().map(|text| cut.tokens(text, least)).collect();
    // Where no text has a token there are no marks either.
    let longest = match rows.iter().map(Vec::len).max().unwrap_or(0) {
        0 => 0,
        longest if marked => longest + MARKS.len(),
        longest => longest,
    };
    let mut extents = input.shape().to_vec();
    extents.push(longest);
    let count = call.room_for(&extents, ElementType::Text)?;
    call.meter.room_for_bytes((count as u64).saturating_mul(pad.len() as u64).saturating_add(input.bytes()))?;
    let mut tokens = Vec::with_capacity(shape::volume(&extents)?);
    for row in rows {
        let marks = if marked && longest > 0 { MARKS } else { ["", ""] };
        let start = marks.iter().take(1).filter(|mark| !mark.is_empty());
        let end = marks.iter().skip(1).filter(|mark| !mark.is_empty());
        let before = tokens.len();
        tokens.extend(start.chain(&row).chain(end).map(|token| (*token).to_string()));
        tokens.resize(before + longest, pad.to_string());
    }
    one(Tensor::new(extents, tokens))
}
