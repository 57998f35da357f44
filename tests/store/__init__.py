"""The cluster's folder: private, written whole, and refused where it can't be trusted."""
