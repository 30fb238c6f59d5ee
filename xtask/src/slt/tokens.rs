//! Words of a statement, without its comments: enough to tell what it does and which tables it names. No parser.

/// One word, name, text, number or mark, where it stands in the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

impl Token<'_> {
    /// Whether it is this word, in capitals or not, or this mark.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// The name that it is: small unless quoted. `None` for a text, a number or a mark.
    pub(crate) fn name(&self) -> Option<String> {
        match self.text.as_bytes().first()? {
            b'"' => Some(self.text.trim_matches('"').replace("\"\"", "\"")),
            first if first.is_ascii_alphabetic() || *first == b'_' => Some(self.text.to_ascii_lowercase()),
            _ => None,
        }
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// All of them.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let rest = &sql[at..];
        let within = |test: fn(char) -> bool| rest.find(|c: char| !test(c)).unwrap_or(rest.len());
        let length = match byte {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with("--") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with("/*") => {
                at += rest.find("*/").map_or(rest.len(), |end| end + 2);
                continue;
            }
            quote @ (b'\'' | b'"') => quoted(rest, char::from(*quote)),
            byte if byte.is_ascii_digit() => within(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_'),
            byte if byte.is_ascii_alphabetic() || *byte == b'_' => {
                within(|c| c.is_alphanumeric() || c == '_' || c == '$')
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        found.push(Token { text: &rest[..length], at });
        at += length;
    }
    found
}

/// How long a quoted text is, in which a quote stands twice.
fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = text[at..].find(quote) {
        at += end + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// The place of the parenthesis that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Tokens in parts, between commas that are in no parenthesis.
pub(crate) fn parts<'a, 't>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let (mut depth, mut found, mut from) = (0, Vec::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 0 => {
                found.push(&tokens[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&tokens[from..]);
    found.retain(|part| !part.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_texts_and_marks_are_told_apart() {
        let sql = "SELECT a1, 'it''s, (b', \"C d\" -- no, e\nFROM /* f, */ t WHERE x >= 1.5e3";
        let texts: Vec<&str> = tokens(sql).iter().map(|token| token.text).collect();
        let expected = [
            "SELECT",
            "a1",
            ",",
            "'it''s, (b'",
            ",",
            "\"C d\"",
            "FROM",
            "t",
            "WHERE",
            "x",
            ">",
            "=",
            "1.5e3",
        ];
        assert_eq!(texts, expected);
        let names: Vec<Option<String>> = tokens("Ab \"Ab\" 'ab' 1").iter().map(Token::name).collect();
        assert_eq!(names, [Some("ab".to_owned()), Some("Ab".to_owned()), None, None]);
    }

    #[test]
    fn parts_are_between_outer_commas() {
        let all = tokens("(1, 'a,b'), (f(2, 3), 4)");
        assert_eq!(parts(&all).len(), 2);
        assert_eq!(closing(&all, 0), Some(4));
    }
}
