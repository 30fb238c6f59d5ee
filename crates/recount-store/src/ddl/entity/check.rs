//! What a definition of an entity must fulfil by itself.
