"""The doors: conductor, event store, chat and command line. Doors render events; they decide nothing."""
