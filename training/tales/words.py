"""Who the stories are about, where and when: the words that go into any of them."""

#: Kinds of heroes, beside the pronouns that they can have.
HEROES = (
    ("girl", "f"), ("boy", "m"), ("fox", "fm"), ("mouse", "fm"), ("rabbit", "fm"), ("bear", "fm"),
    ("hedgehog", "fm"), ("cat", "fm"), ("goat", "fm"), ("frog", "fm"), ("pig", "fm"),
    ("badger", "fm"), ("dragon", "fm"), ("giant", "fm"), ("shepherd", "fm"), ("hen", "f"),
)  # fmt: skip
#: Each begins with a letter of its own: who has read one knows which name it is.
NAMES = (
    ("Ada", "f"), ("Clara", "f"), ("Emma", "f"), ("Greta", "f"), ("Ida", "f"), ("Lily", "f"),
    ("Nora", "f"), ("Rosa", "f"), ("Vera", "f"), ("Wanda", "f"),
    ("Ben", "m"), ("Dan", "m"), ("Finn", "m"), ("Hugo", "m"), ("Jack", "m"), ("Max", "m"),
    ("Otto", "m"), ("Pip", "m"), ("Sam", "m"), ("Tom", "m"),
)  # fmt: skip
TRAITS = ("small", "clever", "cheerful", "curious", "gentle", "quiet", "merry", "lively", "shy")
HOMES = (
    "at the edge of a green forest", "by a slow river", "in a village below the hills",
    "in a little house near the sea", "behind the old mill", "at the foot of a mountain",
    "beside a round pond", "in a valley full of flowers",
)  # fmt: skip
HABITS = (
    "sang to the birds", "counted the clouds", "swept the path", "watered the flowers",
    "looked at the hills and dreamed", "greeted the sun with a song", "danced in the grass",
    "said good morning to the trees",
)  # fmt: skip
PARENTS = ("grandmother", "grandfather", "mother", "father")
FAMILY = (*PARENTS, "sister", "brother", "aunt", "uncle")
COLOURS = ("red", "blue", "green", "yellow", "white", "golden", "silver", "purple")
EVENINGS = (
    "until the sun went down", "until the stars came out", "until the moon was up",
    "until it was time for supper", "all afternoon",
)  # fmt: skip
#: What can be baked or picked, carried and shared.
TREATS = ("cake", "loaf of bread", "pie", "basket of berries", "bag of nuts", "round cheese")
STRANGERS = (
    ("donkey", "fm"), ("beggar", "fm"), ("dog", "fm"), ("goose", "fm"), ("wolf", "fm"),
    ("gnome", "fm"), ("old horse", "fm"), ("pedlar", "fm"),
)  # fmt: skip
POTS = ("bowl", "plate", "jug", "vase", "clock", "mirror")
GAMES = (
    "danced around the table", "played ball in the kitchen", "jumped from chair to chair",
    "ran after a fly", "was a king on a wild horse",
)  # fmt: skip
HIDING = ("under the bed", "behind the stove", "in an old boot", "in the garden", "in a dark box")
FOLK = ("baker", "miller", "farmer", "smith", "tailor", "fisherman", "potter", "weaver")
PICKING = ("berries", "mushrooms", "flowers", "nuts", "herbs", "apples")
SHELTERS = ("under a fir tree", "in a cave", "behind a big stone", "in a hollow tree")
