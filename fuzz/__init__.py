"""How it is run and judged: containment, properties, engines, findings, reports, command line."""
