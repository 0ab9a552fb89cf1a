"""Choices and footprints: what an exploration of schedules, faults and crashes hangs on."""
