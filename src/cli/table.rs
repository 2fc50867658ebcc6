//! Tables for people: columns that line up, no wider than the terminal, and words in colour.
//!
//! Colours go out as escape sequences always; `anstream` takes them away where nobody wants them:
//! outside of a terminal, or with `NO_COLOR`.

use anstyle::{AnsiColor, Style};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, TableStyle, Width};

/// Where the width is unknown: a pipe, a file.
const DEFAULT_WIDTH: u16 = 160;

/// No narrower than that, whatever the terminal: lines that wrap are better than words cut up.
const LEAST_WIDTH: u16 = 60;

/// How a word looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// As it should be.
    Good,
    /// Somebody should know of it.
    Odd,
    /// Somebody should see to it.
    Bad,
    /// A heading.
    Strong,
}

impl Tone {
    /// What stands before a painted word while a table is laid out. These characters have no width
    /// (Unicode calls them invisible operators).
    fn mark(self) -> Option<char> {
        match self {
            Self::Plain => None,
            Self::Good => Some('\u{2061}'),
            Self::Odd => Some('\u{2062}'),
            Self::Bad => Some('\u{2063}'),
            Self::Strong => Some('\u{2064}'),
        }
    }

    fn of_mark(mark: char) -> Option<Self> {
        let all = [Self::Good, Self::Odd, Self::Bad, Self::Strong];
        all.into_iter().find(|tone| tone.mark() == Some(mark))
    }

    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Odd => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Strong => Style::new().bold(),
        }
    }
}

/// Text with every word in a tone; [`finish`] makes colours of it.
pub(super) fn toned(text: &str, tone: Tone) -> String {
    let Some(mark) = tone.mark() else { return plain(text) };
    let words: Vec<String> = plain(text).split(' ').map(|word| format!("{mark}{word}")).collect();
    words.join(" ")
}

/// Text of a stranger, without what a terminal would take for an order.
pub(super) fn plain(text: &str) -> String {
    let is_kept = |c: &char| !c.is_control() && Tone::of_mark(*c).is_none();
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).filter(is_kept).collect()
}

/// A column.
pub(super) struct Column {
    /// Its heading.
    pub(super) name: &'static str,
    /// Whether it is kept whole; others are wrapped where room is short.
    pub(super) is_whole: bool,
}

/// Lays out rows under headings, for a terminal of this width; each row has a cell for each column.
/// Columns without any content are left out.
pub(super) fn lay_out(columns: &[Column], rows: &[Vec<String>], width: u16) -> String {
    let is_used = |at: &usize| rows.iter().any(|row| !row[*at].is_empty());
    let used: Vec<usize> = (0..columns.len()).filter(is_used).collect();
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header(used.iter().map(|&at| toned(columns[at].name, Tone::Strong)));
    for row in rows {
        table.add_row(used.iter().map(|&at| row[at].as_str()));
    }
    let constraints = used.iter().map(|&at| match columns[at].is_whole {
        true => ColumnConstraint::ContentWidth,
        false => ColumnConstraint::LowerBoundary(Width::Fixed(12)),
    });
    table.set_constraints(constraints.collect::<Vec<_>>());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// Puts colours in the place of marks.
pub(super) fn finish(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut style = None;
    for c in text.chars() {
        if let Some(tone) = Tone::of_mark(c) {
            style = Some(tone.style());
            out += &tone.style().render().to_string();
            continue;
        }
        if c.is_whitespace()
            && let Some(style) = style.take()
        {
            out += &style.render_reset().to_string();
        }
        out.push(c);
    }
    if let Some(style) = style {
        out += &style.render_reset().to_string();
    }
    out
}

/// How wide lines may be on standard output.
pub(super) fn width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let of_terminal = || rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let columns = columns.or_else(|| of_terminal().map(|size| size.ws_col));
    columns.filter(|columns| *columns > 0).unwrap_or(DEFAULT_WIDTH).max(LEAST_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "NAME", is_whole: true },
        Column { name: "NOTHING", is_whole: true },
        Column { name: "WHY", is_whole: false },
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |name: &str, why: &str| vec![name.to_owned(), String::new(), why.to_owned()];
        vec![row(&toned("frankfurt", Tone::Bad), "a long reason of many words"), row("x", "y")]
    }

    fn without_colours(text: &str) -> String {
        anstream::adapter::strip_str(&finish(text)).to_string()
    }

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        let wide = without_colours(&lay_out(COLUMNS, &rows(), 80));
        let lines: Vec<&str> = wide.lines().map(str::trim_end).collect();
        let [head, first, second] = lines[..] else { panic!("{wide}") };
        assert!(!head.contains("NOTHING"), "{wide}");
        let why = head.find("WHY");
        assert_eq!(first.find("a long reason of many words"), why, "{wide}");
        assert_eq!(second.find('y'), why, "{wide}");
    }

    #[test]
    fn lines_fit_the_terminal() {
        let narrow = without_colours(&lay_out(COLUMNS, &rows(), 30));
        assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
        assert!(narrow.contains("frankfurt") && narrow.lines().count() > 3, "{narrow}");
    }

    #[test]
    fn only_words_are_painted() {
        let painted = finish(&format!("a {} b", toned("down now", Tone::Bad)));
        assert_eq!(painted, "a \u{1b}[1m\u{1b}[31mdown\u{1b}[0m \u{1b}[1m\u{1b}[31mnow\u{1b}[0m b");
        assert_eq!(plain("a\u{1b}[31m\nb\u{2063}c"), "a[31m bc");
    }
}
