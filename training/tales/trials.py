"""What heroes meet on their way: riddles and their keepers, weather, fears, things on the road."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Riddle:
    """A riddle and its answer."""

    question: str
    answer: str


RIDDLES = (
    Riddle("What has teeth but cannot bite?", "A comb"),
    Riddle("What runs all day but has no legs?", "The river"),
    Riddle("What gets wet when it dries?", "A towel"),
    Riddle("What can fly but has no wings?", "The wind"),
    Riddle("What has an eye but cannot see?", "A needle"),
    Riddle("What grows when it eats and dies when it drinks?", "A fire"),
    Riddle("What has hands but cannot wave?", "A clock"),
    Riddle("What follows you all day and is gone at night?", "My shadow"),
    Riddle("What is full of holes but can hold water?", "A sponge"),
    Riddle("What is broken when you say its name?", "Silence"),
    Riddle("What has a neck but no head?", "A bottle"),
    Riddle("What wears a coat in summer and none in winter?", "A tree"),
)


@dataclass(frozen=True)
class Keeper:
    """Who keeps what others need, and where."""

    name: str
    place: str


KEEPERS = (
    Keeper("troll", "under the bridge"), Keeper("witch", "in the dark wood"),
    Keeper("dwarf", "behind the waterfall"), Keeper("old owl", "in the hollow oak"),
    Keeper("wizard", "in the stone tower"), Keeper("wise snake", "between the rocks"),
)  # fmt: skip


@dataclass(frozen=True)
class Hardship:
    """The weather of a walk: how the day is, what it does, how it stops one, who is a way out."""

    weather: str
    day: str
    walk: str
    stop: str
    rescue: str


HARDSHIPS = (
    Hardship(
        "snow", "One winter day", "The snow was deep, and the way was long.",
        "Soon it snowed so hard that {hero} could not see the path.",
        "{Helper} knew every tree and led {him} through the snow.",
    ),
    Hardship(
        "fog", "One grey morning", "The fog lay on the fields like milk.",
        "Then the fog grew so thick that {hero} lost the way.",
        "{Helper} knew every stone and led {him} through the fog.",
    ),
    Hardship(
        "rain", "One wet day", "The rain fell and fell, and the road was full of mud.",
        "At the river {hero} stopped, for the water had taken the bridge.",
        "{Helper} had a little boat and took {him} across the river.",
    ),
    Hardship(
        "storm", "One dark evening", "The storm shook the trees, and the thunder rolled.",
        "Then there was a crack, and a great tree fell across the road.",
        "{Helper} knew a secret path and led {him} around the tree.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Find:
    """Something found on the road, and what its owner does with it."""

    name: str
    owner: str


FINDS = (
    Find("key", "opened a small box, and it was full of sweet nuts. They shared them"),
    Find("purse", "bought two cakes at the market. They ate them under a tree"),
    Find("bell", "rang it, and all the lost sheep came home. They counted them together"),
    Find("shoe", "put it on and jumped up. They danced"),
    Find("spoon", "cooked a big pot of soup. They ate"),
    Find("button", "sewed it on an old coat and bowed like a king. They laughed"),
)


@dataclass(frozen=True)
class Fear:
    """What somebody is afraid of: what it does, and what it is when one looks closely."""

    name: str
    weather: str
    comes: str
    near: str
    truth: str


FEARS = (
    Fear(
        "the dark", "night", "It was night, and there was no moon.",
        "Something cried in the dark, but it was only an owl.",
        '"The dark is only the day with its eyes closed," thought {hero}.',
    ),
    Fear(
        "thunder", "storm", "A storm came up, and the first thunder rolled.",
        "It thundered again, and {hero} counted to ten and went on.",
        '"Thunder is loud, but it does not bite," thought {hero}.',
    ),
    Fear(
        "the forest", "fog", "The forest was black and full of fog.",
        "Something moved in the leaves, but it was only a mouse.",
        '"A forest is only many trees, and I know every one," thought {hero}.',
    ),
    Fear(
        "the cold river", "rain", "The river was high from the rain.",
        "Something touched {his} leg in the water, but it was only a fish.",
        '"A river is only rain on its way home," thought {hero}.',
    ),
)  # fmt: skip
