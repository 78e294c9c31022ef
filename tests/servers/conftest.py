"""What pytest must not import: it makes a registry in the current folder."""

collect_ignore = ["target.py"]
