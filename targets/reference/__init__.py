"""The reference executor: a small but complete inference engine with a random decoder or a hash model.

Importing this package does not import torch; loading a model does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from targets.contract import Executor, Knob, KnobValue, Limits, Target
from targets.devices import check_device, torch_devices
from targets.domain import DEFAULT_DOMAIN
from targets.errors import unknown
from targets.reference.model.config import ADAPTERS, CONTEXT_LENGTH, WINDOW, DecoderConfig
from targets.reference.settings import EngineSettings
from targets.reference.text.tokenizer import EOS, PAD, SPECIAL, VOCAB_SIZE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from targets.reference.model.batch import LanguageModel

Oracle = Callable[[Sequence[int], str | None], "npt.NDArray[np.float64]"]

DTYPES = ("float32", "bfloat16")

_DEFAULTS = EngineSettings()

LIMITS = Limits(
    vocab_size=VOCAB_SIZE,
    context_length=CONTEXT_LENGTH,
    eos_token_ids=(EOS,),
    pad_token_id=PAD,
    special_token_ids=SPECIAL,
    block_size=_DEFAULTS.block_size,
    chunk_size=_DEFAULTS.chunk_size,
    window=WINDOW,
    max_batch=_DEFAULTS.max_batch,
    total_blocks=_DEFAULTS.total_blocks,
    max_logprobs=VOCAB_SIZE,
    max_samples=4,
    adapters=ADAPTERS,
)

KNOBS = (
    Knob("block_size", _DEFAULTS.block_size, (4, 5, 8, 16), "tokens in one block of the KV cache"),
    Knob("chunk_size", _DEFAULTS.chunk_size, (1, 3, 4, 5, 8, 16, 64), "tokens computed in one step, drafts apart"),
    Knob("prefix_cache", _DEFAULTS.prefix_cache, (False, True), "reuse blocks of requests with the same beginning"),
    Knob("max_batch", _DEFAULTS.max_batch, (1, 2, 3, 8), "sequences that run at the same time"),
    # The smallest pool holds one request of full length at every block size above; fewer blocks refuse long requests.
    Knob("total_blocks", _DEFAULTS.total_blocks, (64, 72, 128), "blocks in the pool"),
    Knob("speculative", _DEFAULTS.speculative, (0, 2, 4), "draft tokens in each decoding step"),
    Knob("compiled", _DEFAULTS.compiled, (False, True), "run the model through torch.compile", costly=True),
    Knob("poison", _DEFAULTS.poison, (False, True), "fill free blocks with NaN"),
)


def open_executor(model: LanguageModel, **knobs: KnobValue) -> Executor:
    """A fresh executor with empty caches. Raises `UsageError` for an unknown knob or a setting it cannot have."""
    from targets.reference.executor import ReferenceExecutor
    from targets.reference.faults import EXECUTOR_POINTS, FaultInjector

    names = [knob.name for knob in KNOBS]
    for name in knobs:
        if name not in names:
            raise unknown("knob", name, names, "These are the knobs of the reference executor.")
    settings = EngineSettings(**knobs)  # type: ignore[arg-type] # checked there
    return ReferenceExecutor(model, LIMITS, settings, FaultInjector(EXECUTOR_POINTS))


def load_decoder(device: str, dtype: str, ternary: bool = False) -> LanguageModel:
    """The random decoder. Raises `UsageError` for a device or dtype that is not offered."""
    from targets.reference.model.decoder import Decoder

    return Decoder(DecoderConfig(ternary=ternary), check_device(device, torch_devices(), "reference"), _dtype(dtype))


def load_hash(device: str, dtype: str) -> LanguageModel:
    """The hash model. Raises `UsageError` for a device or dtype that is not offered."""
    from targets.reference.model.hashing import HashModel

    return HashModel(check_device(device, torch_devices(), "reference-hash"), _dtype(dtype))


def decoder_oracle(ternary: bool = False) -> Oracle:
    """The decoder once more, in NumPy float64."""
    from targets.reference.oracle import DecoderOracle

    return DecoderOracle(DecoderConfig(ternary=ternary)).logits


def hash_oracle() -> Oracle:
    """The hash model once more."""
    from targets.reference.oracle import HashOracle

    return HashOracle().logits


def _dtype(name: str) -> str:
    if name not in DTYPES:
        raise unknown("dtype", name, DTYPES, "These are the dtypes of the reference executor.")
    return name


def _target(name: str, summary: str, load: Callable[[str, str], LanguageModel], oracle: Callable[[], Oracle]) -> Target:
    return Target(
        name=name,
        summary=summary,
        load=load,
        oracle=oracle,
        open=open_executor,
        limits=LIMITS,
        devices=torch_devices,
        dtypes=DTYPES,
        knobs=KNOBS,
        domain=DEFAULT_DOMAIN,
        modules=("targets.reference",),
        requires={"torch": "pip install torch"},
    )


DECODER = _target("reference", "small complete engine, random decoder", load_decoder, decoder_oracle)
HASH = _target("reference-hash", "the same engine, hash model with guaranteed margins", load_hash, hash_oracle)
TERNARY = _target(
    "reference-ternary",
    "the same engine, decoder with ternary linear layers",
    partial(load_decoder, ternary=True),
    partial(decoder_oracle, ternary=True),
)
