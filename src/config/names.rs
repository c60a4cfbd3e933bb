//! The PCs' names, and the forms in which each is recognised. Plain data.

use std::sync::Arc;

use crate::declension;

/// Longest name of a PC, in letters: Yandex hides a device with a longer one (docs/facts/smart_home.md, 4.5).
pub const MAX_AGENT_NAME: usize = 25;

/// The default of `AGENT_NAME`, the name of the PC of `API_KEY`.
pub const DEFAULT_NAME: &str = "компьютер";

/// Most forms of a name that may be configured: the six cases, twice over.
pub const MAX_FORMS: usize = 12;

/// Identifies a PC and its agent: its index in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentId(pub u8);

impl AgentId {
    /// The PC of a command that names none.
    pub const DEFAULT: Self = Self(0);
}

/// A PC's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The nominative, in lower case.
    word: String,
    /// The forms that it is recognised by, derived and configured, each as [`declension::plain`] writes it.
    forms: Vec<String>,
    /// Whether it may have forms that are neither configured nor derived.
    is_doubtful: bool,
}

impl Default for Name {
    fn default() -> Self {
        let forms = declension::forms(DEFAULT_NAME);
        Self { word: DEFAULT_NAME.to_owned(), forms, is_doubtful: false }
    }
}

impl Name {
    /// Parses a name, which further forms may follow: `узел|узла|узле`.
    ///
    /// # Errors
    /// The name is invalid. The message does not quote it.
    pub fn read(value: &str) -> Result<Self, String> {
        let mut words = value.split('|').map(|word| word.trim().to_lowercase());
        let word = words.next().unwrap_or_default();
        if word.is_empty() {
            return Err("has no name".into());
        }
        let written: Vec<_> = words.collect();
        if written.len() >= MAX_FORMS {
            return Err(format!("has more than {MAX_FORMS} forms of its name"));
        }
        let is_russian = |letter: char| ('а'..='я').contains(&letter) || letter == 'ё';
        let is_word = |word: &String| {
            (2..=MAX_AGENT_NAME).contains(&word.chars().count()) && word.chars().all(is_russian)
        };
        if !is_word(&word) || !written.iter().all(is_word) {
            return Err(format!(
                "has a name, or a form of it, that is not one word of 2 to {MAX_AGENT_NAME} Russian letters"
            ));
        }
        let is_doubtful = written.is_empty() && !declension::is_sure(&word);
        let mut forms = declension::forms(&word);
        forms.extend(written.iter().map(|form| declension::plain(form)));
        forms.sort();
        forms.dedup();
        match forms.iter().any(|form| RESERVED.contains(&form.as_str())) {
            true => Err("has a name that is, in one case or another, a word of the relay's own".into()),
            false => Ok(Self { word, forms, is_doubtful }),
        }
    }

    /// Returns the nominative, in lower case.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Whether the two share a form.
    pub fn clashes_with(&self, other: &Self) -> bool {
        self.forms.iter().any(|form| other.forms.contains(form))
    }
}

/// The names of all PCs, by [`AgentId`]. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Arc<[Name]>);

impl Default for Names {
    fn default() -> Self {
        Self::new(vec![Name::default()])
    }
}

impl Names {
    /// Creates the names; the first is [`AgentId::DEFAULT`]'s.
    pub fn new(names: Vec<Name>) -> Self {
        Self(names.into())
    }

    /// Returns the name of a PC.
    pub fn of(&self, agent: AgentId) -> &str {
        &self.0[usize::from(agent.0)].word
    }

    /// Returns a PC's name, if there are several PCs.
    pub fn among_several(&self, agent: AgentId) -> Option<&str> {
        (self.0.len() > 1).then(|| self.of(agent))
    }

    /// Finds a PC by any form of its name, in any case of letters.
    pub fn find(&self, name: &str) -> Option<AgentId> {
        let name = declension::plain(name);
        (0..)
            .map(AgentId)
            .zip(self.0.iter())
            .find(|(_, own)| own.forms.contains(&name))
            .map(|(agent, _)| agent)
    }

