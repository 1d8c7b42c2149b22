"""Faults as pure data: what a strike changes on a topology. One file a family."""
