"""Adapters to libraries that are not required: each names the extra that brings its library."""