    /// Returns every PC with its name.
    pub fn all(&self) -> impl Iterator<Item = (AgentId, &str)> {
        (0..).map(AgentId).zip(self.0.iter().map(|name| name.word.as_str()))
    }

    /// Returns a warning for each name whose cases are uncertain, with the forms that are recognised.
    pub fn doubts(&self) -> Vec<String> {
        let are_several = self.0.len() > 1;
        let doubtful = self.0.iter().filter(|name| are_several && name.is_doubtful);
        let warning = |Name { word, forms, .. }: &Name| {
            format!(
                "The PC {word} is heard by no other form of its name than {}: if it is spoken otherwise in other cases, \
                 write them out, as часы|часов|часам|часами|часах, where its name stands (AGENTS or AGENT_NAME)",
                forms.join(", ")
            )
        };
        doubtful.map(warning).collect()
    }
}

/// Words that can't be names: they belong to the relay's own commands, or stand before a name.
const RESERVED: [&str; 9] = ["готово", "готова", "ответ", "помощь", "что", "ну", "на", "да", "нет"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogs::words;

    fn problem(value: &str) -> String {
        Name::read(value).unwrap_err()
    }

    #[test]
    fn a_name_is_heard_in_its_cases_and_in_the_forms_that_are_written_out() {
        let name = Name::read(" Часы | часов|Часам").unwrap();
        assert_eq!(
            (name.word(), &name.forms[..]),
            ("часы", &["часам", "часов", "часы"].map(String::from)[..])
        );
        let name = Name::read("узел|узлища").unwrap();
        assert!(
            ["узел", "узла", "узлом", "узлища"]
                .iter()
                .all(|form| name.forms.contains(&form.to_string()))
        );
    }

    #[test]
    fn a_pc_is_found_by_any_form_of_its_name_and_one_that_is_alone_too() {
        let names = Names::new(vec![Name::default(), Name::read("Узёл|узлища").unwrap()]);
        for (form, agent) in
            [("компьютер", 0), ("Компьютеру", 0), ("УЗЕЛ", 1), ("узла", 1), ("узлища", 1)]
        {
            assert_eq!(names.find(form), Some(AgentId(agent)), "{form}");
        }
        for other in ["", "ноутбук", "на узле"] {
            assert_eq!(names.find(other), None, "{other}");
        }
        assert_eq!(Names::default().find("компьютера"), Some(AgentId::DEFAULT));
    }

    #[test]
    fn a_form_is_a_word_as_a_name_is_and_there_are_twelve_at_most() {
        let forms = |count: usize| vec!["узел"; count].join("|");
        assert!(Name::read(&forms(MAX_FORMS)).is_ok());
        assert!(problem(&forms(MAX_FORMS + 1)).contains("more than 12 forms"));
        for value in ["узел|", "узел||узла", "узел|uzla", "узел|у", "узел|на узле"]
        {
            assert!(problem(value).contains("2 to 25 Russian letters"), "{value}");
        }
        assert!(problem("|узла").contains("no name") && problem("").contains("no name"));
    }

    #[test]
    fn no_form_may_be_a_word_of_the_relays_own() {
        for value in ["готово", "готов", "ответ", "узел|готова", "узел|да"]
        {
            assert!(problem(value).contains("the relay's own"), "{value}");
        }
        let first = |command: &'static str| command.split(' ').next().unwrap();
        assert!(words::all().map(first).all(|word| RESERVED.contains(&word)));
    }

    #[test]
    fn a_name_whose_cases_are_unsure_is_warned_of_among_several_unless_they_are_written_out() {
        let doubts = |second| Names::new(vec![Name::default(), Name::read(second).unwrap()]).doubts();
        let [warning] = &doubts("часы")[..] else { panic!("no warning") };
        assert!(
            warning.contains("The PC часы is heard by no other form of its name than часы:"),
            "{warning}"
        );
        assert!(doubts("часы|часах").is_empty() && doubts("узел").is_empty());
        assert!(Names::new(vec![Name::read("часы").unwrap()]).doubts().is_empty());
    }
}
