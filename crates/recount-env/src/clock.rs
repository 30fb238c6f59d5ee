//! Clocks. Units: microseconds.

/// The machine's clocks.
pub trait Clock: Send + Sync {
    /// Wall clock, µs since 1970-01-01T00:00:00Z. May jump either way.
    fn now_us(&self) -> i64;

    /// Time since boot including sleep (`CLOCK_BOOTTIME`), µs. Never goes back within one boot.
    fn boottime_us(&self) -> u64;

    /// Names this boot of the machine; boot times are comparable only within one.
    fn boot_id(&self) -> [u8; 16];
}
