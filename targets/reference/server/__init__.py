"""An HTTP front end in three dialects over any executor that can turn text into tokens and back."""
