"""The commands of `inferfuzz`, one module each."""
