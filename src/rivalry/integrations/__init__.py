"""Adapters to optional libraries; each names the extra that installs its library."""
