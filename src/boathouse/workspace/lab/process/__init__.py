"""JupyterLab's process: shared by all, with no rights of its own. What it does it asks the server to do, as the one who asked it.

It runs no code of users and reads no file of the lake: contents come over the REST API, and kernels are processes of the server's. Who
asks is told by the server with every request, and kept in ``identity.asker`` for all that the request leads to.
"""
