import os
from pathlib import Path

bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"  # gunicorn kills a sync worker during an upload that takes 30 seconds
threads = 8
graceful_timeout = 60  # seconds that uploads in progress have to finish after a signal
forwarded_allow_ips = ""
control_socket_disable = True

# Each worker counts in files of its own, which expose.py adds up. Counts begin at 0 with each start of gunicorn.
counts = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
counts.mkdir(exist_ok=True)
for file in counts.glob("*.db"):
    file.unlink()
