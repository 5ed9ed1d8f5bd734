//! `CREATE MODEL`, `DROP MODEL`, `SHOW MODELS`, `DESCRIBE MODEL`.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{DataType, Ident, Value};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::syntax_error;
use crate::error::Result;

/// A statement about models.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ModelStatement {
    Create(CreateModel),
    Drop { name: String, if_exists: bool },
    Show,
    Describe { name: String },
}

/// `CREATE MODEL`, in either spelling.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct CreateModel {
    pub(crate) name: String,
    pub(crate) or_replace: bool,
    pub(crate) temporary: bool,
    pub(crate) if_not_exists: bool,
    /// Names, and types where given, of the features.
    pub(crate) parameters: Option<Vec<Parameter>>,
    pub(crate) uri: String,
    /// Options by lower-case name; values as text.
    pub(crate) options: BTreeMap<String, String>,
}

/// One feature in a list of parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) data_type: Option<DataType>,
}

/// The statement about models that `tokens` are; `None` when they are something else.
pub(crate) fn parse(tokens: &[TokenWithSpan]) -> Result<Option<ModelStatement>> {
    let Some(kind) = kind_of(tokens) else { return Ok(None) };
    let mut parser = Parser::new(&GenericDialect).with_tokens_with_locations(tokens.to_vec());
    let statement = match kind {
        Kind::Create => parse_create(&mut parser).map(ModelStatement::Create),
        Kind::Drop => parse_drop(&mut parser),
        Kind::Show => skip_words(&mut parser, 2).map(|()| ModelStatement::Show),
        Kind::Describe => skip_words(&mut parser, 2).and_then(|()| {
            let name = parse_name(&mut parser)?;
            Ok(ModelStatement::Describe { name })
        }),
    };
    let ended = statement.and_then(|statement| {
        while parser.consume_token(&Token::SemiColon) {}
        match parser.peek_token().token {
            Token::EOF => Ok(statement),
            _ => parser.expected("the end of the statement", parser.peek_token()),
        }
    });
    ended.map(Some).map_err(|error| syntax_error(&error))
}

enum Kind {
    Create,
    Drop,
    Show,
    Describe,
}

/// Decides by the first words, so that every other statement stays the host's.
fn kind_of(tokens: &[TokenWithSpan]) -> Option<Kind> {
    let words: Vec<String> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .take(5)
        .map_while(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["CREATE", rest @ ..] => {
            let rest = rest.strip_prefix(&["OR", "REPLACE"]).unwrap_or(rest);
            let rest = rest.strip_prefix(&["TEMPORARY"]).or_else(|| rest.strip_prefix(&["TEMP"])).unwrap_or(rest);
            (rest.first() == Some(&"MODEL")).then_some(Kind::Create)
        }
        ["DROP", "MODEL", ..] => Some(Kind::Drop),
        ["SHOW", "MODELS"] => Some(Kind::Show),
        ["DESCRIBE" | "DESC", "MODEL", _, ..] => Some(Kind::Describe),
        _ => None,
    }
}

fn skip_words(parser: &mut Parser, count: usize) -> Result<(), ParserError> {
    for _ in 0..count {
        parser.next_token();
    }
    Ok(())
}

fn parse_create(parser: &mut Parser) -> Result<CreateModel, ParserError> {
    skip_words(parser, 1)?;
    let or_replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    let temporary = parser.parse_one_of_keywords(&[Keyword::TEMPORARY, Keyword::TEMP]).is_some();
    skip_words(parser, 1)?;
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let name = parse_name(parser)?;
    let parameters = if parser.peek_token().token == Token::LParen { Some(parse_parameters(parser)?) } else { None };
    let mut model = CreateModel { name, or_replace, temporary, if_not_exists, parameters, ..CreateModel::default() };
    if parser.parse_keyword(Keyword::FROM) {
        model.uri = match parser.next_token() {
            TokenWithSpan { token: Token::SingleQuotedString(uri), .. } => uri,
            other => return parser.expected("the path or address of the file in quotes", other),
        };
        if parser.parse_keyword(Keyword::WITH) || parser.parse_keyword(Keyword::OPTIONS) {
            model.options = parse_options(parser)?;
        }
    } else if parser.parse_keyword(Keyword::OPTIONS) {
        model.options = parse_options(parser)?;
        let Some(uri) = model.options.remove("model_path") else {
            return Err(ParserError::ParserError("OPTIONS lacks MODEL_PATH = '...'".to_owned()));
        };
        model.uri = uri;
    } else {
        return parser.expected("FROM 'path' or OPTIONS (MODEL_PATH = '...')", parser.peek_token());
    }
    Ok(model)
}

