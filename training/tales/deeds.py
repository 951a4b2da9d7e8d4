"""Four plots about what is right: to share, to tell the truth, to give back, to be brave."""

from training.tales.mishaps import CLEARING
from training.tales.opening import habit
from training.tales.trials import FEARS, FINDS, HARDSHIPS
from training.tales.words import (
    COLOURS,
    FOLK,
    GAMES,
    HIDING,
    NAMES,
    PARENTS,
    PICKING,
    POTS,
    SHELTERS,
    STRANGERS,
    TREATS,
)
from training.teller import Teller


def visit(t: Teller) -> None:
    """On the way to somebody who is ill, what is shared comes back as help."""
    habit(t)
    t.later("treat", TREATS)
    t.cast("helper", STRANGERS, NAMES)
    t.line()
    t.record("hard", HARDSHIPS)
    t.say("{hard.day} {hero} heard that {his} {family} was ill.")
    t.say(
        "{He} took {treat:a} and set out at once.",
        '"I will bring {treat:a}," said {hero} and put on {his} boots.',
    )
    hard = t.records["hard"]
    t.say(hard.walk)
    t.line()
    t.say(
        "Beside the road sat {helper.kind:a}.",
        "Half way there {he} met {helper.kind:a}.",
    )
    t.say(
        '"Please help me," said the {helper.kind}. "I have not eaten for two days."',
        '"I am so hungry," said the {helper.kind}. "Do you have something for me?"',
    )
    t.say(
        "{Hero} thought of {his} {family}. Then {he} gave away half of the {treat}.",
        "{Hero} did not think long and gave away half of the {treat}.",
    )
    t.say(
        '"My name is {helper}," said the {helper.kind}. "I will not forget you."',
        '"Thank you! I am {helper}," said the {helper.kind} and ate.',
    )
    t.line()
    t.say(hard.stop)
    t.say(
        '"What now?" thought {hero}. Then {he} heard a voice. It was {helper}!',
        "{He} wanted to cry. But who came there? It was {helper}!",
    )
    t.say(hard.rescue)
    t.line()
    t.say(
        "{His} {family} sat up in bed and smiled. They ate the half {treat} together.",
        "{His} {family} ate the other half of the {treat} and felt better at once.",
    )
    t.say(
        '"It is only half," said {hero}. "Half is enough, if it comes from you," said {his}'
        " {family}.",
        "{Hero} told everything, and {his} {family} was proud of {him}.",
    )
    t.say(*CLEARING[hard.weather])
    t.say(
        "What you give away comes back to you.",
        "The next day they all had dinner together, and {helper} got the biggest piece.",
        "From that day on there was always a chair for {helper} at the table.",
    )


def broken(t: Teller) -> None:
    """Something is broken and hidden; only the truth makes the heart light again."""
    habit(t)
    t.later("pot.name", POTS)
    t.facts["pot"] = lambda: f"{t.fact('colour')} {t.fact('pot.name')}"
    t.later("game", GAMES)
    t.later("hiding", HIDING)
    t.say(
        "In the house stood {pot:a}. It had come from {his} {family}, and it was very old.",
        "{His} {family} had {pot:a} and loved it more than anything.",
    )
    t.line()
    t.say(
        "One rainy day {hero} was alone at home.",
        "One long, wet day {hero} had nothing to do.",
        "One evening all the others were out.",
    )
    t.say("{He} {game}, and crash! The {pot} fell down and broke.")
    t.say(
        "{Hero} put the pieces {hiding}.",
        "Nobody had seen it. {Hero} hid the pieces {hiding}.",
    )
    t.line()
    t.say(
        '"Where is my {pot}?" asked {his} {family} at supper. "I do not know," said {hero}, and'
        " {his} face grew hot.",
        '"Have you seen my {pot}?" asked {his} {family}. "No," said {hero} and looked at the'
        " floor.",
    )
    t.say(
        "That night {he} could not sleep. The lie lay on {his} heart like a stone.",
        "The supper did not taste good, and at night {he} lay awake for a long time.",
    )
    t.say(
        "When the sun came up, {hero} took the pieces and went to {his} {family}.",
        "In the morning {hero} could not bear it any more and brought the pieces.",
    )
    t.say(
        '"I broke it," {he} said, "and then I lied. I am sorry."',
        '"It was me," {he} said, "and I was afraid to tell you."',
    )
    t.line()
    t.say(
        "{His} {family} was quiet for a while.",
        "{His} {family} took {him} by the hand.",
    )
    t.say(
        '"What is broken can be mended," said {his} {family}, "but only if you tell me."',
        '"The truth is worth more than any {pot}," said {his} {family}.',
    )
    t.say(
        "Together they put the pieces back in place with glue.",
        "They sat at the table all day and put it together, piece by piece.",
    )
    t.say(
        "Now the {pot} had a thin line, and it shone when the light fell on it.",
        "It was not as good as new, but they both loved it even more.",
    )
    t.say(
        "And {hero} slept well again.",
        "From then on {hero} always told the truth, even when it was hard.",
        "And {hero} felt as light as a feather.",
    )


