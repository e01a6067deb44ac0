"""Inference servers as targets: exchanges as plain data, a raw client, dialects, server processes."""
