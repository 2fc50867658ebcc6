//! The manual as tables: what steps come to together, beyond what each module tests of itself.

mod loads;
mod nested;
mod tiers;
