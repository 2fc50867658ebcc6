//! Completions and manual pages are there for every subcommand, and real programs take them.

mod common;

use std::process::Command;

use common::{Folder, PROGRAM, has, meridian};

/// The subcommands below `path` that its help lists.
fn subcommands(path: &[&str]) -> Vec<String> {
    let output = meridian(&[path, &["--help"]].concat());
    assert!(output.status.success(), "{path:?}");
    let help = String::from_utf8(output.stdout).expect("text");
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The pages there should be for `path` and all below it.
fn pages(path: &[&str], into: &mut Vec<String>) {
    into.push(format!("{}.1", [&["meridian"], path].concat().join("-")));
    for name in subcommands(path) {
        pages(&[path, &[name.as_str()]].concat(), into);
    }
}

#[test]
fn every_subcommand_has_a_page() {
    let folder = Folder::new(&[]);
    let man = folder.path("share/man1");
    let output = meridian(&["man", man.to_str().expect("text")]);
    assert!(output.status.success(), "{output:?}");

    let mut wanted = Vec::new();
    pages(&[], &mut wanted);
    assert!(wanted.contains(&"meridian-explain.1".to_owned()), "{wanted:?}");
    wanted.sort();
    let there = std::fs::read_dir(&man).unwrap();
    let mut there: Vec<String> =
        there.map(|entry| entry.unwrap().file_name().into_string().expect("text")).collect();
    there.sort();
    assert_eq!(there, wanted);
    for page in &there {
        let text = std::fs::read_to_string(man.join(page)).unwrap();
        for heading in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(text.contains(heading), "{page} lacks {heading}");
        }
    }
}

#[test]
fn the_pages_are_good_roff() {
    if !has("groff") {
        return;
    }
    let folder = Folder::new(&[]);
    let man = folder.path("man1");
    assert!(meridian(&["man", man.to_str().expect("text")]).status.success());
    for entry in std::fs::read_dir(&man).unwrap() {
        let page = entry.unwrap().path();
        let arguments = ["-man", "-ww", "-z", "-Tutf8"];
        let output = Command::new("groff").args(arguments).arg(&page).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
}

#[test]
fn the_first_page_goes_to_standard_output() {
    let output = meridian(&["man"]);
    assert!(output.status.success());
    let page = String::from_utf8(output.stdout).expect("text");
    assert!(page.contains(".TH meridian 1"), "{page}");
}

/// What bash offers for the last of `words`, by the function the script defines.
fn offered_by_bash(words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let script = format!(
        "source <(\"$0\" completions bash) || exit 1
         complete -p meridian >/dev/null || exit 1
         COMP_WORDS=(\"$@\"); COMP_CWORD={last}
         _meridian meridian \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{}]}}\"
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        last - 1
    );
    let bash = Command::new("bash").args(["-c", &script, PROGRAM]).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&bash.stderr);
    assert!(bash.status.success() && said.is_empty(), "{said}");
    String::from_utf8(bash.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes() {
    if !has("bash") {
        return;
    }
    let offered = offered_by_bash(&["meridian", "exp"]);
    assert_eq!(offered, ["explain"]);
    let offered = offered_by_bash(&["meridian", "import", "--rep"]);
    assert_eq!(offered, ["--report"]);
    let all = offered_by_bash(&["meridian", ""]);
    for name in subcommands(&[]) {
        assert!(all.contains(&name), "bash does not offer {name}: {all:?}");
    }
}

#[test]
fn every_shell_has_its_script() {
    for (shell, sign) in [
        ("bash", "complete -F _meridian"),
        ("zsh", "#compdef meridian"),
        ("fish", "complete -c meridian"),
        ("elvish", "edit:completion:arg-completer[meridian]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let output = meridian(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).expect("text");
        assert!(script.contains(sign), "{shell} lacks {sign:?}");
    }
    assert_eq!(meridian(&["completions", "tcsh"]).status.code(), Some(2));
}
