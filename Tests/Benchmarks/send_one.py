"""send_one.py URL MESSAGE: python websockets does what `wscope send -N 1 URL MESSAGE` does."""
import sys

from websockets.sync.client import connect

with connect(sys.argv[1], compression=None) as connection:
    connection.send(sys.argv[2])
    print(connection.recv())
