//! The grammar: the rules of `rules.txt`, and which of them a phrase follows. Plain data; it knows no action.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use crate::phrases::numbers::number;
use crate::phrases::time::{When, time};
use crate::phrases::words::plain;

/// The list whose words may stand anywhere.
const EMPTY: &str = "пустое";

/// Words of a phrase that may follow a rule: nobody needs more, and each could be tried as each part.
const MAX_WORDS: usize = 200;

/// What a phrase asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What stands at the left of the rule that it follows.
    pub action: &'a str,
    /// The lists whose words are in it.
    pub parts: Vec<&'a str>,
    pub number: Option<u32>,
    pub when: Option<When>,
    /// Which of the words are a name or a text.
    pub rest: Range<usize>,
}

/// The rules of the file.
pub static RULES: LazyLock<Rules> =
    LazyLock::new(|| Rules::parse(include_str!("rules.txt")).expect("a test reads these very rules"));

/// Rules, and the lists of words that they are made of.
#[derive(Debug, Default)]
pub struct Rules {
    lists: Vec<List>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct List {
    name: String,
    /// Each is one word or several.
    phrases: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Rule {
    action: String,
    parts: Vec<Part>,
    example: Option<String>,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    may_lack: bool,
}

#[derive(Debug)]
enum Kind {
    /// One of the phrases of the list at this place.
    List(usize),
    Number,
    Time,
    /// A time behind «на»: «на 40 минут».
    Span,
    /// Some words, as few as possible.
    Name,
    /// Any words, as many as possible.
    Text,
}

/// Words of a name.
const MAX_NAME: usize = 6;

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// The first line that can't be used.
    fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines.clone() {
            if let Some((name, phrases)) = line.split_once(" = ") {
                let phrases = tokens(phrases).iter().flat_map(|token| forms(token)).collect::<Vec<_>>();
                match rules.lists.iter_mut().find(|list| list.name == name) {
                    Some(list) => list.phrases.extend(phrases),
                    None => rules.lists.push(List { name: name.to_owned(), phrases }),
                }
            }
        }
        for line in lines.filter(|line| !line.contains(" = ")) {
            let rule = rules.rule(line).ok_or_else(|| line.to_owned())?;
            rules.rules.push(rule);
        }
        Ok(rules)
    }

    fn rule(&self, line: &str) -> Option<Rule> {
        let (action, rest) = line.split_once(" : ")?;
        let (parts, example) = match rest.split_once(" — «") {
            Some((parts, example)) => (parts, Some(example.strip_suffix('»')?.to_owned())),
            None => (rest, None),
        };
        let part = |token: &str| {
            let bare = token.strip_prefix('[').and_then(|token| token.strip_suffix(']'));
            let kind = match bare.unwrap_or(token) {
                "<число>" => Kind::Number,
                "<время>" => Kind::Time,
                "<срок>" => Kind::Span,
                "<имя>" => Kind::Name,
                "<текст>" => Kind::Text,
                name => Kind::List(self.lists.iter().position(|list| list.name == name)?),
            };
            Some(Part { kind, may_lack: bare.is_some() })
        };
        let parts = parts.split_whitespace().map(part).collect::<Option<Vec<_>>>()?;
        Some(Rule { action: action.to_owned(), parts, example })
    }

