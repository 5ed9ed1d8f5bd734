//! Cutting a script into statements.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// One statement of a script and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement without its semicolon.
    pub text: String,
    /// Line of its first word, from 1.
    pub line: usize,
    /// Column of its first word, from 1, in characters.
    pub column: usize,
}

/// The statements of `script`, cut at semicolons outside quotes and comments. Empty ones are dropped.
///
/// A script that cannot be read to its end, because a quote is never closed, ends with a statement that holds the rest;
/// running it reports what is wrong with it.
pub fn split(script: &str) -> Vec<Statement> {
    let (tokens, _) = tokens_of(script);
    let lines = Lines::of(script);
    let mut statements = Vec::new();
    let mut first: Option<Location> = None;
    let mut add = |start: Location, end: usize| {
        let text = script[lines.offset(start)..end].trim_end().to_owned();
        let (line, column) = (start.line as usize, start.column as usize);
        statements.push(Statement { text, line, column });
    };
    for token in &tokens {
        match &token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon => {
                if let Some(start) = first.take() {
                    add(start, lines.offset(token.span.start));
                }
            }
            _ => first = first.or(Some(token.span.start)),
        }
    }
    let read_to = tokens.last().map_or(0, |token| lines.offset(token.span.end));
    let rest = &script[read_to..];
    let unread = read_to + (rest.len() - rest.trim_start().len());
    let start = first.or_else(|| (unread < script.len()).then(|| lines.location(unread)));
    if let Some(start) = start {
        add(start, script.len());
    }
    statements
}

/// True when `text` ends a statement: a semicolon outside quotes and comments is its last word.
pub fn is_complete(text: &str) -> bool {
    let (tokens, whole) = tokens_of(text);
    let last = tokens.iter().rev().find(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    whole && last.is_some_and(|token| token.token == Token::SemiColon)
}

/// Words that SQL keeps for itself, for completion.
pub fn keywords() -> &'static [&'static str] {
    ALL_KEYWORDS
}

/// The tokens of `text` as far as it can be read, and whether that is to the end.
pub(crate) fn tokens_of(text: &str) -> (Vec<TokenWithSpan>, bool) {
    let mut tokens = Vec::new();
    let whole = Tokenizer::new(&GenericDialect, text).tokenize_with_location_into_buf(&mut tokens).is_ok();
    (tokens, whole)
}

/// Byte offsets of the lines of a text.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn offset(&self, location: Location) -> usize {
        let line = (location.line as usize).saturating_sub(1);
        let Some(&start) = self.starts.get(line) else { return self.text.len() };
        let column = (location.column as usize).saturating_sub(1);
        self.text[start..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }

    fn location(&self, offset: usize) -> Location {
        let line = self.starts.partition_point(|start| *start <= offset);
        let column = self.text[self.starts[line - 1]..offset].chars().count() + 1;
        Location { line: line as u64, column: column as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<(String, usize, usize)> {
        split(script).into_iter().map(|statement| (statement.text, statement.line, statement.column)).collect()
    }

    #[test]
    fn cuts_outside_quotes_and_comments() {
        let script = "-- one; two\nSELECT ';', \"a;b\" /* ; */ ;;\n\n  SELECT 'é;',\n 2";
        assert_eq!(texts(script), [("SELECT ';', \"a;b\" /* ; */".into(), 2, 1), ("SELECT 'é;',\n 2".into(), 4, 3)]);
    }

    #[test]
    fn keeps_what_it_cannot_read_as_the_last_statement() {
        assert_eq!(texts("SELECT 1;\nSELECT 'open"), [("SELECT 1".into(), 1, 1), ("SELECT 'open".into(), 2, 1)]);
        assert_eq!(texts("SELECT 1;\n 'open"), [("SELECT 1".into(), 1, 1), ("'open".into(), 2, 2)]);
    }

    #[test]
    fn knows_when_a_statement_is_complete() {
        assert!(is_complete("SELECT 1;"));
        assert!(is_complete("SELECT 1; -- done"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT ';"));
        assert!(!is_complete("SELECT 1 /* ;"));
        assert!(!is_complete(""));
    }
}
