"""The engine: greedy, one token a step for every running request."""

from __future__ import annotations

from targets.contract import FinishReason, Output, Request, RequestRejected, Usage


def next_token(prompt: tuple[int, ...], tokens: list[int]) -> int:
    return (7 * sum(prompt) + 7 * sum(tokens) + 1) % 256


def pick_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "cpu"


class Engine:
    def __init__(self, model: object) -> None:
        self.running: dict[str, tuple[Request, list[int]]] = {}
        self.aborted: set[str] = set()

    def submit(self, request: Request) -> None:
        if request.id in self.running:
            raise RequestRejected("id", request.id, "an id that is not in use")
        self.running[request.id] = (request, [])

    def step(self) -> list[Output]:
        return [self.advance(name) for name in list(self.running)]

    def advance(self, name: str) -> Output:
        request, tokens = self.running[name]
        if name in self.aborted:
            return self.finish(name, FinishReason.ABORT)
        tokens.append(next_token(request.prompt, tokens))
        if len(tokens) == request.sampling.max_tokens:
            return self.finish(name, FinishReason.LENGTH)
        return Output(request_id=name, token_id=tokens[-1])

    def finish(self, name: str, reason: FinishReason) -> Output:
        request, tokens = self.running.pop(name)
        self.aborted.discard(name)
        usage = Usage(prompt_tokens=len(request.prompt), completion_tokens=len(tokens))
        token = None if reason is FinishReason.ABORT else tokens[-1]
        return Output(request_id=name, token_id=token, finish_reason=reason, usage=usage)

    def abort(self, request_id: str) -> None:
        if request_id in self.running:
            self.aborted.add(request_id)

    def close(self) -> None:
        self.running.clear()
