//! What a column most likely holds, by its name and type.
//!
//! Names are taken apart into words, so that `firstName`, `first_name` and `FIRSTNAME` are one.
//! English, German, French, Spanish, Italian, Portuguese, Dutch and Polish words are known.

use super::{ColumnRule, MaskName};
use crate::datum::ValueType;

/// A rule that a person should look at, with how sure the guess is.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The rule.
    pub rule: ColumnRule,
    /// What it rests on; `None` if the name says enough.
    pub doubt: Option<&'static str>,
}

/// What the words of a name stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Secret,
    Email,
    Phone,
    Address,
    Hardware,
    Network,
    FirstName,
    LastName,
    FullName,
    Street,
    City,
    Company,
    Postcode,
    Iban,
    Card,
    National(&'static str),
    Number,
    Url,
    Login,
    Latitude,
    Longitude,
    Birth,
    Money,
    Prose,
    Neutral,
}

/// Words by kind. The first kind with a match wins, so what is more telling stands first.
const WORDS: &[(Kind, &str)] = &[
    (
        Kind::Secret,
        "password passwd pwd passwort kennwort motdepasse contrasena contraseña senha wachtwoord \
         haslo secret token apikey api_key salt password_hash private_key otp pin cvv cvc",
    ),
    (
        Kind::Email,
        "email emails mail e_mail emailaddress mailadresse courriel correo mejl posta_elettronica",
    ),
    (Kind::Url, "url urls website homepage web_site webseite link href uri avatar_url"),
    (
        Kind::Address,
        "ip ips ip_address ipaddr ip_addr ipaddress ipv4 ipv6 remote_addr client_ip last_ip \
         ip_adresse adresse_ip direccion_ip indirizzo_ip",
    ),
    (Kind::Hardware, "mac mac_address macaddr mac_addr macaddress hwaddr bssid"),
    (Kind::Network, "user_agent useragent hostname"),
    (
        Kind::Phone,
        "phone phones telephone tel mobile cell cellphone fax telefon telefonnummer handy mobil \
         rufnummer portable telefono teléfono movil móvil celular cellulare telefone telefoon \
         komorka msisdn phonenumber phone_number whatsapp",
    ),
    (
        Kind::FirstName,
        "first_name firstname given_name givenname forename fname vorname prenom prénom \
         primer_nombre nombre nome_proprio voornaam imie imię middle_name middlename",
    ),
    (
        Kind::LastName,
        "last_name lastname surname family_name familyname lname nachname familienname \
         nom_de_famille nomfamille apellido apellidos cognome sobrenome apelido achternaam \
         nazwisko maiden_name",
    ),
    (
        Kind::Company,
        "company company_name employer firma firmenname unternehmen entreprise societe société \
         empresa azienda bedrijf przedsiebiorstwo organisation_name organization_name",
    ),
    (
        Kind::FullName,
        "full_name fullname display_name real_name person_name contact_name customer_name \
         user_full_name client_name patient_name employee_name account_holder cardholder \
         card_holder kontoinhaber nom_complet nombre_completo nome_completo beneficiary",
    ),
    (
        Kind::Street,
        "street street_address address addr address_line address1 address2 address_1 address_2 \
         line1 line2 strasse straße anschrift adresse rue direccion dirección calle indirizzo via \
         endereco endereço rua adres straat ulica shipping_address billing_address",
    ),
    (Kind::City, "city town ort stadt wohnort ville ciudad citta città cidade stad plaats miasto"),
    (
        Kind::Postcode,
        "zip zipcode zip_code postcode postal_code postalcode plz code_postal codigo_postal cap cep",
    ),
    (Kind::Iban, "iban"),
    (
        Kind::Card,
        "card_number credit_card creditcard credit_card_number cc_number ccnumber pan \
         kreditkarte kreditkartennummer carte_bancaire tarjeta",
    ),
    (Kind::National("us"), "ssn social_security social_security_number"),
    (Kind::National("gb"), "nino national_insurance national_insurance_number"),
    (Kind::National("fr"), "nir numero_securite_sociale"),
    (Kind::National("de"), "steuer_id steuerid steueridentifikationsnummer idnr"),
    (
        Kind::Number,
        "bic swift account_number bank_account konto kontonummer \
         sozialversicherungsnummer dni nie cpf cnpj nif pesel bsn codice_fiscale tax_id vat \
         vat_id vat_number tin passport passport_number reisepass personalausweis id_card \
         national_id license_number licence_number driving_licence license_plate kennzeichen \
         mrn patient_number insurance_number \
         versicherungsnummer imei imsi serial_number steuernummer",
    ),
    (
        Kind::Login,
        "username user_name login nick nickname handle benutzername pseudo usuario utente \
         gebruikersnaam screen_name skype twitter instagram",
    ),
    (Kind::Latitude, "latitude lat breitengrad latitud latitudine"),
    (Kind::Longitude, "longitude lon lng long laengengrad längengrad longitud longitudine"),
    (
        Kind::Birth,
        "birth birthday birthdate birth_date date_of_birth dob born geburtsdatum geburtstag \
         geboren naissance nacimiento nascita nascimento geboortedatum urodzenia data_urodzenia",
    ),
    (
        Kind::Money,
        "salary wage income balance gehalt lohn einkommen kontostand saldo salaire revenu solde \
         salario sueldo ingresos stipendio reddito salaris inkomen credit_limit net_worth",
    ),
    (
        Kind::Prose,
        "note notes comment comments remark remarks description body message messages text \
         content bio biography about memo feedback review reason notiz notizen bemerkung \
         bemerkungen beschreibung kommentar nachricht remarque commentaire notas comentario \
         descripcion descrizione commento opmerking uwagi opis diagnosis subject details",
    ),
    (
        Kind::Neutral,
        "id ids key uid guid oid code type kind status state flag version lang language locale \
         currency country country_code timezone tz count counter qty quantity quantite menge \
         anzahl total price preis prix precio amount rate percent position rank sort_order level \
         size weight width height sku category tag slug created updated deleted modified created_at \
         updated_at deleted_at at on date timestamp ts inserted expires active enabled disabled \
         verified confirmed is has method channel priority year month day week",
    ),
];

