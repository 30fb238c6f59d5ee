//! Input line by line, none longer than what an event can hold: a file without line feeds does not fill memory.

use std::io::{self, BufRead, ErrorKind, Read};

use recount_types::limits::BATCH_BYTES_MAX;

/// Bytes of a line, its end included, at most.
pub(super) const LINE_BYTES_MAX: usize = BATCH_BYTES_MAX;

/// Reads the next line with its end; returns its bytes, 0 at the end of the input.
pub(super) fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    let read = input.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if read > LINE_BYTES_MAX {
        return Err(too_long());
    }
    Ok(read)
}

/// An error that says that a line, or a row over several lines, is too long.
pub(super) fn too_long() -> io::Error {
    let what = format!("it is longer than {LINE_BYTES_MAX} bytes, the limit of an event");
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_up_to_the_limit() {
        let longest = [vec![b'x'; LINE_BYTES_MAX - 1], vec![b'\n']].concat();
        let mut input = &[&longest[..], b"a\n", &longest, b"b"].concat()[..];
        let mut line = Vec::new();
        for expected in [&longest[..], b"a\n", &longest, b"b", b""] {
            assert_eq!(next_line(&mut input, &mut line).unwrap(), expected.len());
            assert_eq!(line, expected);
        }
        let longer = vec![b'x'; LINE_BYTES_MAX + 1];
        let error = next_line(&mut &longer[..], &mut line).unwrap_err();
        assert!(error.to_string().contains("longer than 1048576 bytes"), "{error}");
    }
}
