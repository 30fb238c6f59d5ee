//! The command as a shell sees it, and the library as a program sees it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basics;
mod damage;
mod demo;
mod documents;
mod embedded;
mod import;
mod program;
mod served;
mod sql;
mod test_files;