/// A name of something: of a person, if it is of one.
const NAMES: [&str; 5] = ["name", "nom", "nome", "naam", "nazwa"];

/// A last word that makes the column one about the thing, not the thing: `phone_type`.
const ABOUT: [&str; 8] =
    ["type", "kind", "status", "count", "verified", "confirmed", "enabled", "flag"];

/// Guesses the rule for a column. `value_type` is `None` for types that masks don't know.
pub fn guess(column: &str, value_type: Option<ValueType>) -> Guess {
    let kind = kind_of(column);
    let Some(value_type) = value_type else {
        let doubt = "no mask knows values of this type";
        return Guess { rule: ColumnRule::new(MaskName::Keep), doubt: Some(doubt) };
    };
    let sure = |mask| Guess { rule: ColumnRule::new(mask), doubt: None };
    let unsure = |mask| Guess {
        rule: ColumnRule::new(mask),
        doubt: Some("the name does not say what it holds"),
    };
    let number = |permutation| match kind {
        Some(Kind::Latitude) => sure(MaskName::Latitude),
        Some(Kind::Longitude) => sure(MaskName::Longitude),
        Some(Kind::Money) => sure(permutation),
        Some(Kind::Neutral) => sure(MaskName::Keep),
        _ => unsure(MaskName::Keep),
    };
    match value_type {
        _ if value_type.is_text() => match kind {
            Some(Kind::Neutral) => sure(MaskName::Keep),
            Some(Kind::National(country)) => {
                let mut guess = sure(MaskName::NationalId);
                guess.rule.options.country = Some(country.to_owned());
                guess
            }
            Some(kind) => sure(text_mask(kind)),
            None if words(column).last().is_some_and(|word| NAMES.contains(&word.as_str())) => {
                unsure(MaskName::FullName)
            }
            None => unsure(MaskName::Text),
        },
        ValueType::Int2 | ValueType::Int4 | ValueType::Int8 | ValueType::Money => match kind {
            Some(Kind::Card) if value_type == ValueType::Int8 => sure(MaskName::CreditCard),
            Some(
                Kind::Phone
                | Kind::Card
                | Kind::National(_)
                | Kind::Number
                | Kind::Money
                | Kind::Secret
                | Kind::Postcode,
            ) => sure(MaskName::Integer),
            Some(Kind::Neutral) => sure(MaskName::Keep),
            _ => unsure(MaskName::Keep),
        },
        ValueType::Numeric => match kind {
            Some(Kind::Card | Kind::National(_) | Kind::Number) => sure(MaskName::Numeric),
            _ => number(MaskName::Numeric),
        },
        ValueType::Float4 | ValueType::Float8 => number(MaskName::Redact),
        ValueType::Date => match kind {
            Some(Kind::Birth) => sure(MaskName::DateShift),
            Some(Kind::Neutral) => sure(MaskName::Keep),
            _ => unsure(MaskName::Keep),
        },
        ValueType::Timestamp
        | ValueType::TimestampTz
        | ValueType::Time
        | ValueType::TimeTz
        | ValueType::Interval => match kind {
            Some(Kind::Birth) => sure(MaskName::TimestampShift),
            Some(Kind::Neutral) => sure(MaskName::Keep),
            _ => unsure(MaskName::Keep),
        },
        ValueType::Bool => sure(MaskName::Keep),
        ValueType::Uuid => match kind {
            Some(Kind::Secret) => sure(MaskName::Uuid),
            _ => sure(MaskName::Keep),
        },
        // The type says it.
        ValueType::Inet => sure(MaskName::Ip),
        ValueType::Macaddr | ValueType::Macaddr8 => sure(MaskName::Mac),
        ValueType::Oid | ValueType::Xid8 | ValueType::PgLsn | ValueType::Snapshot => {
            sure(MaskName::Keep)
        }
        _ => match kind {
            Some(Kind::Neutral) => sure(MaskName::Keep),
            Some(_) => sure(telling_mask(value_type)),
            None => unsure(match value_type {
                ValueType::Char | ValueType::Enum | ValueType::Bit => MaskName::Keep,
                _ => telling_mask(value_type),
            }),
        },
    }
    .with_shift()
}

