//! Reads what `strace -f -o FILE` wrote: calls with the place in the log where each began and ended. The
//! order of lines is the order in which strace stopped the threads, so a call that ended on an earlier
//! line than another began on really ended before.

use std::collections::HashMap;

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What stood between the brackets.
    pub(crate) arguments: String,
    /// What it returned; nothing if the process died in it.
    pub(crate) result: Option<i64>,
    /// Line on which it was entered.
    pub(crate) began: usize,
    /// Line on which it returned.
    pub(crate) ended: usize,
}

impl Call {
    /// The path of the file descriptor in the first argument, as `strace -y` prints it.
    pub(crate) fn file(&self) -> Option<&str> {
        let (_, rest) = self.arguments.split_once('<')?;
        rest.split_once('>').map(|(path, _)| path)
    }

    /// The last two arguments of `pwrite64`: length and offset.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        let mut from_the_end = self.arguments.rsplit(", ");
        let offset: u64 = from_the_end.next()?.parse().ok()?;
        let length: u64 = from_the_end.next()?.parse().ok()?;
        Some((offset, offset + length))
    }

    /// The string argument, as printed.
    pub(crate) fn string(&self) -> Option<&str> {
        let (_, rest) = self.arguments.split_once('"')?;
        rest.rsplit_once('"').map(|(text, _)| text)
    }
}

/// Every call in the log that returned, in the order in which they began.
pub(crate) fn parse(log: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, &str, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (number, line) in log.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some((_, after)) = rest.split_once(" resumed>") {
            if let Some((began, name, arguments)) = open.remove(thread) {
                calls.extend(finish(name, &[arguments, after], began, number));
            }
        } else if let Some((name, arguments)) = rest.split_once('(') {
            match arguments.strip_suffix(" <unfinished ...>") {
                Some(arguments) => drop(open.insert(thread, (number, name, arguments))),
                None => calls.extend(finish(name, &[arguments], number, number)),
            }
        }
    }
    calls.sort_by_key(|call| call.began);
    calls
}

fn finish(name: &str, parts: &[&str], began: usize, ended: usize) -> Option<Call> {
    let text = parts.concat();
    let (arguments, result) = text.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?.to_owned();
    let result = result.split(' ').next()?.parse().ok();
    Some(Call { name: name.to_owned(), arguments, result, began, ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_put_together_from_their_halves() {
        let log = "7  pwrite64(5</db/a>, \"RC\\1\"..., 4096, 8192 <unfinished ...>\n\
                   8  write(1</acks>, \"ack 0 1 2\\n\", 10) = 10\n\
                   7  <... pwrite64 resumed>) = 4096\n\
                   7  fdatasync(5</db/a>)               = -1 EIO (Input/output error) (INJECTED)\n\
                   7  fdatasync(5</db/a> <unfinished ...>\n\
                   7  +++ killed by SIGKILL +++\n";
        let calls = parse(log);
        assert_eq!(calls.len(), 3);
        assert_eq!((calls[0].name.as_str(), calls[0].began, calls[0].ended), ("pwrite64", 0, 2));
        assert_eq!((calls[0].file(), calls[0].range()), (Some("/db/a"), Some((8192, 12288))));
        assert_eq!((calls[1].string(), calls[1].result), (Some("ack 0 1 2\\n"), Some(10)));
        assert_eq!((calls[2].name.as_str(), calls[2].result), ("fdatasync", Some(-1)));
    }
}
