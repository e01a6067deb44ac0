"""What `targets.transformers` is made of; every module here needs torch and transformers installed."""