fn parse_drop(parser: &mut Parser) -> Result<ModelStatement, ParserError> {
    skip_words(parser, 2)?;
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = parse_name(parser)?;
    Ok(ModelStatement::Drop { name, if_exists })
}

/// An identifier, folded to lower case unless quoted.
fn parse_name(parser: &mut Parser) -> Result<String, ParserError> {
    let name = fold(parser.parse_identifier()?);
    if parser.peek_token().token == Token::Period {
        return Err(ParserError::ParserError(format!("a model's name has no schema, got `{name}.`")));
    }
    Ok(name)
}

fn fold(ident: Ident) -> String {
    if ident.quote_style.is_some() { ident.value } else { ident.value.to_lowercase() }
}

fn parse_parameters(parser: &mut Parser) -> Result<Vec<Parameter>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let parameters = parser.parse_comma_separated(|parser| {
        let name = fold(parser.parse_identifier()?);
        let bare = matches!(parser.peek_token().token, Token::Comma | Token::RParen);
        let data_type = if bare { None } else { Some(parser.parse_data_type()?) };
        Ok(Parameter { name, data_type })
    })?;
    parser.expect_token(&Token::RParen)?;
    Ok(parameters)
}

fn parse_options(parser: &mut Parser) -> Result<BTreeMap<String, String>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let pairs = parser.parse_comma_separated(|parser| {
        let name = parser.parse_identifier()?.value.to_lowercase();
        parser.expect_token(&Token::Eq)?;
        let value = match parser.peek_token().token {
            Token::Word(word) if !matches!(word.keyword, Keyword::TRUE | Keyword::FALSE) => {
                parser.parse_identifier()?.value
            }
            _ => match parser.parse_value()?.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text,
                other => other.to_string(),
            },
        };
        Ok((name, value))
    })?;
    parser.expect_token(&Token::RParen)?;
    let mut options = BTreeMap::new();
    for (name, value) in pairs {
        if options.insert(name.clone(), value).is_some() {
            return Err(ParserError::ParserError(format!("option `{name}` is given twice")));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tokens_of;

    fn statement(text: &str) -> Result<Option<ModelStatement>> {
        parse(&tokens_of(text).0)
    }

    fn created(text: &str) -> CreateModel {
        match statement(text) {
            Ok(Some(ModelStatement::Create(model))) => model,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn reads_every_clause_of_create() {
        let model = created(
            "create or replace temporary model if not exists Late (Dep_Delay double, \"Carrier\") from 'a b.onnx' \
             with (on_null = 'missing', label = late);",
        );
        assert!(model.or_replace && model.temporary && model.if_not_exists);
        assert_eq!((model.name.as_str(), model.uri.as_str()), ("late", "a b.onnx"));
        let parameters = model.parameters.unwrap_or_default();
        assert_eq!(parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["dep_delay", "Carrier"]);
        assert_eq!(parameters[0].data_type.as_ref().map(ToString::to_string).as_deref(), Some("DOUBLE"));
        assert_eq!(model.options["on_null"], "missing");
        assert_eq!(model.options["label"], "late");
    }

    #[test]
    fn reads_the_spelling_of_bigquery() {
        let model = created("CREATE MODEL m OPTIONS(MODEL_TYPE='ONNX', MODEL_PATH='gs://b/m.onnx')");
        assert_eq!(model.uri, "gs://b/m.onnx");
        assert_eq!(model.options["model_type"], "ONNX");
    }

    #[test]
    fn leaves_other_statements_to_the_host() {
        for text in ["CREATE TABLE model (a INT)", "SHOW TABLES", "DESCRIBE model", "DROP TABLE model", "SELECT 1", ""]
        {
            assert_eq!(statement(text).ok().flatten(), None, "{text}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        let errors: Vec<String> =
            ["CREATE MODEL m", "CREATE MODEL m FROM x", "DROP MODEL", "CREATE MODEL a.b FROM 'x'"]
                .iter()
                .map(|text| statement(text).expect_err(text).to_string())
                .collect();
        assert_eq!(
            errors,
            [
                "syntax error: Expected: FROM 'path' or OPTIONS (MODEL_PATH = '...'), found: EOF",
                "syntax error: Expected: the path or address of the file in quotes, found: x",
                "syntax error: Expected: identifier, found: EOF",
                "syntax error: a model's name has no schema, got `a.`",
            ]
        );
    }
}
