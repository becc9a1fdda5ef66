"""An Ethernet wire for tests: hexadecimal frames on stdin are sent as they are, IPv4 TCP packets that arrive are printed
as JSON strings of hexadecimal, without their Ethernet header. Argument: the interface. Ends with stdin."""
import selectors
import socket
import sys

ETH_P_IP = 0x0800
ETHERNET_BYTES = 14

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
wire.bind((sys.argv[1], ETH_P_IP))
print('{"ready":true}', flush=True)
selector = selectors.DefaultSelector()
selector.register(wire, selectors.EVENT_READ)
selector.register(sys.stdin, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is wire:
            frame, address = wire.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING and frame[ETHERNET_BYTES + 9] == socket.IPPROTO_TCP:
                print('"' + frame[ETHERNET_BYTES:].hex() + '"', flush=True)
        else:
            line = sys.stdin.readline()
            if not line:
                sys.exit(0)
            wire.send(bytes.fromhex(line))
