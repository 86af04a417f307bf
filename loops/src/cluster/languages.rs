//! Words of German, Spanish, French, Portuguese, Italian, Polish, Dutch and Russian that say nothing about a problem, and
//! words of politeness. Folded: without accents.

use std::{collections::HashSet, sync::LazyLock};

/// Words that say nothing about a problem.
const FUNCTION: &str = "
    a aan aangezien abbiamo aber ai ainsi al ale alem algo alguien algum alguma alla alle allo alors als
    also am an anche ancora ani ante ao aos apos apres aquela aquele aqui as asi ate au auch auf aun aunque
    aus aussi autre aux avant avec avere avons az bajo bei beim ben bij bin bis bo by byc byl c ca cada ce
    cela celle celui ces cet cette chaque che chez chi ci co com come comme comment como con cosa cual
    cuando cuanto cui czy d da dal dalla dan dann dans das dass dat de degli dei del dela dele della delle
    dello dem den depois depuis der des desde deze di die dies diese dieser dieses dit dla do doch donc
    donde dont door dopo dort dos dove du durch e ed een ein eine einem einen einer eines el ela ele ella
    elle elles ello em en encore entre er era es esa ese eso essa esse essere est esta estan estao este esto
    estoy et etait ete etre etwas eu euch fa faz fica font fra fue fui fur gdy gegen gli ha haben hace had
    han hanno hasta hat hatte hay he heb hebben heeft het hij ho hoe i ich ihr ik il ile ils im immer in
    inny ins io is isso ist isto j ja jak jako je jede jeden jedes jest jestem jeszcze jetzt jusqu juz kan
    kann kiedy kon kto ktora ktore ktory l la las lassen lasst le lei les leur lhe lleva llevan lo loro lors
    lorsqu los lub lui m ma maar mais mam man mas me meer mehr mein meine meinem meinen meiner mes mesmo meu
    mi mia mich mijn minha mio mir mis mit mnie moet moge moi moj mon moze mozna muito muy my n na naar nach
    nad nada nam nas ne negli nei nel nella nelle nem ni niz no noch nog nos nossa nosso notre nous nu num
    numa nun nur o ob od oder of om on ona onder one ons ont ook op oraz os ou over par para parce pela pelo
    per perche pero peut peux piu po pod poi poniewaz por porque pour pourquoi pra przed przez przy puede
    puedo puis puo qu qual quand quando quanto que quel quelle quello quem questa questo qui quien quindi
    quoi riesco s sa sara schon se sea sehr sein seine seit ser ses seu si sia sich sie sind so sobre sofort
    solo son sono sont sou sous sta su sua sui sul sulla suo sur sus swoj t ta tak tam tambem tambien tan te
    tego tej tem ten tengo tenho ter tes ti tiene to todas todos toi ton tot tous tout toute toutes tra tras
    tres tu tudo tutaj tutti tutto tylko tym u uber uit um uma umas un una und une uno unos uns unser unsere
    vai van veel vem vers vi voce vom von voor vor vos votre vous w waar wann wanneer warum was wat we weil
    wel wenn wer werd werden wie wiec wieder wiele wij wird wo word worden wszystko wurde wurden y ya yo z
    za zal ze zeby zich zijn zo zonder zou zu zum zur zwar а бы был была были было быть в вам вас весь во
    вот все всех вы где да даже для до его ее если есть еще же за здесь и из или им их к как ко когда кто ли
    между меня мне мнои может можно мои моя мы на над нам нас наш него нее ни них но ну о об он она они оно
    от очень по под после потому при про раз с сам сеичас сих со сразу так такои там те тебя тем то тоже тои
    только том тот ты у уже хотя чего чем через что чтобы эта эти это этого этои этом этот я
";

/// Words of politeness.
const POLITE: &str = "
    aidez allerseits alvast amigos atenciosamente bedankt beheben besten bitte boa bom bonjour bonsoir
    buenas buenos buon buonasera buongiorno ciao cordial cordialement cordiali czesc dank danke dobry
    dziekuje dzien equipo favor freundliche goedemorgen gracias grazie groet gruss grusse guten hallo hoi
    hola merci moin muchas obrigada obrigado oi ola plait pozdrawiam prego prosze saludo saludos salut
    saluti salve servus svp witam zusammen добрыи здравствуите исправьте пожалуиста привет спасибо уважаемые
    您好 谢谢
";

/// Words that say no.
const NEGATIONS: &str = "
    nicht kein keine keinen nao pas jamais nunca ningun ninguna nenhum aucun aucune non не нет нельзя nie
    niet geen nessun никогда niemals
";

type Words = LazyLock<HashSet<&'static str>>;

static FUNCTION_WORDS: Words = LazyLock::new(|| FUNCTION.split_whitespace().collect());
static POLITE_WORDS: Words = LazyLock::new(|| POLITE.split_whitespace().collect());
static NEGATION_WORDS: Words = LazyLock::new(|| NEGATIONS.split_whitespace().collect());

pub(super) fn is_function(word: &str) -> bool {
    FUNCTION_WORDS.contains(word)
}

pub(super) fn is_polite(word: &str) -> bool {
    POLITE_WORDS.contains(word)
}

pub(super) fn is_negation(word: &str) -> bool {
    NEGATION_WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::words::fold;

    #[test]
    fn the_words_are_folded_as_texts_are() {
        for word in [FUNCTION, POLITE, NEGATIONS]
            .iter()
            .flat_map(|list| list.split_whitespace())
        {
            assert_eq!(fold(word), word);
        }
    }
}
