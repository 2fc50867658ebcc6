//! A page of metrics under way, in one of the two formats Prometheus reads.
//!
//! | | text, version 0.0.4 | OpenMetrics 1.0 |
//! |---|---|---|
//! | a counter's family | with `_total` | without |
//! | an info | is a gauge of 1 | has a type of its own, its family without `_info` |
//! | the end | is the end | is `# EOF` |
//!
//! Samples are the same in both. What is shown, and of whom, is not known here.

use std::fmt::{self, Display, Write as _};

use crate::tally::Distribution;

/// The form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// The kind of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only rises; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Always 1, and tells by its labels; its name ends in `_info`.
    Info,
    /// How long things took.
    Histogram,
}

/// Labels of a sample, each with its name.
pub(super) type Labels<'l> = &'l [(&'l str, &'l dyn Display)];

/// The page so far.
pub(super) struct Page {
    text: String,
    format: Format,
}

/// One family of a page; its samples follow each other.
pub(super) struct Family<'p> {
    text: &'p mut String,
    name: &'static str,
}

impl Format {
    /// What a client takes that sends this `Accept`.
    ///
    /// | it names | the page is |
    /// |---|---|
    /// | nothing, or other types | text |
    /// | OpenMetrics, no less wanted than plain text | OpenMetrics |
    /// | OpenMetrics, less than that or not at all | text |
    pub(super) fn of(accept: &str) -> Self {
        let wanted = |media: &str| {
            let ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
            let named = ranges.filter_map(|mut range| {
                let is_it = range.next()?.eq_ignore_ascii_case(media);
                let quality = range.find_map(|parameter| parameter.strip_prefix("q="));
                is_it.then(|| quality.map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0)))
            });
            named.fold(0.0, f64::max)
        };
        let of_open = wanted("application/openmetrics-text");
        match of_open > 0.0 && of_open >= wanted("text/plain") {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// What to call it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Begins a family of a name, which is that of its samples.
    pub(super) fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> Family<'_> {
        let (family, word) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => (without(name, "_total"), "counter"),
            (Format::OpenMetrics, Kind::Info) => (without(name, "_info"), "info"),
            (_, Kind::Counter) => (name, "counter"),
            (_, Kind::Gauge | Kind::Info) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
        };
        let text = &mut self.text;
        writeln!(text, "# HELP {family} {help}\n# TYPE {family} {word}").expect(NO_FAILURE);
        Family { text, name }
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, kind: Kind, name: &'static str, help: &str, value: f64) {
        self.family(kind, name, help).sample(&[], value);
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text += "# EOF\n";
        }
        self.text
    }
}

const NO_FAILURE: &str = "writing to a String does not fail";

fn without<'n>(name: &'n str, suffix: &str) -> &'n str {
    name.strip_suffix(suffix).unwrap_or(name)
}

impl Family<'_> {
    /// One sample.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.write("", labels, None, value).expect(NO_FAILURE);
    }

    /// All samples of a histogram, with the bounds from one to another, in seconds.
    pub(super) fn distribution(
        &mut self,
        labels: Labels<'_>,
        measured: &Distribution,
        bounds: std::ops::RangeInclusive<f64>,
    ) {
        let mut write = || {
            for (bound, count) in measured.cumulative().filter(|(bound, _)| bounds.contains(bound))
            {
                self.write("_bucket", labels, Some(&bound), count)?;
            }
            let count = measured.count();
            self.write("_bucket", labels, Some(&"+Inf"), count)?;
            self.write("_sum", labels, None, measured.sum_seconds())?;
            self.write("_count", labels, None, count)
        };
        write().expect(NO_FAILURE);
    }

    fn write(
        &mut self,
        suffix: &str,
        labels: Labels<'_>,
        bound: Option<&dyn Display>,
        value: impl Display,
    ) -> fmt::Result {
        let Self { text, name } = self;
        write!(text, "{name}{suffix}")?;
        let bound = bound.map(|bound| ("le", bound));
        for (number, (label, value)) in labels.iter().copied().chain(bound).enumerate() {
            let open = if number == 0 { '{' } else { ',' };
            write!(text, "{open}{label}=\"")?;
            write!(Escaped(text), "{value}")?;
            text.push('"');
        }
        if !labels.is_empty() || bound.is_some() {
            text.push('}');
        }
        writeln!(text, " {value}")
    }
}

/// Writes a label's value.
struct Escaped<'t>(&'t mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tally::Histogram;

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        let mut family = page.family(Kind::Counter, "a_total", "How often.");
        family.sample(&[], 7);
        family.sample(&[("x", &"1\\2"), ("y", &"say \"a\"\nb")], 0.5);
        page.family(Kind::Info, "b_info", "What.").sample(&[("version", &"1")], 1);
        page.single(Kind::Gauge, "c", "How much.", -1.0);
        let took = Histogram::default();
        took.add(Duration::from_micros(3), 2);
        took.add(Duration::from_millis(3), 1);
        let mut family = page.family(Kind::Histogram, "d_seconds", "How long.");
        family.distribution(&[("by", &"udp")], &took.read(), 2e-6..=8e-6);
        page.finish()
    }

    #[test]
    fn a_page_is_as_its_format_says() {
        let samples = |counter, info| {
            format!(
                "# HELP {counter} How often.\n# TYPE {counter} counter\na_total 7\n\
                 a_total{{x=\"1\\\\2\",y=\"say \\\"a\\\"\\nb\"}} 0.5\n\
                 # HELP {info}\n\
                 b_info{{version=\"1\"}} 1\n\
                 # HELP c How much.\n# TYPE c gauge\nc -1\n\
                 # HELP d_seconds How long.\n# TYPE d_seconds histogram\n\
                 d_seconds_bucket{{by=\"udp\",le=\"0.000002\"}} 0\n\
                 d_seconds_bucket{{by=\"udp\",le=\"0.000004\"}} 2\n\
                 d_seconds_bucket{{by=\"udp\",le=\"0.000008\"}} 2\n\
                 d_seconds_bucket{{by=\"udp\",le=\"+Inf\"}} 3\n\
                 d_seconds_sum{{by=\"udp\"}} 0.003006\nd_seconds_count{{by=\"udp\"}} 3\n"
            )
        };
        let text = samples("a_total", "b_info What.\n# TYPE b_info gauge");
        assert_eq!(page(Format::Text), text);
        let open = samples("a", "b What.\n# TYPE b info") + "# EOF\n";
        assert_eq!(page(Format::OpenMetrics), open);
    }

    #[test]
    fn the_format_is_what_is_asked_for() {
        for (accept, is_open) in [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", true),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
                true,
            ),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.9", false),
            ("application/openmetrics-text;q=0", false),
            ("text/plain;version=0.0.4;q=0.6,*/*;q=0.1", false),
            ("application/json", false),
        ] {
            assert_eq!(Format::of(accept) == Format::OpenMetrics, is_open, "{accept}");
        }
    }
}
