"""Ready targets for servers of others, each on a tiny model that is made locally, and the command that starts it."""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import version
from pathlib import Path

from targets.contract import Target
from targets.http.dialects.model import ApiLimits
from targets.http.locate import command_target
from targets.http.process import ServerCommand

CHAT_TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"
_CONTEXT = 128
_VOCABULARY = 300
_MODEL = "tiny-llama-chat-1"
"""Name of the model's folder; its number grows with every change of the model or of the template."""
_GGUF = "tiny-llama-gguf-1"
_GGUF_FILE = "model.gguf"
_GGUF_CONTEXT = 256
"""llama.cpp rounds the size of its context up to multiples of this."""
_OFFLINE = (("HF_HUB_OFFLINE", "1"), ("OMP_NUM_THREADS", "1"), ("CUDA_VISIBLE_DEVICES", ""))


def transformers_serve() -> Target:
    """`transformers serve` on the CPU, on the tiny Llama with a chat template. Raises `UsageError`."""
    folder = _model_folder()
    options = ("--device", "cpu", "--dtype", "float32", "--log-level", "error")
    return command_target(
        _command("transformers.cli.transformers", "serve", str(folder), *options),
        "openai",
        family="transformers",
        limits=ApiLimits(model=str(folder), context_length=_CONTEXT, max_samples=1, max_tokens=12),
        name="transformers-serve",
    )


def llama_cpp_serve() -> Target:
    """`llama_cpp.server` on the CPU, on the tiny Llama as a GGUF file. Raises `UsageError`."""
    return command_target(
        llama_cpp_command(_gguf_folder() / _GGUF_FILE),
        "openai",
        family="llama-cpp-python",
        limits=ApiLimits(
            model=_GGUF, vocab_size=_VOCABULARY, context_length=_GGUF_CONTEXT, max_samples=1, max_tokens=12
        ),
        name="llama-cpp-serve",
    )


def llama_cpp_command(model: Path) -> ServerCommand:
    """How `llama_cpp.server` is started on a GGUF file.

    By itself it cuts a stream when another request comes; here requests wait, so that streams can be compared.
    """
    sizes = ("--n_ctx", str(_GGUF_CONTEXT), "--n_threads", "1", "--n_threads_batch", "1")
    options = ("--model_alias", _GGUF, *sizes, "--verbose", "false", "--interrupt_requests", "false")
    return _command("llama_cpp.server", "--model", str(model), *options)


def mlx_lm_serve() -> Target:
    """`mlx_lm.server` on the tiny Llama with a chat template. Raises `UsageError`."""
    folder = _model_folder()
    return command_target(
        mlx_lm_command(folder),
        "openai",
        family="mlx-lm",
        limits=ApiLimits(model=str(folder), vocab_size=_VOCABULARY, max_top_logprobs=11, max_samples=1, max_tokens=12),
        name="mlx-lm-serve",
    )


def mlx_lm_command(folder: Path) -> ServerCommand:
    """How `mlx_lm.server` is started on a model folder."""
    return _command("mlx_lm", "server", "--model", str(folder), "--log-level", "WARNING")


def _command(*arguments: str) -> ServerCommand:
    """A module of this interpreter's, offline, on a free port of this machine."""
    command = shlex.join((sys.executable, "-m", *arguments, "--host", "127.0.0.1"))
    return ServerCommand(f"{command} --port {{port}}", environment=_OFFLINE)


def _model_folder() -> Path:
    # Every worker asks for it, so transformers is imported only to write it: that takes seconds.
    from targets.hugging_face.model_folder import cache_root, ensure_folder

    return ensure_folder(cache_root(), f"{_MODEL}-transformers-{version('transformers')}", _write_model)


def _gguf_folder() -> Path:
    from targets.hugging_face.model_folder import cache_root, ensure_folder

    return ensure_folder(cache_root(), f"{_GGUF}-gguf-{version('gguf')}", _write_gguf)


def _write_model(folder: Path) -> None:
    from targets.hugging_face.tiny_llama import Recipe, save
    from targets.hugging_face.tokenizer import build_tokenizer

    save(Recipe(), folder)
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)


def _write_gguf(folder: Path) -> None:
    from targets.hugging_face.gguf_file import write_gguf
    from targets.hugging_face.tiny_llama import Recipe

    write_gguf(Recipe(), CHAT_TEMPLATE, folder / _GGUF_FILE)
