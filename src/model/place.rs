//! Where things are: a pair of degrees on the globe, and the distance between two.

use std::fmt;

use thiserror::Error;

/// Mean Earth radius in kilometres (IUGG).
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A point on the globe; latitude within ±90, longitude within ±180 degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coordinates {
    latitude: f64,
    longitude: f64,
}

/// Why two numbers are no place on the globe.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum CoordinatesError {
    #[error("latitude {0} is outside -90 to 90 degrees")]
    Latitude(f64),
    #[error("longitude {0} is outside -180 to 180 degrees")]
    Longitude(f64),
}

impl Coordinates {
    /// A point from degrees.
    ///
    /// # Errors
    /// When a number is not finite or out of range.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, CoordinatesError> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(CoordinatesError::Latitude(latitude));
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(CoordinatesError::Longitude(longitude));
        }
        Ok(Self { latitude, longitude })
    }

    /// Degrees north of the equator.
    pub fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich.
    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// Great-circle distance by the haversine formula, in kilometres.
    pub fn distance_km(self, other: Self) -> f64 {
        let (lat1, lat2) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_lat = (lat2 - lat1) / 2.0;
        let half_lon = (other.longitude - self.longitude).to_radians() / 2.0;
        let h = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
        2.0 * EARTH_RADIUS_KM * h.clamp(0.0, 1.0).sqrt().asin()
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}, {:.2}", self.latitude, self.longitude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_match_known_city_pairs() {
        let at = |lat, lon| Coordinates::new(lat, lon).unwrap();
        for (a, b, km) in [
            (at(51.5074, -0.1278), at(40.7128, -74.0060), 5570.2),
            (at(35.6762, 139.6503), at(-33.8688, 151.2093), 7826.0),
            (at(10.0, 179.5), at(10.0, -179.5), 109.5),
            (at(0.0, 0.0), at(0.0, 180.0), 20015.1),
        ] {
            assert!((a.distance_km(b) - km).abs() < 5.0, "{a} to {b}: {}", a.distance_km(b));
        }
    }

    #[test]
    fn refuses_points_off_the_globe() {
        assert!(Coordinates::new(90.1, 0.0).is_err());
        assert!(Coordinates::new(0.0, -180.5).is_err());
        assert!(Coordinates::new(f64::NAN, 0.0).is_err());
    }
}
