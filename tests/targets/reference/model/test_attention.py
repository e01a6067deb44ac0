from __future__ import annotations

import pytest
import torch

from targets.reference.model.attention import attend, attention_mask, rope_table, rotate
from targets.reference.model.config import DecoderConfig


def test_a_token_sees_itself_and_what_came_before() -> None:
    distance = torch.tensor([[0, -1, -2], [2, 1, 0]])
    assert (attention_mask(distance, None)[:, 0, 0] == 0).tolist() == [[True, False, False], [True, True, True]]


def test_a_window_of_two_holds_the_token_and_the_one_before() -> None:
    assert (attention_mask(torch.tensor([[3, 2, 1, 0]]), 2)[0, 0, 0] == 0).tolist() == [False, False, True, True]


def test_masked_keys_do_not_matter() -> None:
    torch.manual_seed(0)
    queries, keys, values = torch.randn(1, 4, 8), torch.randn(1, 5, 2, 8), torch.randn(1, 5, 2, 8)
    mask = attention_mask(torch.tensor([[2, 1, 0, -1, -2]]), None)
    before = attend(queries, keys, values, mask)
    keys[:, 3:], values[:, 3:] = 1e6, -1e6
    assert torch.equal(attend(queries, keys, values, mask), before)
    assert torch.allclose(attend(queries, keys[:, :3], values[:, :3], mask[..., :3]), before, atol=1e-6)


def test_heads_share_the_keys_of_their_group() -> None:
    queries = torch.ones(1, 4, 8)
    values = torch.stack([torch.zeros(3, 8), torch.ones(3, 8)], dim=1)[None]
    mixed = attend(queries, torch.zeros(1, 3, 2, 8), values, torch.zeros(1, 1, 1, 3))
    assert mixed.view(4, 8)[:, 0].tolist() == pytest.approx([0, 0, 1, 1])


def test_rotation_keeps_lengths_and_depends_on_the_difference_of_positions() -> None:
    torch.manual_seed(0)
    table = rope_table(DecoderConfig())
    query, key = torch.randn(1, 1, 8).expand(200, 1, 8), torch.randn(1, 1, 8).expand(200, 1, 8)
    turned_query, turned_key = rotate(query, table[:200]), rotate(key, table[:200])
    assert torch.allclose(turned_query.norm(dim=-1), query.norm(dim=-1), atol=1e-5)
    products = (turned_query[5:] * turned_key[:-5]).sum(dim=-1)
    assert torch.allclose(products, products[:1].expand_as(products), atol=1e-4)
