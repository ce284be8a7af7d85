"""The pilgrim radar: which guide, bus, tent or floor is to blame for how members of a group feel (docs/groups.md)."""