impl Guess {
    fn with_shift(mut self) -> Guess {
        match self.rule.mask {
            MaskName::DateShift => self.rule.options.days = Some(30),
            MaskName::TimestampShift => self.rule.options.seconds = Some(30 * 86_400),
            _ => {}
        }
        self
    }
}

/// The mask that changes values of a type which names seldom explain.
fn telling_mask(value_type: ValueType) -> MaskName {
    match value_type {
        ValueType::Char | ValueType::Ltree => MaskName::Alphanumeric,
        ValueType::Enum => MaskName::Enum,
        ValueType::Cidr => MaskName::Ip,
        ValueType::Bytea | ValueType::Bit => MaskName::Bytes,
        ValueType::Jsonpath => MaskName::Redact,
        _ => MaskName::Noise,
    }
}

fn text_mask(kind: Kind) -> MaskName {
    match kind {
        Kind::Secret => MaskName::Redact,
        Kind::Email => MaskName::Email,
        Kind::Phone => MaskName::Phone,
        Kind::FirstName => MaskName::FirstName,
        Kind::LastName => MaskName::LastName,
        Kind::FullName => MaskName::FullName,
        Kind::Street => MaskName::StreetAddress,
        Kind::City => MaskName::City,
        Kind::Address => MaskName::Ip,
        Kind::Hardware => MaskName::Mac,
        Kind::Company => MaskName::Company,
        Kind::Network | Kind::Postcode | Kind::Number => MaskName::Alphanumeric,
        Kind::Iban => MaskName::Iban,
        Kind::Card => MaskName::CreditCard,
        // With its country, where it is asked for.
        Kind::National(_) => MaskName::Alphanumeric,
        Kind::Url => MaskName::Url,
        Kind::Login => MaskName::Username,
        Kind::Birth | Kind::Money | Kind::Latitude | Kind::Longitude => MaskName::Digits,
        Kind::Prose => MaskName::Text,
        Kind::Neutral => MaskName::Keep,
    }
}

fn kind_of(column: &str) -> Option<Kind> {
    let words = words(column);
    let spaced = format!("_{}_", words.join("_"));
    let joined = words.concat();
    if words.last().is_some_and(|word| word == "id") && !names_number(&spaced, &joined) {
        return Some(Kind::Neutral);
    }
    if words.len() > 1 && words.last().is_some_and(|word| ABOUT.contains(&word.as_str())) {
        return Some(Kind::Neutral);
    }
    if matches!(words.first().map(String::as_str), Some("is" | "has")) {
        return Some(Kind::Neutral);
    }
    WORDS.iter().map(|&(kind, _)| kind).find(|&kind| is_listed(kind, &spaced, &joined))
}

/// True for `tax_id` and the like: numbers of a person that end as keys do.
fn names_number(spaced: &str, joined: &str) -> bool {
    is_listed(Kind::Number, spaced, joined) || is_listed(Kind::National("de"), spaced, joined)
}

