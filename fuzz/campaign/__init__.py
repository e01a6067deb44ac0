"""A campaign: jobs over targets and devices with a time budget, one stream of events, one summary."""
