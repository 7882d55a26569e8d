"""Uploaded forms: multipart/form-data taken apart. Source: RFC 7578 (2015), as the `openai` SDK writes it."""

import email
import email.message
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One field of a form; `filename` is "" where none was given. It is a label, never a path."""

    content: bytes
    filename: str


def read_form(content_type: str, body: bytes) -> dict[str, Field] | None:
    """Return the fields by name, None if the body is not such a form."""
    header = email.message.Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return None
    fields = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        if part.startswith(b"--"):
            break
        head, found, content = part.partition(b"\r\n\r\n")
        if not found:
            return None
        described = email.message_from_string(head.decode("utf-8", "replace").lstrip("\r\n") + "\r\n\r\n")
        name = described.get_param("name", header="content-disposition")
        if isinstance(name, str):
            fields[name] = Field(content, described.get_filename() or "")
    return fields
