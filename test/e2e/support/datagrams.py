"""Listens like a service manager: every datagram that comes to the unix socket named by the first word, one JSON string a
line. A name that begins with @ is one in the abstract namespace."""
import json
import socket
import sys

name = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + name[1:] if name.startswith("@") else name)
print('"listening"', flush=True)
while True:
    print(json.dumps(listener.recv(4096).decode()), flush=True)
