"""Ready targets for servers of others, each on a tiny model that is made locally, and the command that starts it."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from targets.contract import Target
from targets.http.dialects.model import ApiLimits
from targets.http.locate import command_target
from targets.http.process import ServerCommand


class Recipe(NamedTuple):
    """How to get a server, and how to fuzz it: one command each."""

    name: str
    install: str
    serve: str
    """Shell command; `{model}` is a model folder or file of the user's, `{port}` the port."""
    run: str


RECIPES = (
    Recipe(
        "transformers serve",
        "pip install 'transformers[serving]'",
        "transformers serve {model} --device cpu --host 127.0.0.1 --port {port}",
        "inferfuzz run transformers-serve",
    ),
    Recipe(
        "llama_cpp.server",
        "pip install 'llama-cpp-python[server]'",
        "python -m llama_cpp.server --model {model} --host 127.0.0.1 --port {port}",
        "inferfuzz run 'openai:llama.cpp+http://127.0.0.1:{port}'",
    ),
    Recipe(
        "mlx_lm.server",
        "pip install mlx-lm",
        "mlx_lm.server --model {model} --host 127.0.0.1 --port {port}",
        "inferfuzz run 'openai:mlx-lm+http://127.0.0.1:{port}'",
    ),
)
"""`llama_cpp.server` wants a GGUF file; any small one will do, such as a converted tiny Llama."""

CHAT_TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"
_CONTEXT = 128
_MODEL = "tiny-llama-chat-1"
"""Name of the model's folder; its number grows with every change of the model or of the template."""


def transformers_serve() -> Target:
    """`transformers serve` on the CPU, on the tiny Llama with a chat template. Raises `UsageError`."""
    folder = _model_folder()
    command = f"{sys.executable} -m transformers.cli.transformers serve {folder}"
    options = "--device cpu --dtype float32 --host 127.0.0.1 --port {port} --log-level error"
    environment = (("HF_HUB_OFFLINE", "1"), ("OMP_NUM_THREADS", "1"), ("CUDA_VISIBLE_DEVICES", ""))
    return command_target(
        ServerCommand(f"{command} {options}", environment=environment),
        "openai",
        family="transformers",
        limits=ApiLimits(model=str(folder), context_length=_CONTEXT, max_samples=1, max_tokens=12),
        name="transformers-serve",
    )


def _model_folder() -> Path:
    # Every worker asks for it, so transformers is imported only to write it: that takes seconds.
    from targets.hugging_face.model_folder import cache_root, ensure_folder

    return ensure_folder(cache_root(), f"{_MODEL}-transformers-{version('transformers')}", _write_model)


def _write_model(folder: Path) -> None:
    from targets.hugging_face.tiny_llama import Recipe as Model
    from targets.hugging_face.tiny_llama import save
    from targets.hugging_face.tokenizer import build_tokenizer

    save(Model(), folder)
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
