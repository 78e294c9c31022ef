import os
from pathlib import Path

bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"  # gunicorn kills a sync worker during an upload that takes 30 seconds
threads = 8
graceful_timeout = 60  # seconds that uploads in progress have to finish after a signal
forwarded_allow_ips = ""
control_socket_disable = True


def on_starting(server: object) -> None:
    """Delete the counts of an earlier run.

    Each worker counts in its own files, which expose.py adds up. gunicorn calls this hook once per start. It reads this
    file again at HUP, when the counts must stay.
    """
    if "GUNICORN_PID" in os.environ:  # USR2 started this process, and the workers of the old one still count
        return
    counts = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    counts.mkdir(exist_ok=True)
    for file in counts.glob("*.db"):
        file.unlink()
