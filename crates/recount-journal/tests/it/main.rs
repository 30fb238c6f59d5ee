//! The whole journal on simulated machines and in memory: its life, crashes at every operation, damage at every byte.

mod crash;
mod damage;
mod failing;
mod life;
mod machine;
mod rolls;
