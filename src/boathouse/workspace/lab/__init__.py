"""JupyterLab under this server's origin and sign-in: its process, the way to it, and the kernels."""
