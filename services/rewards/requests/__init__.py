"""Requests that change something, and the answers they got: asked again under the same key, the answer is the same."""
