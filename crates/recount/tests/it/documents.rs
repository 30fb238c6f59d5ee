//! Documents whose commands are run: what they show is what the program says.
//!
//! ```text
//!  sql NAME, json NAME   the block becomes a file of that name
//!  sql                   its statements are run on bank.db, all must do
//!  text                  right behind such a block: what it says
//!  console               commands behind `$ `, each with what it says
//! ```
//!
//! Commands run one after the other in one shell, on a terminal, so that output is as a person sees it. With
//! UPDATE_EXPECT=1 the documents are written anew: read the difference afterwards.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::{ExpectFile, expect_file};

use crate::program::Directory;

#[test]
fn the_tutorial() {
    check("tutorial", &expect_file!["../../../../docs/tutorial.md"]);
}

#[test]
fn the_recipes() {
    check("recipes", &expect_file!["../../../../docs/recipes.md"]);
}

#[test]
fn the_page_of_test_files() {
    check("test-files", &expect_file!["../../../../docs/test-files.md"]);
}

fn check(name: &str, document: &ExpectFile) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(format!("{name}.md"));
    let blocks = blocks(&fs::read_to_string(path).unwrap());
    let directory = Directory::new(&format!("document-{name}"));
    let commands = commands(&blocks, &directory);
    let said = run(&commands, &directory);
    document.assert_eq(&shown(&blocks, &said));
}

/// A part of a document: its lines, and what the fence around them says.
struct Block {
    /// `None` outside of fences.
    fence: Option<String>,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block { fence: None, lines: Vec::new() }];
    for line in text.lines() {
        let last = blocks.last_mut().unwrap();
        match line.strip_prefix("```") {
            Some(fence) if last.fence.is_none() => {
                blocks.push(Block { fence: Some(fence.to_owned()), lines: Vec::new() });
            }
            Some(_) => blocks.push(Block { fence: None, lines: Vec::new() }),
            None => last.lines.push(line.to_owned()),
        }
    }
    blocks
}

/// The commands of a document, in order; files that it shows are written.
fn commands(blocks: &[Block], directory: &Directory) -> Vec<String> {
    let mut commands = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let text = block.lines.join("\n") + "\n";
        match block.fence.as_deref().unwrap_or_default().split_once(' ') {
            Some((_, name)) => directory.write(name, &text),
            None if block.fence.as_deref() == Some("sql") => {
                let name = format!(".block-{number}.sql");
                directory.write(&name, &text);
                commands.push(format!("recount sql bank.db -f {name} || echo FAILED"));
            }
            None if block.fence.as_deref() == Some("console") => {
                commands.extend(typed(block).map(|(command, _)| command));
            }
            None => {}
        }
    }
    commands
}

/// What is typed in a block, and what follows it there. A command goes on in lines that begin with `> `.
fn typed(block: &Block) -> impl Iterator<Item = (String, &[String])> {
    let begins: Vec<usize> = (0..block.lines.len()).filter(|at| block.lines[*at].starts_with("$ ")).collect();
    assert_eq!(begins.first(), Some(&0), "a block of commands begins with one");
    let ends: Vec<usize> = begins.iter().copied().skip(1).chain([block.lines.len()]).collect();
    begins.into_iter().zip(ends).map(|(from, to)| {
        let more = block.lines[from + 1..to].iter().take_while(|line| line.starts_with("> ")).count();
        let command: Vec<&str> = block.lines[from..=from + more].iter().map(|line| &line[2..]).collect();
        (command.join("\n"), &block.lines[from..=from + more])
    })
}

/// What each command says.
fn run(commands: &[String], directory: &Directory) -> Vec<String> {
    let mut script = String::new();
    for command in commands {
        // What is told beside the output comes behind it; a bar of progress that comes and goes is not seen.
        writeln!(script, "printf '\\036'\n{{ {command}\n}} 2>.errors\ncat .errors").unwrap();
    }
    directory.write(".run.sh", &script);
    let program = PathBuf::from(env!("CARGO_BIN_EXE_recount"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", "sh .run.sh", "/dev/null"])
        .current_dir(directory.path())
        .env("PATH", path)
        .env_remove("RECOUNT_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    text.split('\u{1e}').skip(1).map(str::to_owned).collect()
}

/// The document with what its commands say.
fn shown(blocks: &[Block], said: &[String]) -> String {
    let mut said = said.iter();
    let mut text = String::new();
    let mut last: Option<&String> = None;
    for block in blocks {
        let Some(fence) = &block.fence else {
            if block.lines.iter().any(|line| !line.trim().is_empty()) {
                last = None;
            }
            text.extend(block.lines.iter().map(|line| format!("{line}\n")));
            continue;
        };
        writeln!(text, "```{fence}").unwrap();
        match fence.as_str() {
            "console" => {
                for (_, lines) in typed(block) {
                    text.extend(lines.iter().map(|line| format!("{line}\n")));
                    text += said.next().unwrap();
                }
            }
            "text" if last.is_some() => text += last.unwrap(),
            other => {
                text.extend(block.lines.iter().map(|line| format!("{line}\n")));
                if other == "sql" {
                    let said = said.next().unwrap();
                    assert!(!said.contains("FAILED"), "{}\n{said}", block.lines.join("\n"));
                    last = Some(said);
                }
            }
        }
        writeln!(text, "```").unwrap();
    }
    text
}
