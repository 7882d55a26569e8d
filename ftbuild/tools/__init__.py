"""Tool definitions: whether a schema is one, what of it can be strict, whether a call's arguments fit."""