fn is_listed(kind: Kind, spaced: &str, joined: &str) -> bool {
    WORDS.iter().filter(|&&(listed, _)| listed == kind).any(|(_, words)| {
        words.split_whitespace().any(|word| {
            spaced.contains(&format!("_{word}_"))
                || (word.chars().count() > 3 && word.replace('_', "") == joined)
        })
    })
}

/// Lower-case words of a name in snake, kebab or camel case, trailing numbers cut off.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        let starts = !c.is_alphanumeric() || (c.is_uppercase() && after_lower);
        if starts {
            words.push(String::new());
        }
        after_lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(column: &str, value_type: ValueType) -> MaskName {
        guess(column, Some(value_type)).rule.mask
    }

    #[test]
    fn knows_personal_columns_in_several_languages() {
        for (column, expected) in [
            ("email", MaskName::Email),
            ("contactEmail", MaskName::Email),
            ("E_MAIL", MaskName::Email),
            ("courriel", MaskName::Email),
            ("vorname", MaskName::FirstName),
            ("firstName", MaskName::FirstName),
            ("FIRSTNAME", MaskName::FirstName),
            ("prénom", MaskName::FirstName),
            ("apellidos", MaskName::LastName),
            ("telefon_privat", MaskName::Phone),
            ("shipping_address", MaskName::StreetAddress),
            ("ville", MaskName::City),
            ("iban", MaskName::Iban),
            ("website", MaskName::Url),
            ("user_name", MaskName::Username),
            ("login", MaskName::Username),
            ("card_number", MaskName::CreditCard),
            ("ssn", MaskName::NationalId),
            ("steuer_id", MaskName::NationalId),
            ("tax_id", MaskName::Alphanumeric),
            ("password_hash", MaskName::Redact),
            ("bemerkung", MaskName::Text),
            ("ip_address", MaskName::Ip),
            ("clientIp", MaskName::Ip),
            ("mac_address", MaskName::Mac),
            ("user_agent", MaskName::Alphanumeric),
            ("email_address", MaskName::Email),
        ] {
            assert_eq!(mask(column, ValueType::Text), expected, "{column}");
            assert_eq!(guess(column, Some(ValueType::Text)).doubt, None, "{column}");
        }
        assert_eq!(mask("pickup_lat", ValueType::Float8), MaskName::Latitude);
        assert_eq!(mask("longitude", ValueType::Numeric), MaskName::Longitude);
        assert_eq!(mask("card_number", ValueType::Int8), MaskName::CreditCard);
        let ssn = guess("ssn", Some(ValueType::Text)).rule;
        assert_eq!(ssn.options.country.as_deref(), Some("us"));
        assert_eq!(mask("geburtsdatum", ValueType::Date), MaskName::DateShift);
        assert_eq!(mask("born_at", ValueType::TimestampTz), MaskName::TimestampShift);
    }

    #[test]
    fn keeps_keys_and_states() {
        for (column, value_type) in [
            ("id", ValueType::Int8),
            ("email_id", ValueType::Int8),
            ("status", ValueType::Text),
            ("created_at", ValueType::TimestampTz),
            ("is_email_verified", ValueType::Text),
            ("phone_type", ValueType::Text),
            ("price", ValueType::Numeric),
        ] {
            let found = guess(column, Some(value_type));
            assert_eq!((found.rule.mask, found.doubt), (MaskName::Keep, None), "{column}");
        }
    }

    #[test]
    fn knows_what_types_hold() {
        for (column, value_type, expected) in [
            ("seen_from", ValueType::Inet, MaskName::Ip),
            ("nets", ValueType::Cidr, MaskName::Ip),
            ("device", ValueType::Macaddr8, MaskName::Mac),
            ("photo", ValueType::Bytea, MaskName::Bytes),
            ("location", ValueType::Point, MaskName::Noise),
            ("embedding", ValueType::Vector, MaskName::Noise),
            ("status", ValueType::Enum, MaskName::Keep),
            ("salary", ValueType::Money, MaskName::Integer),
            ("vorname", ValueType::Citext, MaskName::FirstName),
            ("lsn", ValueType::PgLsn, MaskName::Keep),
        ] {
            assert_eq!(mask(column, value_type), expected, "{column}");
        }
    }

    #[test]
    fn masks_text_that_no_word_explains_and_says_so() {
        let found = guess("xq", Some(ValueType::Text));
        assert_eq!(found.rule.mask, MaskName::Text);
        assert!(found.doubt.is_some());
        assert!(guess("payload", None).doubt.is_some());
    }
}
