"""Drafts a feed's YAML from a sample file; a person confirms it before anything is loaded."""

from __future__ import annotations

from caregrid.drafts.draft import Draft, draft

__all__ = ["Draft", "draft"]
