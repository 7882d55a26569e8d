"""What to do, decided before anything is done: actions, keys, the graph, and why an action runs.

Pure: settings and digests come in, a graph comes out. Knows nothing of stores or processes.
"""
