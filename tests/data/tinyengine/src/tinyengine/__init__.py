"""A small engine of somebody else's, in src/ layout: what `gaps`, `mutate` and `certify` are tried on."""