def found(t: Teller) -> None:
    """Something found is brought back to who lost it."""
    habit(t)
    t.record("find", FINDS)
    t.facts["find"] = lambda: f"{t.fact('colour')} {t.fact('find.name')}"
    t.cast("helper", STRANGERS, NAMES)
    t.line()
    t.say(
        "One day {he} found {find:a} on the road.",
        "One morning {he} saw something in the grass. It was {find:a}.",
        "One day {he} fell over {find:a}.",
    )
    t.say(
        "It was so pretty that {hero} wanted to keep it.",
        '"Finders keepers!" thought {hero} and put it into {his} pocket.',
    )
    t.say(
        "But then {he} thought that somebody must be looking for it.",
        "But after three steps {his} pocket felt very heavy.",
    )
    t.line()
    t.later("first", FOLK)
    t.say(
        '{He} went to the {first}. "Is this your {find.name}?" asked {hero}.',
        'First {he} asked the {first}: "Did you lose {find:a}?"',
    )
    t.later("other", [each for each in COLOURS if each != t.fact("colour")])
    t.say(
        '"No," said the {first}, "mine is {other}."',
        '"I never had one," said the {first}.',
    )
    t.later("second", [each for each in FOLK if each != t.fact("first")])
    t.say(
        'Then {he} asked the {second}. "It is not mine," said the {second}, "but I heard somebody'
        ' cry at the bridge."',
        'The {second} shook his head. "Not mine," he said. "Ask at the bridge."',
    )
    t.line()
    t.say(
        "At the bridge sat {helper.kind:a} named {helper} and cried.",
        "At the bridge {helper.kind:a} looked under every stone. It was {helper}.",
    )
    t.say(
        '"I lost my {find.name}," said {helper}. "What colour is it?" asked {hero}. "It is'
        ' {colour}," said {helper}.',
        '"What are you looking for?" asked {hero}. "For my {find.name}," said {helper}. "It is'
        ' {colour}."',
    )
    t.say(
        '"Then this is yours," said {hero} and gave it back.',
        "{Hero} smiled and put it into {helper.his} hand.",
    )
    t.line()
    t.say("{Helper} {find.owner} {evening}.")
    t.say(
        "{Hero} had no {find.name} now, but {he} had a friend.",
        "And {his} pocket felt light again.",
        "A thing can be lost, but a good deed stays.",
    )


def afraid(t: Teller) -> None:
    """Fear of one thing, and somebody small who needs help just there."""
    habit(t)
    t.record("fear", FEARS)
    t.later("picking", PICKING)
    t.later("parent", PARENTS)
    t.later("shelter", SHELTERS)
    t.say(
        "{He} was afraid of only one thing: {fear.name}.",
        "{He} was not afraid of wolves or bears, but {he} was afraid of {fear.name}.",
    )
    t.line()
    sibling, sex = t.one((("sister", "f"), ("brother", "m")))
    t.cast("helper", [(sibling, sex)], [each for each in NAMES if each[1] == sex])
    t.say(
        "One day {his} little {helper.kind} {helper} went out to pick {picking}.",
        "One afternoon {his} little {helper.kind} {helper} wanted to look for {picking}.",
    )
    fear = t.records["fear"]
    t.say(
        "The hours went by, but {helper} did not come home.",
        "Supper was on the table, but {helper.his} chair was empty.",
    )
    t.say(fear.comes)
    t.say(
        "{Hero} was so afraid that {his} knees shook, but {he} took a lantern and went.",
        '"I cannot go out there," thought {hero}. "But I must."',
    )
    t.line()
    t.say(
        '"{Helper}!" called {hero}. Nobody answered.',
        "{Hero} sang a song, so that {helper} could hear {him}.",
    )
    t.say(fear.near)
    t.say(fear.truth)
    t.say(
        "With every step {he} was less afraid.",
        "And {he} held {his} head a little higher.",
    )
    t.line()
    t.say(
        "At last {he} found {helper} {shelter}. {Helper.he} had hurt {helper.his} foot.",
        "And there, {shelter}, sat {helper} with a basket full of {picking} and cried.",
    )
    t.say(
        '"I knew that you would come," said {helper}.',
        '"Were you not afraid?" asked {helper}. "A little," said {hero}.',
    )
    t.say(
        "{Hero} took {helper.him} on {his} back and carried {helper.him} home.",
        "Hand in hand they went home.",
    )
    t.line()
    t.say(*CLEARING[fear.weather])
    t.say(
        "There was hot soup, and {helper} told everybody how brave {hero} was.",
        "{His} {parent} gave them both hot milk and a kiss.",
    )
    t.say(
        "{Hero} was still a little afraid of {fear.name}, but now {he} knew the way through it.",
        "To be brave is to be afraid and to go all the same.",
        "And {fear.name} was never as big again.",
    )