    /// Returns each example.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| rule.example.as_deref())
    }

    /// Returns the action of every rule.
    #[cfg(test)]
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.action)
    }

    /// Returns a phrase that follows the first rule with this action.
    #[cfg(test)]
    pub fn phrase_of(&self, action: &str) -> String {
        let rule = self.rules.iter().find(|rule| rule.action == action).expect("there is one");
        let needed = rule.parts.iter().filter(|part| !part.may_lack);
        let words = needed.map(|part| match part.kind {
            Kind::List(list) => self.lists[list].phrases[0].join(" "),
            Kind::Number => "7".into(),
            Kind::Time => "через час".into(),
            Kind::Span => "на час".into(),
            Kind::Name | Kind::Text => "пробел".into(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Whether these words are phrases of these lists, one behind another.
    pub fn is_of(&self, words: &[String], lists: &[&str]) -> bool {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut reached = vec![true];
        reached.resize(words.len() + 1, false);
        for at in 0..words.len() {
            let lists = self.lists.iter().filter(|list| lists.contains(&&*list.name));
            if reached[at] {
                lists.flat_map(|list| list.lengths(&words[at..])).for_each(|length| reached[at + length] = true);
            }
        }
        reached[words.len()]
    }

    /// Returns what a phrase of these words asks for: all of them belong to one rule, the first that fits.
    pub fn find(&self, spoken: &[String]) -> Option<Asked<'_>> {
        if spoken.len() > MAX_WORDS {
            return None;
        }
        let plain: Vec<String> = spoken.iter().map(|word| plain(word)).collect();
        let words: Vec<&str> = plain.iter().map(String::as_str).collect();
        self.rules.iter().find_map(|rule| {
            let mut search = Search { rules: self, rule, words: &words, failed: HashSet::new() };
            search.follow(0, 0, Asked { action: &rule.action, ..Asked::default() })
        })
    }

    /// Returns how many of the words say nothing, for each phrase that says nothing.
    fn empty<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
        self.lists.iter().filter(|list| list.name == EMPTY).flat_map(|list| list.lengths(words))
    }
}

/// Whether a phrase follows a rule.
struct Search<'a, 'w> {
    rules: &'a Rules,
    rule: &'a Rule,
    words: &'w [&'w str],
    /// From which word on, with which parts taken, the rest follows it not: each is tried once.
    failed: HashSet<(usize, u64)>,
}

impl<'a> Search<'a, '_> {
    /// Follows the rule, whose parts of the `used` bits are taken, from the word at `from` on. What may be any word comes
    /// after what may be some words only; but behind a first part a text begins at once, whatever its words.
    fn follow(&mut self, from: usize, used: u64, asked: Asked<'a>) -> Option<Asked<'a>> {
        if from == self.words.len() {
            let is_whole = (0..).zip(&self.rule.parts).all(|(place, part)| part.may_lack || used >> place & 1 == 1);
            return is_whole.then_some(asked);
        }
        if self.failed.contains(&(from, used)) {
            return None;
        }
        let found = self.take(from, used, &asked, |kind| !matches!(kind, Kind::Name | Kind::Text));
        let found = found.or_else(|| self.take(from, used, &asked, |kind| used > 0 && matches!(kind, Kind::Text)));
        let found = found.or_else(|| {
            let lengths: Vec<usize> = self.rules.empty(&self.words[from..]).collect();
            lengths.into_iter().find_map(|length| self.follow(from + length, used, asked.clone()))
        });
        let found = found.or_else(|| self.take(from, used, &asked, |kind| matches!(kind, Kind::Name | Kind::Text)));
        if found.is_none() {
            self.failed.insert((from, used));
        }
        found
    }

    /// Takes the words from there on for one of the wanted parts, and follows the rule on.
    fn take(&mut self, from: usize, used: u64, asked: &Asked<'a>, wanted: impl Fn(&Kind) -> bool) -> Option<Asked<'a>> {
        let parts = (0..).zip(&self.rule.parts).filter(|(place, part)| used >> place & 1 == 0 && wanted(&part.kind));
        parts.into_iter().find_map(|(place, part)| self.take_part(&part.kind, from, used | 1 << place, asked))
    }

    fn take_part(&mut self, kind: &'a Kind, from: usize, used: u64, asked: &Asked<'a>) -> Option<Asked<'a>> {
        let words = &self.words[from..];
        match kind {
            Kind::List(list) => self.rules.lists[*list].lengths(words).find_map(|length| {
                let mut asked = asked.clone();
                asked.parts.push(&self.rules.lists[*list].name);
                self.follow(from + length, used, asked)
            }),
            Kind::Number => number(words).and_then(|(number, length)| {
                self.follow(from + length, used, Asked { number: Some(number), ..asked.clone() })
            }),
            Kind::Time | Kind::Span => said(kind, words).and_then(|(when, length)| {
                self.follow(from + length, used, Asked { when: Some(when), ..asked.clone() })
            }),
            // What says nothing begins no name.
            Kind::Name if self.rules.empty(words).next().is_some() => None,
            Kind::Name => (1..=words.len().min(MAX_NAME)).find_map(|length| self.rest(from, length, used, asked)),
            Kind::Text => (1..=words.len()).rev().find_map(|length| self.rest(from, length, used, asked)),
        }
    }

    /// Takes so many words for a name or a text. «Не» in front of a phrase turns it round.
    fn rest(&mut self, from: usize, length: usize, used: u64, asked: &Asked<'a>) -> Option<Asked<'a>> {
        let rest = from..from + length;
        let turns_round = self.words[rest.clone()] == ["не"] && rest.end < self.words.len();
        if turns_round {
            return None;
        }
        self.follow(rest.end, used, Asked { rest, ..asked.clone() })
    }
}

impl List {
    /// Returns how many of the words are one of its phrases, for each that is.
    fn lengths<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
        let is_here = move |phrase: &&Vec<String>| {
            phrase.len() <= words.len() && phrase.iter().zip(words).all(|(own, word)| own == word)
        };
        self.phrases.iter().filter(is_here).map(Vec::len)
    }
}

