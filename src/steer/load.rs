//! What loads do to a choice: who weighs how much, and which sites leave clients to others.
//!
//! | who | goes by |
//! |---|---|
//! | `least-load` | weight × what is left until full, where it is what chooses: sites, or endpoints |
//! | a site with a capacity | (load − soft) / (hard − soft) of its clients go on to the next |
//! | `locality` | what is above `bound` × the mean load goes on to the next |
//!
//! A load counts only where every endpoint in the race has stated one lately; else plain weights
//! count and nothing is shed for it, and the standing says so.

use crate::health::Load;

use super::{ALL_CLIENTS, Contestant, Loads, PoolSite, Service};

/// A full endpoint keeps this much of its weight: with nobody better it must still be chosen.
const LEAST_HEADROOM: f64 = 0.01;

/// Weights by load are counted in thousandths of the configured ones.
const LOAD_SCALE: f64 = 1000.0;

/// Weighs contestants by their loads where the service does, and says how much each of its
/// sites sheds.
pub(super) fn weigh(
    service: &Service,
    contestants: &mut [Contestant],
    loads: &[Option<Load>],
) -> (Vec<PoolSite>, Loads) {
    let of_full = |load: Load| f64::from(load.per_mille()) / f64::from(Load::FULL.per_mille());
    let load_of = |c: &Contestant| loads[usize::from(c.index)].map(of_full);
    let all: Option<Vec<f64>> = contestants.iter().map(load_of).collect();
    let used = match (service.goes_by_load(), &all) {
        (false, _) => Loads::Unused,
        (true, Some(_)) => Loads::Used,
        (true, None) => Loads::Unknown,
    };
    let all = all.filter(|_| used == Loads::Used);
    let site_loads = site_loads(service, contestants, all.as_deref());
    let (of_sites, of_endpoints) = service.levels_by_load();
    let plain = site_weights(service, contestants);
    let mut by_load = contestants.to_vec();
    for (contestant, load) in by_load.iter_mut().zip(all.iter().flatten()) {
        let headroom = (1.0 - load).clamp(LEAST_HEADROOM, 1.0);
        let weight = contestant.weight.max(1) as f64 * headroom * LOAD_SCALE;
        contestant.weight = weight.round() as u64;
    }
    let weights = if of_sites { site_weights(service, &by_load) } else { plain };
    if of_endpoints {
        contestants.copy_from_slice(&by_load);
    }
    let mean = mean(site_loads.iter().flatten().copied());
    let sites = service.sites.iter().enumerate().map(|(ordinal, &(site, id))| {
        let load = site_loads[ordinal];
        let own = service.sheds.get(ordinal).map_or(0.0, |shed| shed.at(load));
        let bounded = match (&service.locality, load, mean) {
            (Some(locality), Some(load), Some(mean)) if load > 0.0 => {
                (1.0 - locality.bound * mean / load).clamp(0.0, 1.0)
            }
            _ => 0.0,
        };
        let shed = (own.max(bounded) * f64::from(ALL_CLIENTS)).round() as u32;
        PoolSite { site, id, shed, weight: weights[ordinal] }
    });
    (sites.collect(), used)
}

/// The sum of the weights at each site of the service.
fn site_weights(service: &Service, contestants: &[Contestant]) -> Vec<u64> {
    let mut sums = vec![0; service.sites.len()];
    for contestant in contestants {
        sums[usize::from(contestant.site)] += contestant.weight;
    }
    sums
}

/// The load of each site of the service: the mean of its endpoints', by weight.
fn site_loads(
    service: &Service,
    contestants: &[Contestant],
    loads: Option<&[f64]>,
) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0.0); service.sites.len()];
    for (contestant, load) in contestants.iter().zip(loads.unwrap_or_default()) {
        let (load_sum, weight_sum) = &mut sums[usize::from(contestant.site)];
        let weight = contestant.weight.max(1) as f64;
        *load_sum += load * weight;
        *weight_sum += weight;
    }
    sums.into_iter().map(|(load, weight)| (weight > 0.0).then(|| load / weight)).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
