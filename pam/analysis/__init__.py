"""What merged networks tell about the conditions under which merging before pruning pays off."""
