"""Adapters to optional libraries; each names the extra that installs its library."""

from typing import TYPE_CHECKING

from rivalry.schema.registry import lazy_package

if TYPE_CHECKING:
    from rivalry.integrations.ray import Cluster as Cluster

lazy_package(__name__, {"Cluster": "rivalry.integrations.ray:Cluster"})
