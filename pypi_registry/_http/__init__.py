"""HTTP and WSGI: requests, bodies, forms, responses. Nothing here knows what a package is."""
