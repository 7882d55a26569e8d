"""A server on this machine that speaks OpenAI's fine-tuning protocol and really trains.

Owns base models, jobs and completions behind the wire. Knows nothing of configs, plans or
stores: the only callers are its command line (`__main__.py`) and whoever speaks HTTP to it.
Nothing above this room imports it; torch stays inside it.
"""
