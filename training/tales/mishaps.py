"""Things that are loved, how they get lost, who can help, and for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """Something to love and to lose.

    The ways it can get lost, what is done with it, who makes it, and of what.
    """

    name: str
    losses: tuple[str, ...]
    joy: str
    maker: str
    stuff: str


THINGS = (
    Thing("kite", ("tree", "island"), "flew the kite high above the hill", "tailor", "silk"),
    Thing(
        "ball",
        ("well", "hole", "ice", "island"),
        "played with the ball in the grass",
        "tailor",
        "leather",
    ),
    Thing("hat", ("tree", "island"), "took turns to wear the hat and laughed", "tailor", "wool"),
    Thing(
        "scarf",
        ("tree", "nest"),
        "sat side by side with the scarf around them both",
        "weaver",
        "wool",
    ),
    Thing(
        "bell", ("well", "nest", "hole", "ice"), "rang the bell for all the birds", "smith", "brass"
    ),
    Thing("drum", ("island", "ice"), "beat the drum and danced", "carpenter", "leather"),
    Thing("flute", ("well", "hole", "island"), "played the flute to the fish", "carpenter", "wood"),
    Thing(
        "lantern", ("well", "ice"), "lit the lantern and told each other stories", "smith", "glass"
    ),
    Thing("boat", ("island", "ice"), "sailed the boat across the pond", "carpenter", "wood"),
    Thing(
        "ring", ("nest", "well", "hole"), "looked at the world through the ring", "smith", "amber"
    ),
    Thing("ribbon", ("tree", "nest"), "danced with the ribbon in the wind", "weaver", "silk"),
    Thing("cup", ("well", "nest"), "drank cold water from the cup", "potter", "clay"),
)


@dataclass(frozen=True)
class Loss:
    """How a thing gets lost (`how`, one of), where it then is, what does not help, and who does.

    `helpers` can do what `skill` says, and `deed` says how they did it.
    """

    how: tuple[str, ...]
    where: str
    tries: tuple[str, ...]
    helpers: tuple[str, ...]
    skill: str
    deed: tuple[str, ...]
    weather: str


LOSSES = {
    "tree": Loss(
        how=(
            "One windy morning the wind pulled the {thing} out of {his} hands and carried it to the"
            " top of a tall tree.",
            "One day a wild wind took the {thing} and threw it up into a tall tree.",
        ),
        where="in the top of the tree",
        tries=(
            "{Hero} tried to climb, but the branches were too thin.",
            "{Hero} shook the tree with all {his} strength, but the {thing.name} did not move.",
            "{Hero} threw stones at it, but none of them flew high enough.",
        ),
        helpers=("robin", "crow", "squirrel", "sparrow"),
        skill="go up to the top",
        deed=(
            "Up and up went {helper}, from branch to branch, and soon the {thing.name} came down.",
            "{Helper} went to the very top and pulled, and the {thing.name} fell into the soft"
            " grass.",
        ),
        weather="wind",
    ),
    "well": Loss(
        how=(
            "One hot day {hero} stopped at the old well to drink. The {thing} slipped and fell"
            " down, down, down to the bottom.",
            "One sunny day {hero} sat by the old well. Splash! The {thing} was gone.",
        ),
        where="at the bottom of the well",
        tries=(
            "{Hero} let down a rope, but there was nobody to tie it.",
            "{Hero} reached down as far as {he} could, but the well was too deep.",
            "{Hero} called into the well, but only {his} own voice came back.",
        ),
        helpers=("frog", "newt", "turtle", "toad"),
        skill="dive to the bottom",
        deed=(
            "{Helper} jumped in. It was quiet for a long time, and then the {thing.name} came up.",
            "Splash! {Helper} dived down to the bottom and came back with the {thing.name}.",
        ),
        weather="sun",
    ),
    "island": Loss(
        how=(
            "One rainy day {hero} slipped on a wet stone, and the river carried the {thing} away to"
            " a small island.",
            "One day the river was wild from the rain. It took the {thing} and carried it to a"
            " small island.",
        ),
        where="on the island in the river",
        tries=(
            "{Hero} put one foot into the water, but it was too cold and too fast.",
            "{Hero} looked for a boat, but there was none.",
            "{Hero} reached out with a long stick, but it was not long enough.",
        ),
        helpers=("otter", "duck", "swan", "beaver"),
        skill="swim across",
        deed=(
            "{Helper} swam through the wild water and came back with the {thing.name}.",
            "The river was strong, but {helper} was stronger, and soon the {thing.name} was back.",
        ),
        weather="rain",
    ),
    "nest": Loss(
        how=(
            "One bright morning a magpie saw the {thing} shine in the sun and carried it off to her"
            " nest on the cliff.",
            "One clear day {hero} fell asleep in the sun. A magpie took the {thing} and flew to her"
            " nest on the cliff.",
        ),
        where="in the nest of the magpie",
        tries=(
            "{Hero} called to the magpie, but the magpie only laughed.",
            "{Hero} tried to climb the cliff, but the stones were loose, and {he} fell.",
            "{Hero} begged the magpie to give it back, but she turned her head away.",
        ),
        helpers=("eagle", "hawk", "raven", "owl"),
        skill="fly up to the cliff",
        deed=(
            "{Helper} spoke to the magpie. She was ashamed and gave the {thing.name} back.",
            "{Helper} flew around the cliff, and the magpie was so afraid that she dropped the"
            " {thing.name}.",
        ),
        weather="sun",
    ),
    "hole": Loss(
        how=(
            "One foggy morning {hero} fell over a root, and the {thing} rolled into a deep hole.",
            "One day the fog was as thick as soup. {Hero} dropped the {thing}, and it rolled into a"
            " deep hole.",
        ),
        where="down in the deep hole",
        tries=(
            "{Hero} reached into the hole, but {his} arm was too short.",
            "{Hero} dug until {he} was tired, but the earth was too hard.",
            "{Hero} looked into the hole, but it was as dark as the night.",
        ),
        helpers=("mole", "worm", "beetle", "lizard"),
        skill="creep into the hole",
        deed=(
            "{Helper} crept into the dark, and after a while the {thing.name} came out, and"
            " {helper} behind it.",
            "Down went {helper}, deep into the earth, and came back with the {thing.name}.",
        ),
        weather="fog",
    ),
    "ice": Loss(
        how=(
            "One winter day {hero} fell on the ice, and the {thing} slid to the middle of the"
            " lake.",
            "One cold morning {hero} slipped in the snow. The {thing} slid far out on the frozen"
            " lake.",
        ),
        where="out on the thin ice",
        tries=(
            "{Hero} took one step, but the ice cracked.",
            "{Hero} threw a rope, but it was too short.",
            "{Hero} blew and blew, but the {thing.name} did not move.",
        ),
        helpers=("goose", "wren", "swan", "mouse"),
        skill="walk on thin ice",
        deed=(
            "{Helper} walked over the ice on light feet and came back with the {thing.name}.",
            "The ice cracked a little, but {helper} was light, and soon the {thing.name} was safe.",
        ),
        weather="snow",
    ),
}

#: How the weather ends, after how it began.
CLEARING = {
    "wind": ("By now the wind was still.", "The wind was only a soft breeze now."),
    "sun": ("The sun stood low and red.", "The evening was warm and full of gold."),
    "rain": ("The rain was over, and a rainbow stood over the hills.", "At last the sun came out."),
    "fog": ("The fog was gone, and the sky was blue.", "The sun came through the fog."),
    "snow": ("Soft snow began to fall.", "The snow shone like a thousand stars."),
    "night": ("Now the moon came out.", "All the stars were out now."),
    "storm": ("The storm was over.", "The last thunder rolled away over the hills."),
}


@dataclass(frozen=True)
class Gift:
    """What a need asks for: the gift, who has it, and how it helps."""

    name: str
    giver: str
    used: str


FOOD = (
    Gift("a loaf of bread", "baker", "ate it to the last crumb"),
    Gift("a plum pie", "baker", "ate it to the last crumb"),
    Gift("a red apple", "farmer", "ate it with all the seeds"),
    Gift("a sweet pear", "farmer", "ate it with all the seeds"),
    Gift("a piece of cheese", "miller", "ate it in one bite"),
    Gift("a pot of honey", "miller", "licked the pot clean"),
)
WARMTH = (
    Gift("a cup of hot tea", "cook", "drank it in small sips"),
    Gift("a bowl of hot soup", "cook", "drank it in small sips"),
    Gift("a wool blanket", "weaver", "crept under the blanket"),
    Gift("a warm coat", "tailor", "put on the coat and smiled"),
)


@dataclass(frozen=True)
class Work:
    """A piece of work that is asked for, and that it was done."""

    task: str
    done: str


WORK = (
    Work("sweep my floor", "swept the floor"), Work("carry my water", "carried the water"),
    Work("stack my wood", "stacked the wood"), Work("feed my hens", "fed the hens"),
    Work("wash my windows", "washed the windows"), Work("pick my beans", "picked the beans"),
)  # fmt: skip
