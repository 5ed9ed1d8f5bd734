//! `ML.PREDICT(MODEL m, TABLE t)`: the two arguments that no SQL parser knows, as ones that every parser knows.

use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// The same tokens with `MODEL m` as a text literal and `TABLE t` as a subquery, inside calls of `ml_predict` only.
pub(crate) fn lower(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut lowered = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        match call_of_ml_predict(tokens, at) {
            Some(open) => {
                lowered.extend_from_slice(&tokens[at..=open]);
                at = lower_arguments(tokens, open + 1, &mut lowered);
            }
            None => {
                lowered.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    lowered
}

/// The position of the parenthesis that opens the arguments, when a call of `ml_predict` or `ML.PREDICT` starts at `at`.
fn call_of_ml_predict(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    let mut next = at;
    if is_word(&tokens.get(next)?.token, "ML") {
        next = skip_space(tokens, next + 1);
        if tokens.get(next)?.token != Token::Period {
            return None;
        }
        next = skip_space(tokens, next + 1);
        if !is_word(&tokens.get(next)?.token, "PREDICT") {
            return None;
        }
    } else if !is_word(&tokens[next].token, "ML_PREDICT") {
        return None;
    }
    let open = skip_space(tokens, next + 1);
    (tokens.get(open)?.token == Token::LParen).then_some(open)
}

/// Lowers the arguments that start at `at` as far as they are ours; returns where the rest starts.
fn lower_arguments(tokens: &[TokenWithSpan], at: usize, lowered: &mut Vec<TokenWithSpan>) -> usize {
    let mut next = skip_space(tokens, at);
    if let Some((name, after)) = keyword_and_name(tokens, next, "MODEL") {
        let model = name.iter().map(name_part).collect();
        lowered.push(TokenWithSpan::new(Token::SingleQuotedString(model), tokens[next].span));
        next = skip_space(tokens, after);
    } else {
        // The model is a literal: everything up to the comma stays.
        while next < tokens.len() && !matches!(tokens[next].token, Token::Comma | Token::RParen) {
            lowered.push(tokens[next].clone());
            next += 1;
        }
    }
    if tokens.get(next).is_some_and(|token| token.token == Token::Comma) {
        lowered.push(tokens[next].clone());
        let table = skip_space(tokens, next + 1);
        next += 1;
        if let Some((name, after)) = keyword_and_name(tokens, table, "TABLE").or_else(|| bare_name(tokens, table)) {
            subquery(name, tokens[table].span, lowered);
            next = after;
        }
    }
    next
}

/// The words after `keyword` at `at` that make up a name, and where they end.
fn keyword_and_name<'a>(tokens: &'a [TokenWithSpan], at: usize, keyword: &str) -> Option<(&'a [TokenWithSpan], usize)> {
    if !is_word(&tokens.get(at)?.token, keyword) {
        return None;
    }
    let start = skip_space(tokens, at + 1);
    let length = tokens[start..]
        .iter()
        .take_while(|token| matches!(token.token, Token::Word(_) | Token::Period | Token::SingleQuotedString(_)))
        .count();
    (length > 0).then(|| (&tokens[start..start + length], start + length))
}

/// A name that is a whole argument.
fn bare_name(tokens: &[TokenWithSpan], at: usize) -> Option<(&[TokenWithSpan], usize)> {
    let length = tokens[at..].iter().take_while(|token| matches!(token.token, Token::Word(_) | Token::Period)).count();
    let after = at + length;
    let ended = matches!(tokens.get(skip_space(tokens, after))?.token, Token::Comma | Token::RParen);
    (length > 0 && ended).then(|| (&tokens[at..after], after))
}

fn subquery(table: &[TokenWithSpan], span: Span, lowered: &mut Vec<TokenWithSpan>) {
    let space = || Token::Whitespace(datafusion::sql::sqlparser::tokenizer::Whitespace::Space);
    let word = |text: &str| Token::make_keyword(text);
    let select = [Token::LParen, word("SELECT"), space(), Token::Mul, space(), word("FROM"), space()];
    lowered.extend(select.into_iter().map(|token| TokenWithSpan::new(token, span)));
    lowered.extend_from_slice(table);
    lowered.push(TokenWithSpan::new(Token::RParen, span));
}

fn name_part(token: &TokenWithSpan) -> String {
    match &token.token {
        Token::Word(Word { value, quote_style: None, .. }) => value.to_lowercase(),
        Token::Word(Word { value, .. }) | Token::SingleQuotedString(value) => value.clone(),
        other => other.to_string(),
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn skip_space(tokens: &[TokenWithSpan], from: usize) -> usize {
    (from..tokens.len()).find(|at| !matches!(tokens[*at].token, Token::Whitespace(_))).unwrap_or(tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tokens_of;

    fn lowered(text: &str) -> String {
        lower(&tokens_of(text).0).iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn model_and_table_become_a_literal_and_a_subquery() {
        assert_eq!(
            lowered("SELECT * FROM ML.PREDICT(MODEL Late, TABLE s.\"T\") p"),
            "SELECT * FROM ML.PREDICT('late',(SELECT * FROM s.\"T\")) p"
        );
        assert_eq!(
            lowered("FROM ml_predict ( MODEL m , (SELECT 1), STRUCT(0.5 AS threshold))"),
            "FROM ml_predict ('m', (SELECT 1), STRUCT(0.5 AS threshold))"
        );
        assert_eq!(lowered("FROM ml_predict('m', s.t)"), "FROM ml_predict('m',(SELECT * FROM s.t))");
        assert_eq!(lowered("FROM ml_predict('m', TABLE t)"), "FROM ml_predict('m',(SELECT * FROM t))");
    }

    #[test]
    fn other_uses_of_the_words_stay() {
        for text in ["SELECT model, m.table FROM t", "CREATE TABLE t (model INT)", "SELECT f(model, 1) FROM \"TABLE\""]
        {
            assert_eq!(lowered(text), text);
        }
    }
}
