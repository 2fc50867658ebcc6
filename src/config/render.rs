//! Reports for the terminal: rustc's form, by annotate-snippets.
//!
//! Whether the terminal takes colours is for the caller to find out.

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use super::diagnostic::{Diagnostic, Diagnostics, Place};

/// How a report is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dress {
    /// Text alone.
    Plain,
    /// With ANSI colours.
    Ansi,
}

impl Diagnostics {
    /// One block per error and a last line that counts them; each block's first line can be
    /// searched for by key. Ends in a newline.
    pub fn render(&self, dress: Dress) -> String {
        let renderer = match dress {
            Dress::Plain => Renderer::plain(),
            Dress::Ansi => Renderer::styled(),
        };
        let mut report = String::new();
        for diagnostic in self.iter() {
            report.push_str(&renderer.render(&groups(diagnostic)));
            report.push_str("\n\n");
        }
        report.push_str(&normalize_untrusted_str(&self.summary()));
        report.push('\n');
        report
    }
}

fn groups(diagnostic: &Diagnostic) -> Vec<Group<'static>> {
    let title = Level::ERROR.primary_title(one_line(&diagnostic.title()));
    let path = one_line(&diagnostic.file.display().to_string());
    let error = match &diagnostic.place {
        None => title.element(Origin::path(path)),
        Some(Place { line, column, excerpt: None }) => {
            title.element(Origin::path(path).line(*line).char_column(*column))
        }
        Some(Place { line, excerpt: Some(excerpt), .. }) => title.element(
            Snippet::source(excerpt.text.clone())
                .path(path)
                .line_start(*line)
                .annotation(AnnotationKind::Primary.span(excerpt.start..excerpt.end)),
        ),
    };
    let advice = diagnostic.advice.as_deref().map(|advice| {
        Group::with_title(Level::HELP.secondary_title(normalize_untrusted_str(&one_line(advice))))
    });
    std::iter::once(error).chain(advice).collect()
}

/// Titles may hold what the user wrote; a newline in it would break the block's first line.
fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::{At, Source};

    fn sample() -> Diagnostics {
        let text = "[service.www]\n\tendpoints = [{ site = \"nope\" }]\n";
        let source = Source::new("meridian.toml", text.to_owned());
        let start = text.find("\"nope\"").unwrap();
        let at = At { key: "service.www.endpoints[0].site".to_owned(), span: start..start + 6 };
        let advice = Some("did you mean `seoul`?".to_owned());
        let mut all = Diagnostics::from(source.diagnostic(&at, "unknown site `nope`", advice));
        let zone_line = "www IN A 192.0.2.300";
        all.push(Diagnostic::at_line("zones/x.zone", 7, 10, Some(zone_line), "no IPv4 address"));
        all.push(Diagnostic::at_line("zones/y.zone", 7, 10, None, "no SOA record"));
        all.push(Diagnostic::about_file("zones/z.zone", "the file does not exist"));
        all
    }

    #[test]
    fn reports_in_the_form_of_rustc() {
        let expected = r#"error: service.www.endpoints[0].site: unknown site `nope`
 --> meridian.toml:2:24
  |
2 |     endpoints = [{ site = "nope" }]
  |                           ^^^^^^
  |
help: did you mean `seoul`?

error: no IPv4 address
 --> zones/x.zone:7:10
  |
7 | www IN A 192.0.2.300
  |          ^^^^^^^^^^^

error: no SOA record
--> zones/y.zone:7:10

error: the file does not exist
--> zones/z.zone

4 errors in meridian.toml, zones/x.zone, zones/y.zone and zones/z.zone
"#;
        assert_eq!(sample().render(Dress::Plain), expected);
    }

    #[test]
    fn colours_are_only_dress() {
        let coloured = sample().render(Dress::Ansi);
        assert!(coloured.contains("\u{1b}["));
        let mut bare = String::new();
        for (index, part) in coloured.split("\u{1b}[").enumerate() {
            bare.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        assert_eq!(bare, sample().render(Dress::Plain));
    }
}
