"""Many tasks of one kind, resumable: here, in processes beside this one, or on a cluster."""
