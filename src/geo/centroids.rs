//! Where a country is, for records that name no better place.
//!
//! The points come from the keshvar crate (its data is that of the Ruby `countries` gem,
//! mostly the geometric middle of the land). For steering, the middle of the *people* is
//! wanted: the middle of Russia's land is nearer to Seoul than to Frankfurt, its people are
//! not. So [`CORRECTIONS`] stands before keshvar where keshvar's point is missing, or lies
//! more than some 550 km from the address-weighted middle of the country's networks (as
//! DB-IP City Lite of June 2026 has them). A corrected point is the main city or capital,
//! from common knowledge, unless its line says otherwise. Vietnam, whose people live at
//! both ends of it, keeps its middle.
//!
//! A country remains one point: whoever needs the difference between Vancouver and Toronto
//! needs a city database.

use keshvar::{Alpha2, Continent};

use super::AlphaCode;
use crate::model::Coordinates;

/// Code, latitude, longitude; in alphabetical order.
const CORRECTIONS: &[(&str, f64, f64)] = &[
    ("AN", 12.12, -68.93),  // Netherlands Antilles, withdrawn in 2010: Willemstad
    ("AO", -8.84, 13.29),   // Luanda
    ("AP", 35.00, 105.00),  // "Asia/Pacific" of older databases, as MaxMind had it
    ("AR", -34.60, -58.38), // Buenos Aires
    ("AU", -33.87, 151.21), // Sydney
    ("BR", -23.55, -46.63), // São Paulo
    ("CA", 43.65, -79.38),  // Toronto
    ("CD", -4.32, 15.31),   // Kinshasa
    ("CN", 34.75, 113.65),  // Zhengzhou, near the centre of population
    ("DZ", 36.75, 3.06),    // Algiers
    ("EU", 47.00, 8.00),    // "Europe" of older databases, as MaxMind had it
    ("FM", 6.92, 158.16),   // Palikir
    ("GL", 64.18, -51.72),  // Nuuk
    ("ID", -6.20, 106.85),  // Jakarta
    ("KI", 1.45, 173.03),   // Tarawa; keshvar names an uninhabited islet at the date line
    ("KZ", 43.24, 76.89),   // Almaty
    ("LY", 32.89, 13.19),   // Tripoli
    ("ML", 12.64, -8.00),   // Bamako
    ("MR", 18.08, -15.98),  // Nouakchott
    ("MZ", -25.97, 32.57),  // Maputo
    ("NE", 13.51, 2.11),    // Niamey
    ("NG", 6.45, 3.40),     // Lagos
    ("RU", 55.76, 37.62),   // Moscow
    ("SH", -15.93, -5.72),  // Jamestown
    ("TD", 12.13, 15.06),   // N'Djamena
    ("UK", 51.51, -0.13),   // reserved for the United Kingdom, whose code is GB: London
    ("US", 37.42, -92.35),  // centre of population, Census 2020
    ("XK", 42.66, 21.17),   // Kosovo, not in ISO 3166: Pristina
];

/// The point that stands for a country; `None` for codes that name no place, such as `ZZ`.
pub fn centroid(country: AlphaCode) -> Option<Coordinates> {
    let (latitude, longitude) = match correction(country) {
        Some(point) => point,
        None => {
            let geo = Alpha2::try_from(country.as_str()).ok()?.to_country().geo();
            (geo.latitude(), geo.longitude())
        }
    };
    Coordinates::new(latitude, longitude).ok()
}

fn correction(country: AlphaCode) -> Option<(f64, f64)> {
    let at = CORRECTIONS.binary_search_by(|(code, ..)| (*code).cmp(country.as_str())).ok()?;
    let (_, latitude, longitude) = CORRECTIONS[at];
    Some((latitude, longitude))
}

/// The continent a country is counted to.
pub fn continent(country: AlphaCode) -> Option<AlphaCode> {
    let code = match country.as_str() {
        "EU" | "UK" | "XK" => "EU",
        "AN" => "NA",
        // Geo databases and the United Nations count Turkey to Asia, keshvar to Europe.
        "AP" | "TR" => "AS",
        known => match Alpha2::try_from(known).ok()?.to_country().continent() {
            Continent::Africa => "AF",
            Continent::Antarctica => "AN",
            Continent::Asia => "AS",
            Continent::Australia => "OC",
            Continent::Europe => "EU",
            Continent::NorthAmerica => "NA",
            Continent::SouthAmerica => "SA",
        },
    };
    AlphaCode::new(code)
}

#[cfg(test)]
mod tests {
    use keshvar::CountryIterator;

    use super::*;

    fn code(text: &str) -> AlphaCode {
        AlphaCode::new(text).unwrap()
    }

    #[test]
    fn corrections_can_be_searched() {
        assert!(CORRECTIONS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn every_country_is_somewhere_and_never_at_null_island() {
        let mut count = 0;
        for country in CountryIterator::new() {
            let code = code(&country.alpha2().to_string());
            let point = centroid(code).unwrap_or_else(|| panic!("{code} is nowhere"));
            assert!(point.latitude() != 0.0 || point.longitude() != 0.0, "{code}");
            assert!(continent(code).is_some(), "{code}");
            count += 1;
        }
        assert_eq!(count, 249, "the officially assigned codes of ISO 3166-1");
    }

    #[test]
    fn knows_codes_outside_the_standard() {
        for (text, near) in [("XK", "RS"), ("EU", "CH"), ("UK", "GB"), ("AN", "CW"), ("AP", "CN")] {
            let (a, b) = (centroid(code(text)).unwrap(), centroid(code(near)).unwrap());
            assert!(a.distance_km(b) < 1000.0, "{text} at {a} is far from {near} at {b}");
            assert!(continent(code(text)).is_some(), "{text}");
        }
        for text in ["ZZ", "XX", "QQ"] {
            assert_eq!(centroid(code(text)), None, "{text}");
            assert_eq!(continent(code(text)), None, "{text}");
        }
    }

    #[test]
    fn people_not_land_decide() {
        let (seoul, frankfurt) = (centroid(code("KR")).unwrap(), centroid(code("DE")).unwrap());
        let russia = centroid(code("RU")).unwrap();
        assert!(russia.distance_km(frankfurt) < russia.distance_km(seoul));
    }
}
