"""What stories260K tells: greedy from BOS, 200 steps, as llama2.c and its own test print it."""

#: Without the newline that llama2.c prints at the end, which is no token.
TEXT = (
    b"Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    b"One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    b"Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. "
    b'She said, "I want to play with your ball, but I can\'t find it."\n'
    b"Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. "
    b"I didn't know what to do.\"\n"
    b"Lily didn't want to help her mom, so she"
)
#: The first ids, BOS included.
FIRST_IDS = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298]
FIRST_IDS += [315, 421, 395, 317, 426, 338, 401, 396, 267]
