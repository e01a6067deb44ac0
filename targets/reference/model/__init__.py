"""The two models of the engine: a random decoder and a hash model. Both run on flat batches over a paged KV cache."""
