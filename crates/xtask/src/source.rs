//! A Rust file split into code, comments and literals.
//!
//! Enough to count lines and find words, functions and items without being fooled by a brace in a string or a keyword
//! in a comment. It does not parse: types, macros and names stay unknown to it.

use std::ops::Range;

/// What a byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    /// A string or character, with its quotes.
    Literal,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// From the `fn` to the closing brace.
    pub span: Range<usize>,
}

/// One Rust file. Positions are byte offsets into its text.
pub struct Source<'a> {
    text: &'a str,
    kinds: Vec<Kind>,
    code: String,
}

impl<'a> Source<'a> {
    /// Splits `text`. Works on broken code too: what is not closed ends with the file.
    pub fn new(text: &'a str) -> Self {
        let kinds = kinds(text.as_bytes());
        let code = text
            .bytes()
            .zip(&kinds)
            .map(|(byte, kind)| if *kind == Kind::Code || byte == b'\n' { byte } else { b' ' })
            .collect();
        let code =
            String::from_utf8(code).expect("comments and literals begin and end at ASCII, so whole characters went");
        Self { text, kinds, code }
    }

    /// The text with blanks for comments and literals; every position is where it was.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The text itself.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The line of a position, counted from one.
    pub fn line(&self, position: usize) -> usize {
        line_of(self.text.as_bytes(), position)
    }

    /// How many lines hold code or a literal, not counting what starts in one of the `left_out` ranges.
    pub fn code_lines(&self, left_out: &[Range<usize>]) -> usize {
        let mut start = 0;
        let mut lines = 0;
        for line in self.text.split_inclusive('\n') {
            let counts = line.bytes().zip(start..).any(|(byte, position)| {
                !byte.is_ascii_whitespace() && self.kinds[position] != Kind::Comment && !within(left_out, position)
            });
            lines += usize::from(counts);
            start += line.len();
        }
        lines
    }

    /// Where `word` stands in the code, not as a part of a longer name.
    pub fn words<'s>(&'s self, word: &'s str) -> impl Iterator<Item = usize> + 's {
        let bytes = self.code.as_bytes();
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let before = at.checked_sub(1).map(|before| bytes[before]);
            let after = bytes.get(at + word.len()).copied();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }

