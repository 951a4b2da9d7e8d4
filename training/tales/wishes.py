"""Two plots about a thing: one that is lost, and one that is wished for."""

from training.tales.mishaps import CLEARING, FOOD, LOSSES, WARMTH, WORK
from training.tales.opening import habit, thing
from training.tales.trials import HARDSHIPS, KEEPERS, RIDDLES
from training.tales.words import NAMES
from training.teller import Teller


def lost(t: Teller) -> None:
    """A loved thing is lost; who can get it back needs something first."""
    thing(t)
    t.say(
        "More than anything {he} loved {his} {thing}, a gift from {his} {family}.",
        "{His} {family} had given {him} {thing:a}, and {he} loved it very much.",
        "{He} had {thing:a} from {his} {family} and took it everywhere.",
    )
    t.line()
    loss = LOSSES[t.one(t.records["thing"].losses)]
    t.know("loss", where=loss.where, skill=loss.skill)
    t.say(*loss.how)
    t.say(*loss.tries)
    t.say("{He} sat down and cried.", "{He} was very sad.", "{He} did not know what to do.")
    t.line()
    t.cast("helper", [(kind, "fm") for kind in loss.helpers], NAMES)
    t.say(
        "Just then {helper.kind:a} named {helper} came by.",
        "{Helper.kind:a} named {helper} heard {him} and stopped.",
    )
    t.say(
        '"Why are you so sad?" asked {helper}. "My {thing.name} is {loss.where}," said {hero}.',
        '"What is wrong?" asked {helper}. "My {thing.name} is {loss.where}," said {hero}.',
    )
    need(t)
    t.say(*loss.deed)
    t.say(
        '"Thank you, {helper}!" said {hero}.',
        '"You are a true friend," said {hero}.',
    )
    t.say(*CLEARING[loss.weather])
    t.say("They {thing.joy} {evening}.")
    t.say(
        "From that day on {hero} and {helper} were friends.",
        "{Hero} never forgot how good it is to have a friend.",
        "Who helps a friend today has a friend tomorrow.",
    )


def need(t: Teller) -> None:
    """The helper is too hungry or too cold; the hero works for what helps, and brings it."""
    hungry = t.one((True, False))
    t.know("need", word="hungry" if hungry else "cold", again="strong" if hungry else "warm")
    t.record("gift", FOOD if hungry else WARMTH)
    t.record("work", WORK)
    t.say(
        '"I could {loss.skill}, but I am too {need.word}. Bring me {gift.name} first."',
        '"I will {loss.skill}, if you bring me {gift.name}. I am so {need.word}."',
    )
    t.line()
    t.say(
        '{Hero} ran to the {gift.giver}. "First {work.task}," said the {gift.giver}. {Hero}'
        " {work.done} and got {gift.name}.",
        'The {gift.giver} had one. "It is yours, if you {work.task}," said the {gift.giver}. So'
        " {hero} {work.done}.",
    )
    t.say(
        "{He} was {need.word} too, but {he} thought only of {helper}.",
        "{Hero} was {need.word} too, but {he} brought it to {helper}.",
    )
    t.line()
    t.say('{Helper} {gift.used}. "Now I am {need.again}," said {helper}.')


def made(t: Teller) -> None:
    """A wish: the maker needs something that its keeper gives for the answers to riddles."""
    habit(t)
    thing(t)
    t.record("keeper", KEEPERS)
    t.say(
        "But {he} had one wish: {he} wanted {thing:a}.",
        "{He} was happy, but {he} did not have {thing:a}, and that was all {he} wanted.",
        "At night {he} dreamed of {thing:a}.",
    )
    t.line()
    t.say(
        'One day {he} went to the {thing.maker}. "Please make me {thing:a}," said {hero}.',
        'So {he} asked the {thing.maker}. "Can you make me {thing:a}?" said {hero}.',
    )
    t.say(
        '"I can," said the {thing.maker}, "but I have no more {thing.stuff}. The {keeper.name}'
        ' {keeper.place} has some."',
        '"I need {thing.stuff} for that," said the {thing.maker}. "Go to the {keeper.name}'
        ' {keeper.place}."',
    )
    t.say(
        "{Hero} took a piece of bread and set out.",
        "It was a long way, but {hero} went at once.",
        "{Hero} was a little afraid, but {he} went.",
    )
    t.record("hard", HARDSHIPS)
    t.say("{hard.walk}")
    t.line()
    t.say(
        '"I will give you {thing.stuff}," said the {keeper.name}, "if you can solve two riddles."',
        '"Nobody gets my {thing.stuff} for nothing," said the {keeper.name}. "Solve two riddles!"',
    )
    riddles(t)
    t.line()
    t.say(
        "The {keeper.name} laughed and gave {him} the {thing.stuff}.",
        '"You are clever," said the {keeper.name} and gave {him} the {thing.stuff}.',
    )
    t.say(*CLEARING[t.records["hard"].weather])
    t.say(
        "The {thing.maker} worked all night, and in the morning the {thing} was ready.",
        "The {thing.maker} worked for three days, and then the {thing} was ready.",
    )
    t.say(
        "{Hero} showed it to {his} {family}, and they {thing.joy} {evening}.",
        "{Hero} ran home with it. {He} and {his} {family} {thing.joy} {evening}.",
    )
    t.say(
        "Who asks and thinks can get what {he} wants.",
        "And of all things in the house {hero} loved the {thing} best.",
        "And when somebody had a wish, {hero} helped to make it true.",
    )


def riddles(t: Teller) -> None:
    """Two riddles, and the hero finds the answers."""
    t.record("first", RIDDLES)
    t.say('"{first.question}"')
    t.say(
        '{Hero} thought for a while. "{first.answer}," {he} said.',
        '"{first.answer}!" said {hero} at once.',
    )
    t.record("second", [each for each in RIDDLES if each is not t.records["first"]])
    t.say('"Good. {second.question}"', '"That was easy. {second.question}"')
    t.say(
        '{Hero} closed {his} eyes and thought. "{second.answer}!" {he} said.',
        '{Hero} walked up and down. "{second.answer}," {he} said at last.',
    )
