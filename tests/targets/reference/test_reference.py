from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from targets.contract import Request, SamplingParams, ScoresTokens
from targets.errors import UsageError
from targets.reference import DECODER, HASH, LIMITS, TERNARY, open_executor
from targets.reference.model.batch import LanguageModel
from targets.reference.settings import KNOB_NAMES
from targets.registry import check_knobs, find


def test_the_targets_are_found_by_name() -> None:
    assert find("reference") is DECODER
    assert find("reference-hash") is HASH
    assert find("targets.reference:TERNARY") is TERNARY


def test_importing_the_targets_does_not_import_torch() -> None:
    code = "import sys, targets.reference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_setting_is_a_knob_and_every_default_is_among_its_values() -> None:
    assert tuple(knob.name for knob in DECODER.knobs) == KNOB_NAMES
    assert all(knob.default in knob.values for knob in DECODER.knobs)
    assert check_knobs(DECODER, {})["block_size"] == LIMITS.block_size


def test_every_listed_pool_holds_one_request_of_full_length_at_every_listed_block_size(
    hash_model: LanguageModel,
) -> None:
    values = {knob.name: knob.values for knob in DECODER.knobs}
    longest = Request(id="a", prompt=(5,), sampling=SamplingParams(max_tokens=LIMITS.context_length - 1))
    for blocks in values["total_blocks"]:
        for size in values["block_size"]:
            HASH.open(hash_model, total_blocks=blocks, block_size=size).submit(longest)


def test_an_unknown_knob_is_named_with_its_nearest_match(hash_model: LanguageModel) -> None:
    with pytest.raises(UsageError, match="Did you mean 'block_size'"):
        open_executor(hash_model, blok_size=4)


@pytest.mark.parametrize(("knob", "value"), [("block_size", 0), ("max_batch", True), ("speculative", -1)])
def test_an_impossible_setting_is_refused(hash_model: LanguageModel, knob: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{knob}.* must be an integer"):
        open_executor(hash_model, **{knob: value})


def test_an_unknown_device_or_dtype_is_refused() -> None:
    with pytest.raises(UsageError, match="device"):
        DECODER.load("tpu:7", "float32")
    with pytest.raises(UsageError, match="dtype"):
        HASH.load("cpu", "float31")


@pytest.mark.parametrize("device", [device for device in DECODER.devices() if device != "cpu"])
def test_other_devices_agree_with_the_cpu(device: str, decoder: LanguageModel) -> None:
    here, there = DECODER.open(decoder), DECODER.open(DECODER.load(device, "float32"))
    assert isinstance(here, ScoresTokens)
    assert isinstance(there, ScoresTokens)
    assert np.abs(here.logits(range(3, 60)) - there.logits(range(3, 60))).max() < 1e-3


@pytest.mark.slow
def test_compiled_code_gives_the_same_tokens(decoder: LanguageModel) -> None:
    request = Request(
        id="a", prompt=tuple(range(3, 30)), sampling=SamplingParams(temperature=0), adapter=LIMITS.adapters[0]
    )
    answers = []
    for compiled in (False, True):
        executor = DECODER.open(decoder, compiled=compiled)
        executor.submit(request)
        answers.append([event.token_id for out in iter(executor.step, []) for event in out])
    assert answers[0] == answers[1]
