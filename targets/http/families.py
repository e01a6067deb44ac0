"""What is known of server families: where each one differs from the strict reading, and how it is watched."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from targets.errors import unknown


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Opt-outs from the strict reading. Patterns may use `*`."""

    name: str
    lenient: tuple[str, ...] = ()
    """Names of defects that the family documents as accepted: such requests may be accepted or refused."""
    excused: tuple[str, ...] = ()
    """Signatures of violations (`H4/envelope`) that the family documents as its way."""
    unsupported: tuple[str, ...] = ()
    """Optional fields of a body that the family refuses; they are not part of valid requests."""
    one_prompt: bool = False
    """Whether a prompt is one string, never a list of strings or of token ids."""
    endpoints: tuple[str, ...] = ()
    """Names of the dialect's endpoints that the family has; empty is all."""
    accounting: str = ""
    """Path of the resources, in the form of the reference front end; empty if there is none."""
    faults: str = ""
    """Path of the fault points, in the form of the reference front end; empty if there is none."""
    sources: tuple[str, ...] = ()
    """Where the differences are documented."""

    def allows(self, defect: str) -> bool:
        """Whether a request with this defect may be accepted."""
        return any(fnmatchcase(defect, pattern) for pattern in self.lenient)

    def excuses(self, signature: str) -> bool:
        """Whether this violation is the family's documented way."""
        return any(fnmatchcase(signature, pattern) for pattern in self.excused)


STRICT = Family(name="strict")
REFERENCE = Family(name="reference", accounting="/internal/resources", faults="/internal/faults")
_COMMON = ("model-unknown", "http-broken", "json-lone-surrogate", "stop*-too-many", "header-missing")

FAMILIES = {
    family.name: family
    for family in (
        STRICT,
        REFERENCE,
        Family(
            name="vllm",
            lenient=(
                "json-lone-surrogate",
                "http-broken",
                "logit_bias-too-large",
                "logit_bias-too-small",
                "stop-too-many",
            ),
            sources=("http_apis.md section 4: bias values are clamped, unknown fields ignored",),
        ),
        Family(
            name="llama.cpp",
            lenient=(*_COMMON, "temperature-*", "logit_bias-*", "stop-empty", "stop.*", "max_tokens-too-small", "n-*"),
            sources=("http_apis.md section 4: sampling values unchecked, ids outside the vocabulary skipped",),
        ),
        Family(
            name="transformers",
            lenient=(
                *("model-unknown", "model-missing", "json-lone-surrogate", "json-not-utf8", "http-broken"),
                *("stop-too-many", "logit_bias-too-large", "logit_bias-too-small"),
                *("messages.role-*", "messages.content-empty"),
                *("n-*", "echo-*", "logprobs-*", "top_logprobs-*", "presence_penalty-*", "stream_options*", "user-*"),
                *("stream-inconsistent", "stream-missing"),
            ),
            excused=("H4/envelope", "*/created-varies"),
            one_prompt=True,
            unsupported=(
                "n",
                "echo",
                "logprobs",
                "top_logprobs",
                "presence_penalty",
                "stream_options",
                "user",
                "logit_bias",
            ),
            endpoints=("completions", "chat", "models"),
            sources=(
                "http_apis.md section 4: FastAPI's own envelope, 422 for bad JSON and unknown keys",
                "transformers.cli.serving, 5.23: a prompt is one string, any number of stop strings, any bias, roles "
                "are the chat template's matter, a server that is started for one model needs no model in a request",
                "json.loads, behind every FastAPI server: UTF-16 and UTF-32 are recognised",
            ),
        ),
        Family(
            name="llama-cpp-python",
            lenient=(
                *("model-*", "prompt-missing", "prompt-empty", "messages-missing", "messages-empty"),
                *("json-lone-surrogate", "json-not-utf8", "http-broken", "stop*-too-many", "stop-empty", "stop.*"),
                *("*-wrong-type", "n-*", "user-*", "stream-missing", "stream-inconsistent", "stream_options*"),
                *("max_tokens-beyond-context", "max_tokens-too-small", "temperature-*", "top_p-too-small"),
                *("*logprobs-too-large", "*logprobs-inconsistent", "logprobs-missing", "logit_bias-*"),
                *("max_completion_tokens-*", "seed-*"),
            ),
            excused=("H21/*/top_p-default",),
            one_prompt=True,
            unsupported=("n", "user", "stream_options"),
            endpoints=("completions", "chat", "models"),
            sources=(
                "llama_cpp.server.types, 0.3: a model, a prompt and messages have defaults, that of top_p is 0.95, n "
                "and user are ignored, a prompt is a string or a list of one, temperature and biases have no bounds",
                "Pydantic, conversion table: a number may come as a string; fields that are not declared are ignored",
                "llama_cpp.Llama.create_completion: max_tokens is cut at the context; embeddings want --embedding",
                "json.loads, behind every FastAPI server: UTF-16 and UTF-32 are recognised",
            ),
        ),
        Family(
            name="mlx-lm",
            lenient=(
                *(*_COMMON, "n-*", "user-*", "messages.role-*", "messages.content-empty"),
                *("temperature-too-large", "top_p-too-small", "*_penalty-too-*", "logit_bias-too-*"),
                *("model-missing", "stream-missing", "stream-inconsistent"),
            ),
            excused=("H4/envelope", "H31/stop-ignored", "H29/stop-in-text"),
            one_prompt=True,
            endpoints=("completions", "chat", "models"),
            sources=(
                "http_apis.md section 4: own envelope; 404 for any exception during generation",
                "mlx_lm/SERVER.md: no embeddings, no largest temperature or penalty; a stop string is some tokens",
                "mlx_lm.server, 0.32: a prompt is one string, roles are the chat template's matter, a top_p of 0 means "
                "none, a model has a default",
            ),
        ),
        Family(
            name="ollama",
            lenient=(*_COMMON, "prompt-too-long", "anthropic-version-missing", "metadata-*"),
            sources=("http_apis.md sections 2 and 3: long prompts are truncated, versions are not required",),
        ),
    )
}


def family_named(name: str) -> Family:
    """The family of that name. Raises `UsageError`."""
    if name not in FAMILIES:
        raise unknown("server family", name, FAMILIES)
    return FAMILIES[name]
