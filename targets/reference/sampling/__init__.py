"""From logits to a token: penalties, filters, draws, log-probabilities. NumPy float64, on the host."""
