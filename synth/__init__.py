"""What the decoder costs on real devices, and how its memories lie on them."""
