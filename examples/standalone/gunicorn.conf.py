bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"  # a worker of the plain kind is killed in the middle of an upload that takes 30 seconds
threads = 8
graceful_timeout = 60  # seconds for uploads that are arriving when it is told to stop
control_socket_disable = True  # nobody asks there, and the unit lets it be written nowhere
