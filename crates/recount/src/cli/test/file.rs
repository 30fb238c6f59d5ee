//! A test file: statements and events that every test begins with, then the tests.
//!
//! ```text
//! file  = {step} test {test}
//! test  = TEST 'name' {step | then}
//! step  = statement ";" | AT 'time' | GIVEN topic [KEY 'key'] [TYPE 'type'] {event}
//! then  = THEN ERROR 'text'                                   -- of the GIVEN or statement before it
//!       | THEN entity "/" key [FOR VERSION n] {time} (row | NOTHING | STOPPED ['text'])
//!       | THEN query ";" ({row} | NOTHING | ERROR 'text')
//! event = JSON, an object or an array          row = a JSON object: column and value
//! time  = FOR (VALID_TIME | SYSTEM_TIME) AS OF ('time' | END OF 'date') | AS OF POSITION n
//! ```
//!
//! A file that is read here has nothing in it that would be passed over: what is not understood is an error.

use recount_store::time::{format_rfc3339, parse_date, parse_rfc3339};
use recount_types::Time;
use serde_json::{Map, Value};

use super::cursor::{Cursor, Malformed, Place, is_ordered};
use crate::cli::why::Asked;

/// What the clock shows until the first AT.
pub(super) const CLOCK_START: Time = Time(0);

const DAY_US: i64 = 86_400_000_000;

const STEPS: &str =
    "a step begins with TEST, AT, GIVEN or THEN, or is a statement: CREATE, ALTER, DROP or INSERT";
const TIME: &str = "a time such as '2024-01-02T09:00:00Z'";

/// A file.
#[derive(Debug)]
pub(super) struct TestFile {
    /// What every test begins with.
    pub(super) background: Vec<Step>,
    pub(super) tests: Vec<Test>,
}

/// One test.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    at: Place,
    pub(super) steps: Vec<Step>,
}

/// What is done or looked at, and where it stands.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) at: Place,
    pub(super) what: What,
}

/// What is done or looked at.
#[derive(Debug)]
pub(super) enum What {
    /// The clock is set.
    Clock(Time),
    /// Events are appended, all or none.
    Given(Given),
    /// A statement is run.
    Statement {
        text: String,
        /// It must be refused, with this in what is said.
        refused: Option<String>,
    },
    /// A row is looked at.
    Row(RowOf),
    /// A query is asked.
    Rows {
        query: String,
        /// The query says in which order its rows come.
        ordered: bool,
        expected: RowsExpected,
    },
}

/// Events of one append.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) topic: String,
    pub(super) key: Option<String>,
    pub(super) event_type: Option<String>,
    /// Payloads as they are written, and where.
    pub(super) events: Vec<(Place, String)>,
    /// It must be refused, with this in what is said.
    pub(super) refused: Option<String>,
}

/// A row of an entity.
#[derive(Debug)]
pub(super) struct RowOf {
    pub(super) entity: String,
    pub(super) key: String,
    pub(super) asked: Asked,
    pub(super) expected: RowExpected,
}

/// What a row must be.
#[derive(Debug)]
pub(super) enum RowExpected {
    /// There, with these values.
    Values(Map<String, Value>),
    /// Absent.
    Nothing,
    /// Stopped, with this in the reason.
    Stopped(Option<String>),
}

/// What a query must answer.
#[derive(Debug)]
pub(super) enum RowsExpected {
    /// These rows, all of the same columns; none at all.
    Rows(Vec<Map<String, Value>>),
    /// An error, with this in what is said.
    Error(String),
}

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<TestFile, Malformed> {
    let mut parser =
        Parser { cursor: Cursor::new(text), background: Vec::new(), tests: Vec::new(), clock: CLOCK_START };
    let mut clock_before_tests = None;
    loop {
        parser.cursor.skip_to_step()?;
        if parser.cursor.is_at_end() {
            break;
        }
        if parser.cursor.peek_word() == "TEST" {
            parser.is_whole()?;
            // Every test begins where the background ends.
            parser.clock = *clock_before_tests.get_or_insert(parser.clock);
            let test = parser.test()?;
            parser.tests.push(test);
        } else {
            parser.step()?;
        }
    }
    parser.is_whole()?;
    if parser.tests.is_empty() {
        let what = "the file has no test: begin one with TEST 'what must hold'";
        return Err(Malformed::at(parser.cursor.place(), what));
    }
    Ok(TestFile { background: parser.background, tests: parser.tests })
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    background: Vec<Step>,
    tests: Vec<Test>,
    /// What it shows where the parser is: it never goes back.
    clock: Time,
}

