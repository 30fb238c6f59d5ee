//! Scripts: statements with semicolons between them.

/// A statement of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    pub(super) text: &'a str,
    /// The line that it begins in, from 1.
    pub(super) line: usize,
}

/// The statements of a script, without their semicolons.
pub(super) fn statements(script: &str) -> Vec<Statement<'_>> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(end) = end_of_statement(&script[from..]) {
        push(&mut found, script, from, from + end);
        from += end + 1;
    }
    push(&mut found, script, from, script.len());
    found
}

/// Where the first statement of a text ends: at a semicolon that is in no text, name or comment.
pub(in crate::cli) fn end_of_statement(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b';' => return Some(at),
            quote @ (b'\'' | b'"') => at += 1 + bytes[at + 1..].iter().position(|byte| *byte == quote)?,
            b'-' if bytes[at..].starts_with(b"--") => {
                at += bytes[at..].iter().position(|byte| *byte == b'\n')?;
            }
            b'/' if bytes[at..].starts_with(b"/*") => at += 3 + text[at + 2..].find("*/")?,
            _ => {}
        }
        at += 1;
    }
    None
}

fn push<'a>(found: &mut Vec<Statement<'a>>, script: &'a str, from: usize, to: usize) {
    let text = &script[from..to];
    let begins = from + (text.len() - text.trim_start().len());
    let text = text.trim();
    let only_comments =
        text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with("--"));
    if !only_comments {
        found.push(Statement { text, line: script[..begins].matches('\n').count() + 1 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_that_are_in_nothing_else() {
        let script =
            "SELECT ';''; ' ;\n-- a comment; with one\nSELECT \"a;b\" /* ; */ ;;\n  SELECT 3\n-- the end";
        let found: Vec<_> =
            statements(script).into_iter().map(|statement| (statement.line, statement.text)).collect();
        assert_eq!(
            found,
            [
                (1, "SELECT ';''; '"),
                (2, "-- a comment; with one\nSELECT \"a;b\" /* ; */"),
                (4, "SELECT 3\n-- the end")
            ]
        );
        for open in ["SELECT 'a;", "SELECT \"a;", "SELECT /* ;", "SELECT -- ;"] {
            assert_eq!(end_of_statement(open), None, "{open}");
        }
    }
}
