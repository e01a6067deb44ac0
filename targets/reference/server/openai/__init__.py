"""The OpenAI dialect of the front end."""