impl Parser<'_> {
    /// Checks that the test that ends here expects something.
    fn is_whole(&self) -> Result<(), Malformed> {
        let Some(test) = self.tests.last() else { return Ok(()) };
        let expects = |step: &Step| match &step.what {
            What::Clock(_) => false,
            What::Given(Given { refused, .. }) | What::Statement { refused, .. } => refused.is_some(),
            What::Row(_) | What::Rows { .. } => true,
        };
        if test.steps.iter().any(expects) {
            return Ok(());
        }
        let what = "this test expects nothing: say with THEN what must hold, such as THEN account/1 {\"balance\": 80.00}";
        Err(Malformed::at(test.at, what))
    }

    fn test(&mut self) -> Result<Test, Malformed> {
        let at = self.cursor.place();
        self.cursor.expect("TEST", "nothing")?;
        let name = self.cursor.quoted("the name of the test in single quotes behind TEST")?;
        if name.trim().is_empty() {
            return Err(Malformed::at(at, "a test has a name: write TEST 'what must hold'"));
        }
        if let Some(other) = self.tests.iter().find(|test| test.name == name) {
            let what = format!("the test in line {} has the same name: choose another one", other.at.line);
            return Err(Malformed::at(at, what));
        }
        Ok(Test { name, at, steps: Vec::new() })
    }

    fn push(&mut self, at: Place, what: What) {
        let steps = self.tests.last_mut().map_or(&mut self.background, |test| &mut test.steps);
        steps.push(Step { at, what });
    }

    fn step(&mut self) -> Result<(), Malformed> {
        let at = self.cursor.place();
        match self.cursor.peek_word().as_str() {
            "AT" => {
                let time = self.clock()?;
                self.push(at, What::Clock(time));
            }
            "GIVEN" => {
                let given = self.given()?;
                self.push(at, What::Given(given));
            }
            "THEN" => self.then(at)?,
            "CREATE" | "ALTER" | "DROP" | "INSERT" => {
                let text = self.cursor.statement("put a semicolon behind it")?.to_owned();
                self.push(at, What::Statement { text, refused: None });
            }
            "SELECT" | "WITH" | "VALUES" | "SHOW" | "EXPLAIN" => {
                let what =
                    "write THEN before a query, a semicolon behind it, and then the rows that it must have";
                return Err(Malformed::at(at, what));
            }
            "WHEN" => {
                let what = "WHEN is no step: AT 'time' sets the clock, and as of when a row is meant stands behind it, \
                            as in THEN account/1 FOR VALID_TIME AS OF '2024-01-31T12:00:00Z' {\"balance\": 80.00}";
                return Err(Malformed::at(at, what));
            }
            _ if matches!(self.cursor.peek(), Some('{' | '[')) => {
                let what = "JSON stands behind GIVEN topic, or behind THEN and what is looked at";
                return Err(Malformed::at(at, what));
            }
            _ => {
                return Err(Malformed::at(at, format!("found {}: {STEPS}", self.cursor.peek_shown())));
            }
        }
        Ok(())
    }

    fn clock(&mut self) -> Result<Time, Malformed> {
        self.cursor.expect("AT", "nothing")?;
        self.cursor.skip()?;
        let at = self.cursor.place();
        let text = self.cursor.quoted(&format!("{TIME} behind AT"))?;
        let time = parse_rfc3339(&text).map_err(|error| Malformed::at(at, error.to_string()))?;
        if time < self.clock {
            let shows = format_rfc3339(self.clock);
            let what = format!(
                "the clock shows {shows} here, and it does not go back: put the steps in the order in which they are recorded"
            );
            return Err(Malformed::at(at, what));
        }
        self.clock = time;
        Ok(time)
    }

    fn given(&mut self) -> Result<Given, Malformed> {
        self.cursor.expect("GIVEN", "nothing")?;
        self.cursor.skip()?;
        let at = self.cursor.place();
        let topic = self.name(Some('{'))?;
        if topic.is_empty() {
            let what =
                format!("found {}, expected the name of a topic behind GIVEN", self.cursor.peek_shown());
            return Err(Malformed::at(at, what));
        }
        let (mut key, mut event_type) = (None, None);
        loop {
            if self.cursor.eat("KEY")? {
                key = Some(self.cursor.quoted("the key in single quotes behind KEY")?);
            } else if self.cursor.eat("TYPE")? {
                event_type = Some(self.cursor.quoted("the type of the events in single quotes behind TYPE")?);
            } else {
                break;
            }
        }
        let mut events = Vec::new();
        while matches!(self.cursor.peek(), Some('{' | '[')) {
            let at = self.cursor.place();
            events.push((at, self.cursor.json()?.1.to_owned()));
            self.cursor.skip()?;
        }
        if events.is_empty() {
            let at = self.cursor.place();
            let what = match self.cursor.peek_word().as_str() {
                "AT" => format!("AT stands before what it is the time of: AT 'time' GIVEN {topic}"),
                _ => format!(
                    "found {}, expected events of {topic}: JSON, an event a line",
                    self.cursor.peek_shown()
                ),
            };
            return Err(Malformed::at(at, what));
        }
        Ok(Given { topic, key, event_type, events, refused: None })
    }

    /// A name up to a space: folded as in SQL, unless it is in double quotes.
    fn name(&mut self, stop: Option<char>) -> Result<String, Malformed> {
        if self.cursor.peek() != Some('"') {
            return Ok(self.cursor.until_space_or(stop).to_ascii_lowercase());
        }
        let (at, value) = (self.cursor.place(), self.cursor.json()?.0);
        value.as_str().map(str::to_owned).ok_or_else(|| Malformed::at(at, "this is not a name"))
    }

    fn then(&mut self, at: Place) -> Result<(), Malformed> {
        self.cursor.expect("THEN", "nothing")?;
        let Some(test) = self.tests.last_mut() else {
            return Err(Malformed::at(at, "THEN belongs to a test: begin one with TEST 'what must hold'"));
        };
        if self.cursor.eat("ERROR")? {
            let text = error_text(&mut self.cursor)?;
            let refused = match test.steps.last_mut().map(|step| &mut step.what) {
                Some(What::Given(Given { refused, .. }) | What::Statement { refused, .. }) => Some(refused),
                _ => None,
            };
            let Some(refused @ None) = refused else {
                let what =
                    "THEN ERROR stands right behind the GIVEN or the statement of its test that is refused";
                return Err(Malformed::at(at, what));
            };
            *refused = Some(text);
            return Ok(());
        }
        self.cursor.skip()?;
        let what = match self.cursor.peek_word().as_str() {
            "SELECT" | "WITH" | "VALUES" | "SHOW" => self.rows()?,
            _ => self.row()?,
        };
        self.push(at, what);
        Ok(())
    }

    fn rows(&mut self) -> Result<What, Malformed> {
        let query = self.cursor.statement("put a semicolon between the query and its rows")?.to_owned();
        let ordered = is_ordered(&query);
        let expected = if self.cursor.eat("NOTHING")? {
            RowsExpected::Rows(Vec::new())
        } else if self.cursor.eat("ERROR")? {
            RowsExpected::Error(error_text(&mut self.cursor)?)
        } else {
            let mut rows: Vec<Map<String, Value>> = Vec::new();
            while self.cursor.peek() == Some('{') {
                let at = self.cursor.place();
                let row = self.values()?;
                if let Some(first) = rows.first()
                    && (first.len() != row.len() || first.keys().any(|name| !row.contains_key(name)))
                {
                    let what = "this row does not name the columns that the first one names: all rows of a query name the same";
                    return Err(Malformed::at(at, what));
                }
                rows.push(row);
                self.cursor.skip()?;
            }
            if rows.is_empty() {
                let what = format!(
                    "found {}, expected the rows of the query, such as {{\"balance\": 80.00}} and one a line, or NOTHING, or ERROR 'text'",
                    self.cursor.peek_shown()
                );
                return Err(Malformed::at(self.cursor.place(), what));
            }
            RowsExpected::Rows(rows)
        };
        Ok(What::Rows { query, ordered, expected })
    }

    fn row(&mut self) -> Result<What, Malformed> {
        let (at, shown) = (self.cursor.place(), self.cursor.peek_shown());
        let entity = self.name(Some('/'))?;
        if entity.is_empty() || !self.cursor.eat_char('/') {
            let what = format!(
                "found {shown}, expected a row such as account/1, a query that begins with SELECT, WITH, VALUES or SHOW, or ERROR 'text'"
            );
            return Err(Malformed::at(at, what));
        }
        let key = match self.cursor.peek() {
            Some('\'') => self.cursor.quoted("a key")?,
            // As the key's text has no space.
            Some('[') => self.cursor.json()?.0.to_string(),
            _ => self.cursor.until_space_or(None).to_owned(),
        };
        if key.is_empty() {
            return Err(Malformed::at(at, format!("{entity}/ has no key: write it as {entity}/1")));
        }
        let asked = self.asked()?;
        let expected = if self.cursor.eat("NOTHING")? {
            RowExpected::Nothing
        } else if self.cursor.eat("STOPPED")? {
            self.cursor.skip()?;
            let has_text = self.cursor.peek() == Some('\'');
            RowExpected::Stopped(has_text.then(|| self.cursor.quoted("a text")).transpose()?)
        } else if self.cursor.peek() == Some('{') {
            RowExpected::Values(self.values()?)
        } else {
            let what = format!(
                "found {}, expected what {entity}/{key} must be: {{\"column\": value}}, NOTHING, or STOPPED 'reason'",
                self.cursor.peek_shown()
            );
            return Err(Malformed::at(self.cursor.place(), what));
        };
        Ok(What::Row(RowOf { entity, key, asked, expected }))
    }

    /// The values of a row by the names of its columns.
    fn values(&mut self) -> Result<Map<String, Value>, Malformed> {
        let at = self.cursor.place();
        match self.cursor.json()?.0 {
            Value::Object(values) => Ok(values),
            _ => Err(Malformed::at(at, "a row is a JSON object of columns and values")),
        }
    }

    /// Which version, and as of when.
    fn asked(&mut self) -> Result<Asked, Malformed> {
        let mut asked = Asked::default();
        loop {
            self.cursor.skip()?;
            let at = self.cursor.place();
            let twice = if self.cursor.eat("FOR")? {
                self.cursor.skip()?;
                match self.cursor.peek_word().as_str() {
                    "VERSION" => {
                        self.cursor.expect("VERSION", "FOR")?;
                        asked.version.replace(self.number("VERSION")?).is_some()
                    }
                    "VALID_TIME" => asked.valid_as_of.replace(self.as_of("VALID_TIME")?).is_some(),
                    "SYSTEM_TIME" => asked.system_as_of.replace(self.as_of("SYSTEM_TIME")?).is_some(),
                    _ => {
                        let what = format!(
                            "found {}, expected VALID_TIME, SYSTEM_TIME or VERSION behind FOR",
                            self.cursor.peek_shown()
                        );
                        return Err(Malformed::at(self.cursor.place(), what));
                    }
                }
            } else if self.cursor.eat("AS")? {
                self.cursor.expect("OF", "AS")?;
                if !self.cursor.eat("POSITION")? {
                    let what = "AS OF alone does not say which time is meant: write FOR VALID_TIME AS OF for what had happened, \
                                FOR SYSTEM_TIME AS OF for what was recorded, or AS OF POSITION and a number";
                    return Err(Malformed::at(at, what));
                }
                asked.position.replace(self.number("POSITION")?).is_some()
            } else {
                return Ok(asked);
            };
            if twice || (asked.position.is_some() && asked.system_as_of.is_some()) {
                return Err(Malformed::at(
                    at,
                    "a row is of one version, and as of one moment of each axis of time",
                ));
            }
        }
    }

    fn as_of(&mut self, axis: &str) -> Result<Time, Malformed> {
        self.cursor.expect(axis, "FOR")?;
        self.cursor.expect("AS", axis)?;
        self.cursor.expect("OF", "AS")?;
        let of_day = self.cursor.eat("END")?;
        if of_day {
            self.cursor.expect("OF", "END")?;
        }
        self.cursor.skip()?;
        let at = self.cursor.place();
        if of_day {
            let text = self.cursor.quoted("a date such as '2023-12-31' behind END OF")?;
            let what = || Malformed::at(at, format!("{text:?} is not a date: write it as 2023-12-31"));
            let days = parse_date(text.as_bytes()).ok_or_else(what)?;
            return Ok(Time((days + 1) * DAY_US - 1));
        }
        let text = self.cursor.quoted(&format!("{TIME}, or END OF '2023-12-31'"))?;
        parse_rfc3339(&text)
            .map_err(|error| Malformed::at(at, format!("{error}, or END OF and a date for the end of a day")))
    }

    fn number<N: std::str::FromStr>(&mut self, behind: &str) -> Result<N, Malformed> {
        self.cursor.skip()?;
        let (at, shown) = (self.cursor.place(), self.cursor.peek_shown());
        self.cursor
            .until_space_or(Some('{'))
            .parse()
            .map_err(|_| Malformed::at(at, format!("found {shown}, expected a number behind {behind}")))
    }
}

fn error_text(cursor: &mut Cursor<'_>) -> Result<String, Malformed> {
    cursor.skip()?;
    let at = cursor.place();
    let text = cursor.quoted("a piece of what is said in single quotes behind ERROR")?;
    if text.is_empty() {
        return Err(Malformed::at(at, "say which error: write a piece of its text behind ERROR"));
    }
    Ok(text)
}
