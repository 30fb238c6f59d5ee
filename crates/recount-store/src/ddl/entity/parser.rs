//! From tokens to statements about entities, by recursive descent.

use super::super::error::ParseError;
use super::super::tokens::Tokens;
use super::{AlterEntity, CreateEntity, DropEntity};

pub(in crate::ddl) fn create_entity(
    _sql: &str,
    tokens: &mut Tokens,
    _or_replace: bool,
) -> Result<CreateEntity, ParseError> {
    Err(tokens.expected("the name of an entity"))
}

pub(in crate::ddl) fn alter_entity(tokens: &mut Tokens) -> Result<AlterEntity, ParseError> {
    Err(tokens.expected("the name of an entity"))
}

pub(in crate::ddl) fn drop_entity(tokens: &mut Tokens) -> Result<DropEntity, ParseError> {
    Err(tokens.expected("the name of an entity"))
}
