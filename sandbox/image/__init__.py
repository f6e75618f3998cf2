"""What a machine that is not ours (a container, a rented one) needs to run our scripts."""
