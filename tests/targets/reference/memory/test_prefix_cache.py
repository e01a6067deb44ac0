from __future__ import annotations

from targets.reference.memory.prefix_cache import PrefixCache, block_hash, root_hash


def chain(*blocks: list[int], adapter: str | None = None, salt: str | None = None) -> list[bytes]:
    keys = [root_hash(adapter, salt)]
    for tokens in blocks:
        keys.append(block_hash(keys[-1], tokens))
    return keys[1:]


def test_a_block_hash_covers_everything_before_the_block() -> None:
    assert chain([1, 2], [3, 4])[1] != chain([1, 9], [3, 4])[1]
    assert chain([1, 2], [3, 4]) == chain([1, 2], [3, 4])


def test_order_and_width_of_tokens_matter() -> None:
    keys = [chain([1, 2]), chain([2, 1]), chain([1]), chain([258]), chain([2, 0]), chain([0, 2])]
    assert len({key for (key,) in keys}) == len(keys)


def test_adapter_and_salt_are_part_of_the_hash() -> None:
    roots = [root_hash(None, None), root_hash("a", None), root_hash(None, "a"), root_hash("None", None)]
    roots += [root_hash("a", "b"), root_hash("b", "a"), root_hash(None, ""), root_hash(None, "\ud800")]
    assert len(set(roots)) == len(roots)


def test_lookup_ends_at_the_first_unknown_block() -> None:
    cache = PrefixCache()
    keys = chain([1], [2], [3])
    cache.publish(7, keys[0])
    cache.publish(5, keys[2])
    assert cache.lookup(keys) == [7]


def test_an_equal_block_is_not_published_twice() -> None:
    cache = PrefixCache()
    (key,) = chain([1])
    cache.publish(7, key)
    cache.publish(8, key)
    assert cache.lookup([key]) == [7]
    assert 8 not in cache


def test_the_block_unused_longest_is_evicted_first() -> None:
    cache = PrefixCache()
    keys = chain([1], [2], [3])
    for block, key in enumerate(keys):
        cache.publish(block, key)
        cache.mark_unused(block)
    cache.mark_used(0)
    cache.mark_unused(0)
    evicted = [cache.evict() for _ in range(4)]
    assert evicted == [1, 2, 0, None]
    assert all(cache.lookup([key]) == [] for key in keys)


def test_a_block_in_use_is_never_evicted() -> None:
    cache = PrefixCache()
    (key,) = chain([1])
    cache.publish(0, key)
    assert cache.unused == 0
    assert cache.evict() is None
    assert cache.lookup([key]) == [0]
