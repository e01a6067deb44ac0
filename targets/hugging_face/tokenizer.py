"""A byte-level BPE tokenizer made locally: token id 0..255 is the byte of that value, then merges, then specials."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from targets.contract import RequestRejected

_LETTER_PAIRS = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha ou io le ve co me"
MERGES: tuple[bytes, ...] = (
    *(pair.encode() for pair in _LETTER_PAIRS.split()),
    *(b" a", b" t", b" s", b"\n\n", b"\r\n"),
    # One whole character, then first halves of longer ones, so that a character can span tokens of two and one bytes.
    "é".encode(),
    b"\xf0\x9f",
    b"\xe2\x82",
    b"\xe4\xbd",
)
"""Pairs of bytes that are one token."""

# Private-use characters: the library matches stop strings with the spelling of special tokens, and a stop "s" must not
# end a request at "<s>", a token that has no text.
BOS, EOS, PAD = "\U000f0000", "\U000f0001", "\U000f0002"
BOS_ID, EOS_ID, PAD_ID = 256 + len(MERGES), 257 + len(MERGES), 258 + len(MERGES)
VOCAB_SIZE = 259 + len(MERGES)
TOKEN_BYTES = (*(bytes([byte]) for byte in range(256)), *MERGES, b"", b"", b"")
"""What each token id stands for; special tokens for nothing."""


def build_tokenizer() -> Any:
    """The tokenizer as a `PreTrainedTokenizerFast` of `VOCAB_SIZE` tokens."""
    letters = bytes_to_unicode()
    pairs = [(letters[merge[0]], letters[merge[1]]) for merge in MERGES]
    vocabulary = {letters[byte]: byte for byte in range(256)}
    vocabulary |= {left + right: 256 + position for position, (left, right) in enumerate(pairs)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a text; the spelling of a special token is plain text. Raises `RequestRejected` for surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestRejected("text", text[error.start : error.end], "text without lone surrogates") from error
    return tuple(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def decode(tokenizer: Any, token_ids: Sequence[int]) -> str:
    """The text of a whole sequence; special tokens have none, undecodable bytes become U+FFFD."""
    return str(tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def stable_text(token_ids: Sequence[int]) -> str:
    """The text of a growing sequence without an incomplete character at its end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(b"".join(TOKEN_BYTES[token] for token in token_ids))


class TextStream:
    """Text of a growing sequence, by the library's own incremental decoder."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._token_ids: list[int] = []
        self._emitted = ""

    def push(self, token_id: int) -> str:
        """The text that became final with this token; empty while a character is incomplete."""
        self._token_ids.append(token_id)
        text = self._stream.step(self._tokenizer.backend_tokenizer, token_id) or ""
        self._emitted += text
        return text

    def finish(self) -> str:
        """What the stream holds back: an incomplete character at the very end."""
        whole = decode(self._tokenizer, self._token_ids)
        return whole.removeprefix(self._emitted) if whole.startswith(self._emitted) else ""
