"""``run.py`` imports atheris, which only the group ``fuzz`` installs."""

collect_ignore = ["run.py"]
