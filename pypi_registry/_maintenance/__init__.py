"""Work on whole stores, over the contracts and nothing else: no HTTP, no SQL, no folders, nothing printed."""
