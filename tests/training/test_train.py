"""Training from nothing, in a few steps: where the dependency group `training` is installed."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from golden.checkpoints import DEFAULT, load_checkpoint
from golden.float_decoder import FloatDecoder
from training.__main__ import main


@pytest.fixture(autouse=True)
def installed() -> None:
    """The group is for those who train: it is in no lock file."""
    for name in ("jax", "optax"):
        pytest.importorskip(name, reason=f"no training group: {name} is not installed")


def test_a_short_training_writes_a_folder_that_is_read(tmp_path):
    folder = tmp_path / "tiny"
    result = CliRunner().invoke(main, ["train", "--quick", "--seed", "5", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == {path.name for path in DEFAULT.iterdir()}
    assert re.search(r"loss on stories never seen: \d+\.\d+", result.output)
    assert load_checkpoint(folder).shape == load_checkpoint(DEFAULT).shape


def test_the_network_is_the_reference():
    """Logits and gradients of the fast attention against the float decoder and the formula."""
    import jax
    import jax.numpy as jnp
    from safetensors.numpy import load_file

    from training import llama

    sizes = llama.Sizes()
    tensors = load_file(DEFAULT / "model.safetensors")
    weights = {}
    for name, value in llama.initial(sizes, 1).items():
        if value.ndim == 1 or name == "embed_tokens":
            tensor = tensors[f"model.{name}.weight"]
        else:
            tensor = np.stack([tensors[f"model.layers.{n}.{name}.weight"] for n in range(5)])
        weights[name] = jnp.asarray(tensor.astype(np.float32))
    tokens = np.random.default_rng(1).integers(0, 512, (1, 150))
    decoder = FloatDecoder(load_checkpoint(DEFAULT))
    expected = np.concatenate([decoder.step(token) for token in tokens.T])
    got = np.asarray(llama.logits(weights, jnp.asarray(tokens), sizes))[0]
    np.testing.assert_allclose(got, expected, atol=1e-3)

    q, k, v = (jax.random.normal(jax.random.key(n), (1, 150, 4 if n else 8, 8)) for n in range(3))

    def plain(q, k, v):
        k, v = (jnp.repeat(x, 2, axis=2) for x in (k, v))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / 8**0.5
        mask = jnp.tril(jnp.ones((150, 150), bool))
        return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(jnp.where(mask, scores, -jnp.inf)), v)

    for function in (llama.attention, plain):
        np.testing.assert_allclose(function(q, k, v), plain(q, k, v), atol=1e-5)
    slopes = [
        jax.grad(lambda *args, f=f: (f(*args) ** 2).sum(), (0, 1, 2))(q, k, v)
        for f in (llama.attention, plain)
    ]
    for ours, theirs in zip(*slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
