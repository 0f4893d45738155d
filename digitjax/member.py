"""`python -m digitjax.member`: one of several processes that train together, started by `digitjax train`."""

import sys

from digitjax import cli, processes
from digitjax.commands import train

if __name__ == "__main__":
    processes.end_with_parent()
    processes.leave(cli.guarded(lambda: train.run_member(sys.argv[1:]), trains=True))
