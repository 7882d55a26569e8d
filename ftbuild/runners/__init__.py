"""What each kind of action does: bytes of its inputs in, bytes of its outputs out.

`pure` runners see their keyed settings and inputs and nothing else, and run in worker processes;
`remote` ones, one file a group of kinds, talk to the provider. Recording is the engine's.
"""
