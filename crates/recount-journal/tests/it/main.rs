//! The whole journal on simulated machines and in memory: its life, crashes at every operation, damage at every byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crash;
mod damage;
mod failing;
mod life;
mod machine;
mod rolls;
