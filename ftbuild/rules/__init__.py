"""What a provider accepts: one function a rule, yielding Problems.

Pure. Source of the rules so far: OpenAI's supervised format (API reference and guide, 2026-11).
"""
