"""`python -m service`: the command line."""

from service.cli import main

if __name__ == "__main__":  # workers are started by spawning, which imports this file again
    main()
