"""How cases are chosen: three engines over one harness and one stream of events."""
