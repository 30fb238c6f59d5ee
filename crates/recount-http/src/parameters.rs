//! Parameters of a request: the query of its URL, and its headers, taken one after the other. What is left over
//! at the end is an error, so that a misspelt parameter is not ignored.

use axum::http::HeaderMap;
use recount_store::time::parse_rfc3339;
use recount_types::{Position, Time};

use crate::append::number;
use crate::problem::Problem;

/// What is wrong with a read as of a position and a time.
pub(crate) const TWICE_AS_OF: &str = "position and system_as_of both say as of when: give one of them";

/// As of when rows are read: of what was recorded up to a position or a time, and what was true at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsOf {
    pub(crate) position: Option<Position>,
    pub(crate) system: Option<Time>,
    pub(crate) valid: Option<Time>,
}

/// The parameters in the query of a URL.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    list: Vec<(String, Vec<u8>)>,
}

impl Parameters {
    /// Reads `a=1&b=x%2Fy`, in which `+` is a space, as forms write it.
    pub(crate) fn parse(query: Option<&str>) -> Result<Parameters, Problem> {
        let mut list = Vec::new();
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let decode = |text: &str| {
                percent_decoded(&text.replace('+', " ")).ok_or_else(|| {
                    Problem::bad_request(format!("in the query, {part:?} has a % without two hex digits"))
                })
            };
            list.push((String::from_utf8_lossy(&decode(name)?).into_owned(), decode(value)?));
        }
        Ok(Parameters { list })
    }

    /// Takes the value of a parameter that may be given once.
    pub(crate) fn take_bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let mut values = self.take_all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            count => Err(Problem::bad_request(format!(
                "the parameter {name} is given {count} times: give it once"
            ))),
        }
    }

    /// Takes the value of a parameter that may be given once, as text.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        self.take_bytes(name)?.map(|value| text(name, value)).transpose()
    }

    /// Takes the value of a parameter that may be given once and is read by `read`; `what` says what it must be.
    pub(crate) fn take_as<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let wrong = || Problem::bad_request(format!("the parameter {name} is {value:?}, it must be {what}"));
        read(&value).map(Some).ok_or_else(wrong)
    }

    /// Takes a position.
    pub(crate) fn take_position(&mut self, name: &str) -> Result<Option<Position>, Problem> {
        let what = "a position: digits, at most 9223372036854775807";
        Ok(self.take_as(name, what, number)?.map(Position))
    }

    /// Takes an instant.
    pub(crate) fn take_time(&mut self, name: &str) -> Result<Option<Time>, Problem> {
        self.take_as(name, "a time such as 2023-12-13T12:00:00Z", |text| parse_rfc3339(text).ok())
    }

    /// Takes as of when rows are read.
    pub(crate) fn take_as_of(&mut self) -> Result<AsOf, Problem> {
        self.refuse_bare_as_of("")?;
        let position = self.take_position("position")?;
        let system = self.take_time("system_as_of")?;
        if position.is_some() && system.is_some() {
            return Err(Problem::bad_request(TWICE_AS_OF));
        }
        Ok(AsOf { position, system, valid: self.take_time("valid_as_of")? })
    }

    /// Refuses `as_of`, which says of no axis that it is meant; `valid` is what is to be said of valid time.
    pub(crate) fn refuse_bare_as_of(&mut self, valid: &str) -> Result<(), Problem> {
        if self.take_bytes("as_of")?.is_none() {
            return Ok(());
        }
        Err(Problem::bad_request(format!(
            "as_of leaves open which time is meant. system_as_of: as recorded by that time; valid_as_of: as true at that \
             time{valid}. Or give position: as of that position"
        )))
    }

    /// Takes all values of a parameter that may be repeated, as texts.
    pub(crate) fn take_list(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        self.take_all(name).into_iter().map(|value| text(name, value)).collect()
    }

    /// Refuses what was not taken. `known` are the names that there are.
    pub(crate) fn finish(self, known: &[&str]) -> Result<(), Problem> {
        match self.list.first() {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(Problem::bad_request(format!("there is no parameter {name:?} here")))
            }
            Some((name, _)) => {
                let known = known.join(", ");
                Err(Problem::bad_request(format!("there is no parameter {name:?} here; there are {known}")))
            }
        }
    }

    fn take_all(&mut self, name: &str) -> Vec<Vec<u8>> {
        self.list.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }
}

/// A header that may be given once, as text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::bad_request(format!("the header {name} is given twice: give it once")));
    }
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some)
        .map_err(|_| Problem::bad_request(format!("the header {name} is not UTF-8: percent-encode it")))
}

/// A header that may be given once, percent-decoded as the HTTP binding of CloudEvents demands
/// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>, 3.1.3.2).
pub(crate) fn decoded_header(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let Some(value) = header(headers, name)? else { return Ok(None) };
    let decoded = percent_decoded(value);
    let decoded = decoded
        .ok_or_else(|| Problem::bad_request(format!("the header {name} has a % without two hex digits")))?;
    text(name, decoded).map(Some)
}

/// Bytes in which `%XX` stands for a byte and every other byte for itself; `None` if `XX` are not hex digits.
pub(crate) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    recount_types::name::decode_key(text)
}

fn text(name: &str, value: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(value).map_err(|_| Problem::bad_request(format!("{name} is not UTF-8")))
}
