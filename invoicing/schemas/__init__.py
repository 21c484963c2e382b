"""The shapes that services return, checked by Pydantic."""
