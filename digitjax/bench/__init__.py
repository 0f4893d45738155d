"""Measurements to compare networks and programs by: `digitjax bench NAME`."""
