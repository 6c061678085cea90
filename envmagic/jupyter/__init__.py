"""What is Jupyter's: kernelspecs, notebooks, servers, the running kernel's connection."""
