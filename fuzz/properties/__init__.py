"""Relations that must hold, each a short function registered with a stable code."""