/// Returns the time that words begin with.
fn said(kind: &Kind, words: &[&str]) -> Option<(When, usize)> {
    match (kind, words.first()) {
        (Kind::Span, Some(&"на")) => {
            time(&[&["через"], &words[1..]].concat()).or_else(|| time(&[&["в"], &words[1..]].concat()))
        }
        (Kind::Span, _) => None,
        _ => time(words),
    }
}

/// Splits at the spaces that stand outside of parentheses.
pub fn tokens(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(move |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ' ' && depth == 0
    })
    .filter(|token| !token.is_empty())
    .collect()
}

/// Returns the phrases of one token: `громкост(ь и)` is two, `на_паузу` one of two words.
pub fn forms(token: &str) -> Vec<Vec<String>> {
    written_out(token).iter().map(|phrase| phrase.split('_').map(plain).collect()).collect()
}

/// Returns a token with each of its ends.
fn written_out(token: &str) -> Vec<String> {
    let Some((stem, (ends, rest))) = token.split_once('(').and_then(|(stem, rest)| Some((stem, rest.split_once(')')?)))
    else {
        return vec![token.to_owned()];
    };
    let rests = written_out(rest);
    let ends = ends.split(' ').map(|end| if end == "-" { "" } else { end });
    ends.flat_map(|end| rests.iter().map(move |rest| [stem, end, rest].concat())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phrases::words::words;

    fn action(rules: &Rules, phrase: &str) -> Option<String> {
        rules.find(&words(phrase)).map(|asked| asked.action.to_owned())
    }

    #[test]
    fn the_order_is_free_and_nothing_may_be_left() {
        let rules = Rules::parse(
            "сделай = сдела(й йте)\nгромче = громче погром(- че)\nзвук = звук(- а) на_всю\nпустое = ну будь_добр\n\
             громче : громче [сделай] [звук] — «громче»\nна : громче <число>\n",
        )
        .unwrap();
        for phrase in ["громче", "сделай громче", "звук сделай погромче", "ну громче", "громче будь добр на всю"]
        {
            assert_eq!(action(&rules, phrase).as_deref(), Some("громче"), "{phrase}");
        }
        assert_eq!(action(&rules, "двадцать пять громче").as_deref(), Some("на"));
        for phrase in ["", "сделай", "звук", "громче громче", "громче всех", "не громче", "громче будь", "ну"]
        {
            assert_eq!(action(&rules, phrase), None, "{phrase}");
        }
    }

    #[test]
    fn a_line_that_can_not_be_used_is_told() {
        for line in ["громче громче", "громче : нет_такого", "а : [б"] {
            assert_eq!(Rules::parse(line).unwrap_err(), line);
        }
    }

    #[test]
    fn the_rules_can_be_read_and_each_example_follows_its_own() {
        for rule in &RULES.rules {
            let Some(example) = &rule.example else { continue };
            assert_eq!(action(&RULES, example).as_deref(), Some(&*rule.action), "{example}");
        }
        assert!(RULES.rules.iter().all(|rule| rule.parts.len() < 64 && rule.parts.iter().any(|p| !p.may_lack)));
    }
}