    /// The items under `#[cfg(test)]`, with the attribute.
    pub fn test_items(&self) -> Vec<Range<usize>> {
        let code = self.code.as_str();
        code.match_indices("#[cfg(")
            .filter_map(|(start, _)| {
                let end = start + code[start..].find(']')? + 1;
                let condition = &code[start..end];
                let for_tests = condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "test");
                (for_tests && !condition.contains("not(test")).then(|| start..self.item_end(end))
            })
            .collect()
    }

    /// The items under a line `// tidy: table`, with that line.
    pub fn tables(&self) -> Vec<Range<usize>> {
        let marker = "// tidy: table";
        self.text
            .match_indices(marker)
            .filter(|(at, _)| self.kinds[*at] == Kind::Comment && self.line_starts_with(*at))
            .map(|(at, _)| at..self.item_end(at + marker.len()))
            .collect()
    }

    /// Every function with a body, an outer one before those inside it.
    pub fn functions(&self) -> Vec<Function<'_>> {
        let code = self.code.as_str();
        self.words("fn")
            .filter_map(|at| {
                let name = code[at + 2..].trim_start();
                let name = &name[..name.bytes().position(|byte| !is_word(byte)).unwrap_or(name.len())];
                let body = self.body_start(at)?;
                (!name.is_empty()).then(|| Function { name, span: at..self.item_end(body) })
            })
            .collect()
    }

    /// Whether only blanks stand before `position` in its line.
    fn line_starts_with(&self, position: usize) -> bool {
        let before = &self.text[..position];
        before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty())
    }

    /// The brace that opens the body of the function at `position`; a declaration has none.
    fn body_start(&self, position: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (at, byte) in self.code.bytes().enumerate().skip(position) {
            match byte {
                b'(' | b'[' => depth += 1,
                b')' | b']' => depth = depth.checked_sub(1)?,
                b'{' if depth == 0 => return Some(at),
                b';' | b'}' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    /// Where the item that follows `position` ends, its attributes included: after its block, or its semicolon.
    fn item_end(&self, position: usize) -> usize {
        let bytes = self.code.as_bytes();
        let mut at = position;
        loop {
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if !bytes[at..].starts_with(b"#[") {
                break;
            }
            at = matching_end(bytes, at + 1);
        }
        while let Some(byte) = bytes.get(at) {
            match byte {
                b';' => return at + 1,
                b'{' => return matching_end(bytes, at),
                b'(' | b'[' => at = matching_end(bytes, at),
                b'}' | b')' | b']' => return at,
                _ => at += 1,
            }
        }
        bytes.len()
    }
}

/// The line of a position in any file, counted from one.
pub fn line_of(content: &[u8], position: usize) -> usize {
    content[..position].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Whether one of the ranges holds the position.
pub fn within(ranges: &[Range<usize>], position: usize) -> bool {
    ranges.iter().any(|range| range.contains(&position))
}

/// The end of the group that opens at `open`: after its closing bracket, or the end of the file.
pub fn matching_end(code: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn kinds(text: &[u8]) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(text.len());
    while kinds.len() < text.len() {
        let (kind, length) = token(&text[kinds.len()..]);
        kinds.resize(kinds.len() + length, kind);
    }
    kinds
}

/// The kind and the length of what `rest` begins with.
fn token(rest: &[u8]) -> (Kind, usize) {
    match rest {
        [b'/', b'/', ..] => (Kind::Comment, until(rest, |byte| byte == b'\n')),
        [b'/', b'*', ..] => (Kind::Comment, block_comment(rest)),
        [b'"', ..] => (Kind::Literal, quoted(rest, b'"')),
        [b'\'', ..] => match character(rest) {
            Some(length) => (Kind::Literal, length),
            // A lifetime.
            None => (Kind::Code, 1),
        },
        [first, ..] if is_word(*first) => word(rest),
        _ => (Kind::Code, 1),
    }
}

/// A name, a number, or the raw string whose prefix looks like a name. `b"..."` is `b` and a string.
fn word(rest: &[u8]) -> (Kind, usize) {
    let length = until(rest, |byte| !is_word(byte));
    if matches!(&rest[..length], b"r" | b"br" | b"cr") {
        let hashes = until(&rest[length..], |byte| byte != b'#');
        if rest.get(length + hashes) == Some(&b'"') {
            let start = length + hashes + 1;
            let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            let inside = rest[start..].windows(end.len()).position(|window| window == end);
            return (Kind::Literal, inside.map_or(rest.len(), |inside| start + inside + end.len()));
        }
    }
    (Kind::Code, length)
}

fn until(rest: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a quoted text with backslash escapes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'\\' => Some(quoted(rest, b'\'')),
        first => {
            let width = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                0xf0.. => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_code(text: &str, expected: &str) {
        assert_eq!(Source::new(text).code(), expected);
    }

    #[test]
    fn comments_are_no_code() {
        assert_code("a // { \"\nb", "a       \nb");
        assert_code("a /* x /* { */ y */ b", "a                   b");
        assert_code("a /* never closed", "a                ");
        assert_code("//! module\nmod a;", "          \nmod a;");
    }

    #[test]
    fn strings_are_no_code() {
        assert_code(r#"f("{ // ")"#, "f(       )");
        assert_code(r#"f("a\"{", b"}")"#, "f(      , b   )");
        assert_code(r##"f(r#"a " { \"#, x)"##, "f(            , x)");
        assert_code(r#"f(br"\", x)"#, "f(     , x)");
        assert_code("f(\"é{\")", "f(     )");
        assert_code("f(\"one\ntwo\")", "f(    \n    )");
    }

    #[test]
    fn characters_are_not_lifetimes() {
        assert_code("f('{', '\\'', '\\u{7b}', b'\"')", "f(   ,     ,         , b   )");
        assert_code("f('é', 'x')", "f(    ,    )");
        assert_code("fn f<'a>(x: &'a str, y: &'static [u8]) {}", "fn f<'a>(x: &'a str, y: &'static [u8]) {}");
    }

    #[test]
    fn raw_names_are_code() {
        assert_code("r#type(r#\"x\"#)", "r#type(      )");
        assert_code("for\"x\"", "for   ");
    }

    #[test]
    fn lines_of_code_leave_out_comments_blanks_and_tests() {
        let text =
            "//! Doc.\n\nfn f() { // why\n}\n/* a\n b */\nconst T: &str = \"a\n// b\";\n#[cfg(test)]\nmod tests {\n}\n";
        let source = Source::new(text);
        assert_eq!(source.code_lines(&source.test_items()), 4);
        assert_eq!(source.code_lines(&[]), 7);
    }

    #[test]
    fn test_items_end_where_the_item_ends() {
        let text = "a;\n#[cfg(test)]\n#[expect(x, reason = \"}\")]\nmod tests {\n fn f() { g(); }\n}\nb;\n#[cfg(test)]\nuse c;\nd;";
        let source = Source::new(text);
        let items: Vec<&str> = source.test_items().into_iter().map(|range| &text[range]).collect();
        assert_eq!(items.len(), 2);
        assert!(items[0].ends_with("g(); }\n}"), "{}", items[0]);
        assert_eq!(items[1], "#[cfg(test)]\nuse c;");
        assert_eq!(Source::new("#[cfg(not(test))]\nmod a {}").test_items(), []);
        assert_eq!(Source::new("#[cfg(feature = \"test\")]\nmod a {}").test_items(), []);
        assert_eq!(Source::new("#[cfg(all(test, unix))]\nmod a {}").test_items().len(), 1);
    }

    #[test]
    fn a_table_is_the_item_under_its_marker() {
        let text = "// tidy: table\n/// Doc.\nconst T: [u8; 2] = [\n 1,\n 2,\n];\nlet x = \"// tidy: table\";\n";
        let source = Source::new(text);
        assert_eq!(source.tables().len(), 1);
        assert_eq!(source.code_lines(&source.tables()), 1);
        let match_table = Source::new("// tidy: table\nfn f() {\n a;\n}\nb;\n");
        assert_eq!(match_table.code_lines(&match_table.tables()), 1);
    }

    #[test]
    fn functions_know_their_body() {
        let text = "trait T { fn declared(&self, x: [u8; 3]) -> u8; }\nfn one<F: Fn(u8) -> u8>(f: F) -> [u8; 2]\nwhere\n F: Copy,\n{\n let g: fn(u8) = |_| {};\n fn two() {}\n}\n";
        let source = Source::new(text);
        let found: Vec<_> = source
            .functions()
            .into_iter()
            .map(|function| {
                (function.name.to_owned(), source.line(function.span.start), source.line(function.span.end))
            })
            .collect();
        assert_eq!(found, [("one".to_owned(), 2, 8), ("two".to_owned(), 7, 7)]);
    }

    #[test]
    fn words_are_whole() {
        let source = Source::new("unsafe { unsafe_op(not_unsafe, \"unsafe\") } // unsafe");
        assert_eq!(source.words("unsafe").collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn broken_code_ends_with_the_file() {
        for text in
            ["fn f(", "fn f() {", "\"open", "'\\", "r#\"open", "#[cfg(test)]", "#[cfg(", "// tidy: table", "'", ")}]"]
        {
            let source = Source::new(text);
            let _ = (source.functions(), source.test_items(), source.tables(), source.code_lines(&[]));
        }
    }
}
