//! The cases of a Russian noun, so that a PC can be called by its name in any of them. Plain data, and a plain rule:
//! by the ending of the nominative singular alone, every form that a noun or an adjective with that ending has. Some
//! are forms of no word («ноутбукем»); nobody says them.

/// Returns a word as it is compared: in lower case, «ё» as «е», since the recogniser writes either.
pub fn plain(word: &str) -> String {
    word.to_lowercase().replace('ё', "е")
}

/// Returns every form of a noun whose nominative singular is `name`, each as [`plain`] writes it, the name among
/// them. A word that ends in и, у, ы, э or ю has no other.
pub fn forms(name: &str) -> Vec<String> {
    let name = plain(name);
    let mut forms = vec![name.clone()];
    for (ending, endings) in RULES {
        if let Some(stem) = name.strip_suffix(ending) {
            add(&mut forms, stem, endings);
        }
    }
    if name.ends_with(|last| CONSONANTS.contains(last)) {
        add(&mut forms, &name, HARD);
    }
    for (ending, left) in FLEETING {
        // «ток» has «тока», and «пень» has «пня».
        let is_left = |stem: &&str| stem.chars().count() > usize::from(*ending != "ень");
        if let Some(stem) = name.strip_suffix(ending).filter(is_left) {
            let soft = stem.ends_with(|last| VOWELS.contains(last)) && left.starts_with('ь');
            let left = if soft { left.replacen('ь', "й", 1) } else { (*left).to_owned() };
            let is_soft = left.ends_with('ь');
            let stem = format!("{stem}{}", left.trim_end_matches('ь'));
            add(&mut forms, &stem, if is_soft { SOFT } else { HARD });
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn add(forms: &mut Vec<String>, stem: &str, endings: &[&str]) {
    forms.extend(endings.iter().map(|ending| format!("{stem}{ending}")));
}

const VOWELS: &str = "аеиоуыэюя";
const CONSONANTS: &str = "бвгджзклмнпрстфхцчшщ";

/// «сервер», «ноутбук», «планшет»; «ем» behind ж, ц, ч, ш, щ.
const HARD: &[&str] = &["а", "у", "ом", "ем", "е"];

/// «день», behind the stem.
const SOFT: &[&str] = &["я", "ю", "ем", "е"];

/// Endings of the nominative, and what stands in their place in the other cases.
const RULES: &[(&str, &[&str])] = &[
    // «колонка», «спальня», «лаборатория»
    ("а", &["ы", "и", "е", "у", "ой", "ою", "ей", "ею"]),
    ("я", &["и", "е", "ю", "ей", "ею"]),
    ("ия", &["ии"]),
    // «гостиная», «домашняя»
    ("ая", &["ой", "ою", "ую", "ей", "ею"]),
    ("яя", &["ей", "ею", "юю"]),
    // «окно», «поле», «хранилище», «устройствие»
    ("о", &["а", "у", "ом", "е"]),
    ("е", &["я", "ю", "а", "у", "ем"]),
    ("ие", &["ии"]),
    // «домашнее», «рабочее», «главное»
    ("ое", &["ого", "ому", "ым", "им", "ом"]),
    ("ее", &["его", "ему", "им", "ем"]),
    // «музей», «планетарий»; «главный», «рабочий», «маленький», «большой»
    ("й", &["я", "ю", "ем", "е"]),
    ("ий", &["ии", "его", "ему", "им", "ем", "ого", "ому", "ом"]),
    ("ый", &["ого", "ому", "ым", "ом"]),
    ("ой", &["ого", "ому", "ым", "им", "ом"]),
    // «кабель», «панель», «ночь»; «имя»
    ("ь", &["я", "ю", "ем", "е", "и", "ью"]),
    ("мя", &["мени", "менем"]),
];

/// Vowels that go in every other case: «молоток», «орешек», «ларёк», «огонёк», «боец», «день».
const FLEETING: &[(&str, &str)] =
    &[("ок", "к"), ("ек", "к"), ("ек", "ьк"), ("ец", "ц"), ("ец", "ьц"), ("ень", "нь")];

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, and how each is said in the six cases.
    const TABLE: [&str; 46] = [
        "компьютер компьютера компьютеру компьютер компьютером компьютере",
        "ноутбук ноутбука ноутбуку ноутбук ноутбуком ноутбуке",
        "макбук макбука макбуку макбук макбуком макбуке",
        "сервер сервера серверу сервер сервером сервере",
        "телевизор телевизора телевизору телевизор телевизором телевизоре",
        "планшет планшета планшету планшет планшетом планшете",
        "десктоп десктопа десктопу десктоп десктопом десктопе",
        "моноблок моноблока моноблоку моноблок моноблоком моноблоке",
        "неттоп неттопа неттопу неттоп неттопом неттопе",
        "ноут ноута ноуту ноут ноутом ноуте",
        "комп компа компу комп компом компе",
        "кабинет кабинета кабинету кабинет кабинетом кабинете",
        "шкаф шкафа шкафу шкаф шкафом шкафе",
        "гараж гаража гаражу гараж гаражом гараже",
        "малыш малыша малышу малыша малышом малыше",
        "плеер плеера плееру плеер плеером плеере",
        "проектор проектора проектору проектор проектором проекторе",
        "колонка колонки колонке колонку колонкой колонке",
        "машина машины машине машину машиной машине",
        "приставка приставки приставке приставку приставкой приставке",
        "дача дачи даче дачу дачей даче",
        "кухня кухни кухне кухню кухней кухне",
        "спальня спальни спальне спальню спальней спальне",
        "студия студии студии студию студией студии",
        "лаборатория лаборатории лаборатории лабораторию лабораторией лаборатории",
        "гостиная гостиной гостиной гостиную гостиной гостиной",
        "детская детской детской детскую детской детской",
        "домашняя домашней домашней домашнюю домашней домашней",
        "рабочий рабочего рабочему рабочий рабочим рабочем",
        "главный главного главному главный главным главном",
        "маленький маленького маленькому маленький маленьким маленьком",
        "большой большого большому большой большим большом",
        "музей музея музею музей музеем музее",
        "планетарий планетария планетарию планетарий планетарием планетарии",
        "окно окна окну окно окном окне",
        "хранилище хранилища хранилищу хранилище хранилищем хранилище",
        "поле поля полю поле полем поле",
        "панель панели панели панель панелью панели",
        "ночь ночи ночи ночь ночью ночи",
        "король короля королю короля королем короле",
        "молоток молотка молотку молоток молотком молотке",
        "огонёк огонька огоньку огонёк огоньком огоньке",
        "боец бойца бойцу бойца бойцом бойце",
        "палец пальца пальцу палец пальцем пальце",
        "пень пня пню пень пнём пне",
        "радио радио радио радио радио радио",
    ];

    #[test]
    fn a_name_is_known_in_each_of_the_six_cases() {
        for line in TABLE {
            let said: Vec<_> = line.split(' ').collect();
            assert_eq!(said.len(), 6, "{line}");
            let forms = forms(said[0]);
            for word in said {
                assert!(forms.contains(&plain(word)), "{word} of {line}: {forms:?}");
            }
        }
    }

    #[test]
    fn the_plural_and_other_words_are_no_form() {
        for (name, others) in [
            ("ноутбук", &["ноутбуки", "ноутбуков", "ноутбукам", "ноут", "ноутбучек"][..]),
            ("сервер", &["серверы", "серверов", "серверная", "сервис"]),
            ("колонка", &["колонок", "колонкам", "колонна", "колон"]),
            ("спальня", &["спален", "спальням", "спальный", "спать"]),
            ("телевизор", &["телевизоры", "телевизоров", "теле"]),
            ("ток", &["тка", "тку"]),
            ("мини", &["мину", "мина", "миней"]),
        ] {
            let forms = forms(name);
            assert!(forms.contains(&name.to_owned()));
            for other in others {
                assert!(!forms.contains(&plain(other)), "{other} of {name}");
            }
        }
    }

    #[test]
    fn either_letter_is_the_same() {
        assert_eq!(plain("Ёлка"), "елка");
        assert!(forms("ёлка").contains(&plain("ёлкой")) && forms("елка").contains(&plain("ёлке")));
    }
}
