"""pytest must not import the target: it creates a registry in the current folder."""

collect_ignore = ["target.py"]
