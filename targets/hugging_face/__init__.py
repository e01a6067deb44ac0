"""What `targets.transformers` is made of; every module but `model_folder` needs torch and transformers."""
