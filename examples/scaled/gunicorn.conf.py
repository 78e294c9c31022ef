workers = 2
worker_class = "gthread"  # gunicorn kills a sync worker during an upload that takes 30 seconds
threads = 8
graceful_timeout = 60  # seconds that uploads in progress have to finish after a signal
forwarded_allow_ips = ""  # gunicorn itself trusts no header of a proxy: wsgi.py does
control_socket_disable = True  # it is not used, and the unit allows no place for its socket
